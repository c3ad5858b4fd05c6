"""First rates: curvatures known in closed form, and starts that say little."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim import Point, objective
from symopt.optim.problem import evaluate
from symopt.optim.rates import first_length, first_rate, first_sizes


def quadratic(matrix, minimum=0.0, **more):
    return objective(
        lambda x: float((x - minimum) @ matrix @ (x - minimum)) / 2,
        grad=lambda x: matrix @ (x - minimum),
        **more,
    ).sized(len(matrix))


def at(problem, *x):
    return problem, evaluate(problem, np.array(x, float))


def rotated(curvatures):
    """A symmetric matrix with these eigenvalues, whose axes are not the coordinates'."""
    n = len(curvatures)
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(n, n)))[0]
    return basis @ np.diag(curvatures) @ basis.T


@pytest.mark.parametrize("with_products", [True, False])
@pytest.mark.parametrize("largest", [1e-6, 1.0, 1e6])
def test_half_of_one_over_the_largest_curvature(largest, with_products):
    matrix = largest * rotated([0.01, 0.1, 0.2, 0.5, 1.0])
    more = {"hvp": lambda x, v: matrix @ v} if with_products else {}
    rate = first_rate(*at(quadratic(matrix, np.arange(5.0), **more), *np.ones(5)))
    # Power iteration ends when a round adds 5 %; L is seen from below.
    assert 0.5 / largest * (1 - 1e-6) <= rate <= 1.25 * 0.5 / largest


def test_few_gradients():
    asked = []
    matrix = np.diag(np.geomspace(1, 1e6, 50))
    problem = objective(
        lambda x: float(x @ matrix @ x) / 2, grad=lambda x: asked.append(x) or matrix @ x
    ).sized(50)
    first_rate(*at(problem, *np.ones(50)))
    assert len(asked) <= 20


def test_curvature_that_the_start_does_not_see():
    """Of (x − 1)² + 100 x⁴ it is 2 at 0, and 2 + 1200 x² on the way down."""
    problem = objective(
        lambda x: float((x[0] - 1) ** 2 + 100 * x[0] ** 4),
        grad=lambda x: 2 * (x - 1) + 400 * x**3,
    ).sized(1)
    point = at(problem, 0.0)
    # The parabola at 0 has its minimum at 1; halved twice, it is lower there.
    assert first_rate(*point) == pytest.approx(0.5 / (2 + 1200 / 16), rel=1e-5)


def test_a_stationary_start():
    """At a minimum, and at a saddle."""
    for matrix in (np.diag([1.0, 8.0]), np.diag([1.0, -8.0])):
        assert first_rate(*at(quadratic(matrix), 0.0, 0.0)) == pytest.approx(0.5 / 8, rel=0.05)


def test_nothing_curves():
    """The faster unknown moves by a tenth of its size: of 1, as it starts at 0, or of 5."""
    line = objective(
        lambda x: float(3 * x[0] + x[1]), grad=lambda x: np.array([3.0, 1.0]), names=("a", "b")
    ).sized(2)
    assert first_rate(*at(line, 0.0, 0.0)) == pytest.approx(0.1 / 3)
    assert first_rate(*at(line, 5.0, 0.0)) == pytest.approx(0.1)
    flat = objective(lambda x: 1.0, grad=lambda x: np.zeros(2)).sized(2)
    assert first_rate(*at(flat, 0.0, 0.0)) == 1


def test_neighbours_that_are_not_finite():
    """The start is at the edge: on one side the objective is not defined."""
    problem = objective(
        lambda x: float(2 * x[0] ** 2) if x[0] <= 1 else np.nan,
        grad=lambda x: 4 * x if x[0] <= 1 else np.full(1, np.nan),
    ).sized(1)
    assert first_rate(*at(problem, 1.0)) == pytest.approx(0.5 / 4, rel=1e-6)
    alone = objective(
        lambda x: 1.0 if x[0] == 1 else np.nan,
        grad=lambda x: np.ones(1) if x[0] == 1 else np.full(1, np.nan),
    ).sized(1)
    assert first_rate(*at(alone, 1.0)) == pytest.approx(0.1)


def test_bounds_are_not_left():
    def gradient(x):
        assert x[0] >= 0
        return 6 * (x - 1)

    problem = objective(
        lambda x: float(3 * (x[0] - 1) ** 2), grad=gradient, bounds=[(0, None)]
    ).sized(1)
    assert first_rate(*at(problem, 0.0)) == pytest.approx(0.5 / 6, rel=1e-6)


def test_sizes_are_those_of_the_start():
    problem = quadratic(np.eye(3), np.array([301.0, 400.0, 0.1]), names=("a[0]", "a[1]", "b"))
    sizes = first_sizes(*at(problem, 300.0, 400.0, 0.2))
    np.testing.assert_allclose(sizes, [353.5534, 353.5534, 0.2], rtol=1e-6)


def test_sizes_of_what_starts_at_zero_are_those_of_a_step():
    """One step of steepest descent, with exact length, reaches the minimum of a round bowl."""
    problem = quadratic(np.eye(3), np.array([3.0, 4.0, 0.1]), names=("a[0]", "a[1]", "b"))
    sizes = first_sizes(*at(problem, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(sizes, [3.5355, 3.5355, 0.1], rtol=1e-4)
    at_rest = first_sizes(*at(quadratic(np.eye(2)), 0.0, 0.0))
    np.testing.assert_array_equal(at_rest, [1.0, 1.0])


def test_a_first_length_moves_the_fastest_unknown_by_a_tenth_of_its_size():
    point = Point(np.ones(2), 0.0, np.array([4.0, -1.0]))
    assert first_length(point, np.array([2.0, 0.1])) == 0.01
    flat = Point(np.ones(2), 0.0, np.zeros(2))
    assert first_length(flat, np.ones(2)) == 1.0
