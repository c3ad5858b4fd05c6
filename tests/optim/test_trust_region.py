"""Steps in a ball against dense eigenvalue solutions and SciPy; how the radius goes on."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.trust_region import (
    RadiusRule,
    more_sorensen,
    parabola_minimum,
    steihaug,
    to_boundary,
)

ACCURACY = 1e-6


def model(gradient, hessian, step):
    return gradient @ step + step @ hessian @ step / 2


def least_in_ball(gradient, hessian, radius):
    """From all eigenvalues: bisection on |s(λ)| = radius, and the hard case by its definition."""
    values, vectors = np.linalg.eigh(hessian)
    along = vectors.T @ gradient
    along[np.abs(along) < 1e-12 * np.linalg.norm(along)] = 0.0

    def step(multiplier):
        with np.errstate(divide="ignore", invalid="ignore"):
            return -vectors @ np.where(along == 0, 0.0, along / (values + multiplier))

    lower = max(0.0, -values[0])
    if values[0] > 0 and np.linalg.norm(step(0.0)) <= radius:
        return step(0.0)
    lowest = step(lower)
    if along[0] == 0 and np.linalg.norm(lowest) <= radius:
        return lowest + np.sqrt(radius**2 - lowest @ lowest) * vectors[:, 0]
    upper = lower + np.linalg.norm(gradient) / radius
    for _ in range(200):
        middle = (lower + upper) / 2
        outside = np.linalg.norm(step(middle)) > radius
        lower, upper = (middle, upper) if outside else (lower, middle)
    return step(upper)


@pytest.mark.parametrize("kind", ["definite", "indefinite", "hard", "singular", "scaled"])
@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_more_sorensen_is_the_eigenvalue_solution(rng, kind, n):
    for _ in range(20):
        root = rng.normal(size=(n, n))
        hessian, gradient = root + root.T, rng.normal(size=n) * 10.0 ** rng.integers(-3, 4)
        if kind in ("definite", "singular"):
            hessian = root @ root.T
        if kind == "singular":
            hessian -= np.linalg.eigvalsh(hessian)[0] * np.eye(n)
        if kind == "hard":
            lowest = np.linalg.eigh(hessian)[1][:, 0]
            gradient -= lowest * (lowest @ gradient)
        if kind == "scaled":
            hessian *= 10.0 ** rng.integers(-8, 9)
        radius = 10.0 ** rng.uniform(-2, 2)
        step = more_sorensen(gradient, hessian, radius, accuracy=ACCURACY)
        assert np.linalg.norm(step) <= radius * (1 + 1e-12)
        least = model(gradient, hessian, least_in_ball(gradient, hessian, radius))
        # The step's model value is within (1 - accuracy)² of the least, and rounding of both.
        assert model(gradient, hessian, step) <= (1 - 3 * ACCURACY) * least + 1e-14 * abs(least)


def test_more_sorensen_agrees_with_scipy(rng):
    from scipy.optimize._trustregion_exact import IterativeSubproblem

    for _ in range(20):
        root = rng.normal(size=(6, 6))
        hessian, gradient = root + root.T, rng.normal(size=6)
        theirs = IterativeSubproblem(
            np.zeros(6),
            lambda x: 0.0,
            lambda x, g=gradient: g,
            lambda x, h=hessian: h,
            k_easy=1e-8,
            k_hard=1e-8,
        ).solve(0.5)[0]
        ours = more_sorensen(gradient, hessian, 0.5, accuracy=1e-8)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_more_sorensen_leaves_a_saddle_where_the_gradient_vanishes():
    step = more_sorensen(np.zeros(3), np.diag([2.0, -1.0, 3.0]), 0.5)
    np.testing.assert_allclose(np.abs(step), [0.0, 0.5, 0.0], atol=0.05)
    assert np.linalg.norm(step) == pytest.approx(0.5)


def test_more_sorensen_takes_the_shortest_step_where_many_are_least():
    step = more_sorensen(np.array([1.0, 1.0]), np.ones((2, 2)), 100.0, accuracy=1e-8)
    np.testing.assert_allclose(step, [-0.5, -0.5], rtol=1e-6)


def test_nothing_to_gain_is_no_step():
    np.testing.assert_array_equal(more_sorensen(np.zeros(2), np.zeros((2, 2)), 1.0), 0)
    np.testing.assert_array_equal(more_sorensen(np.zeros(2), np.eye(2), 1.0), 0)


def truncated(gradient, hessian, radius, tolerance=1e-12, max_iter=100):
    return steihaug(gradient, lambda v: hessian @ v, radius, tolerance=tolerance, max_iter=max_iter)


def test_steihaug_inside_is_the_newton_step(rng):
    root = rng.normal(size=(6, 6))
    hessian, gradient = root @ root.T + np.eye(6), rng.normal(size=6)
    expected = -np.linalg.solve(hessian, gradient)
    np.testing.assert_allclose(truncated(gradient, hessian, 1e3), expected, rtol=1e-8)


def test_steihaug_falls_and_lengthens_with_every_product_from_the_cauchy_point_on(rng):
    root = rng.normal(size=(8, 8))
    hessian, gradient = root @ root.T + 0.1 * np.eye(8), rng.normal(size=8)
    steps = [truncated(gradient, hessian, 1.0, max_iter=k) for k in range(1, 9)]
    values = [model(gradient, hessian, step) for step in steps]
    lengths = [np.linalg.norm(step) for step in steps]
    cauchy = min(
        gradient @ gradient / (gradient @ hessian @ gradient), 1 / np.linalg.norm(gradient)
    )
    np.testing.assert_allclose(steps[0], -cauchy * gradient, rtol=1e-12)
    assert (np.diff(values) <= 1e-14).all()
    assert (np.diff(lengths) >= -1e-14).all()
    assert lengths[-1] <= 1 + 1e-14


def test_steihaug_follows_negative_curvature_to_the_boundary():
    step = truncated(np.array([1.0, 0.1]), np.diag([1.0, -2.0]), 3.0)
    assert np.linalg.norm(step) == pytest.approx(3.0)
    assert model(np.array([1.0, 0.1]), np.diag([1.0, -2.0]), step) < -7


def test_steihaug_in_one_dimension():
    assert truncated(np.array([2.0]), np.array([[4.0]]), 1.0) == pytest.approx(-0.5)
    assert truncated(np.array([2.0]), np.array([[4.0]]), 0.25) == pytest.approx(-0.25)


@pytest.mark.parametrize("direction", [[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [1e-150, 1e-150]])
def test_to_boundary_ends_on_it(direction):
    step, direction = np.array([0.6, 0.2]), np.array(direction)
    length = to_boundary(step, direction, 1.0)
    assert length >= 0
    assert np.linalg.norm(step + length * direction) == pytest.approx(1.0, rel=1e-14)


def test_the_radius_follows_the_ratio():
    rule = RadiusRule()
    assert rule.following(1.0, 0.5, 0.8, 0.7) == 1.0
    assert rule.following(1.0, 0.9, 0.8, 0.7) == 1.6
    assert rule.following(1.0, 0.9, 0.1, 0.7) == 1.0
    assert rule.following(1.0, 0.1, 0.8, 0.3) == pytest.approx(0.24)
    assert rule.following(1.0, -np.inf, 0.8, 0.01) == pytest.approx(0.08)


def test_parabola():
    """1 - 2t + 3t² changes by 1 until t = 1, and is least at 1/3."""
    assert parabola_minimum(-2.0, 1.0) == pytest.approx(1 / 3)
    assert parabola_minimum(-2.0, np.inf) == 0.1
    assert parabola_minimum(-2.0, np.nan) == 0.1
