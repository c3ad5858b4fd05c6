"""Conjugate gradients: the five formulas, exact in n steps, and restarts."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import Point, iterate, minimize, objective
from symopt.optim.first_order.conjugate_gradients import ConjugateGradients, conjugacy
from symopt.optim.methods import find_method
from tests.optim.first_order.quadratics import quadratic

FORMULAS = ["fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "dai-yuan", "hager-zhang"]


def _beta(formula, g, before, v):
    """As published, written again."""
    y = g - before
    return {
        "fletcher-reeves": (g @ g) / (before @ before),
        "polak-ribiere": max(0.0, (g @ y) / (before @ before)),
        "hestenes-stiefel": (g @ y) / (v @ y),
        "dai-yuan": (g @ g) / (v @ y),
        "hager-zhang": max(
            (y - 2 * v * (y @ y) / (v @ y)) @ g / (v @ y),
            -1 / (np.linalg.norm(v) * min(0.01, np.linalg.norm(before))),
        ),
    }[formula]


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas(formula, rng):
    for _ in range(20):
        g, before, v = rng.normal(size=(3, 4))
        old, new = Point(np.zeros(4), 1.0, before), Point(np.ones(4), 0.5, g)
        found = conjugacy(formula, old, new, v)
        assert found == pytest.approx(_beta(formula, g, before, v), rel=1e-12)


@pytest.mark.parametrize("formula", FORMULAS)
def test_two_steps_are_the_formula(formula):
    """Exact searches on a quadratic: both lengths in closed form."""
    q, x = quadratic(4), np.array([1.0, -2.0, 0.5, 3.0])
    problem = q.objective().sized(4)
    method = ConjugateGradients(formula=formula, search="exact")
    found = method.step(problem, method.step(problem, method.init(problem, x)))
    v, g = -q.gradient(x), q.gradient(x)
    x = x + q.exact_length(x, v) * v
    v = _beta(formula, q.gradient(x), g, v) * v - q.gradient(x)
    x = x + q.exact_length(x, v) * v
    np.testing.assert_allclose(found.point.x, x, rtol=1e-11)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_exact_in_n_steps_on_quadratics(formula, n):
    q = quadratic(n)
    method = ConjugateGradients(formula=formula, search="exact")
    result = minimize(q.objective(), method, x0=np.zeros(n), max_iter=n, tol=0)
    # Rounding of n steps, each of a condition of 20.
    np.testing.assert_allclose(result.x, q.minimum, atol=1e-10)


@pytest.mark.parametrize("formula", FORMULAS)
def test_directions_are_conjugate(formula):
    q = quadratic(5)
    method = ConjugateGradients(formula=formula, search="exact")
    run = list(iterate(q.objective(), method, x0=np.zeros(5), max_iter=4, tol=0))
    directions = [at.state.direction for at in run[:-1]]
    directions = [d / np.linalg.norm(d) for d in directions]
    products = np.array([[a @ q.matrix @ b for a in directions] for b in directions])
    np.testing.assert_allclose(products - np.diag(np.diag(products)), 0, atol=1e-10)


def test_restarts_after_so_many_steps():
    q = quadratic(6)
    method = ConjugateGradients(search="exact", restart=2)
    run = iterate(q.objective(), method, x0=np.zeros(6), max_iter=5, tol=0)
    fresh = [np.array_equal(at.state.direction, -at.point.gradient) for at in run]
    assert fresh == [True, False, True, False, True, False]


def _rosenbrock(n):
    def value(x):
        return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))

    def gradient(x):
        inner = 200 * (x[1:] - x[:-1] ** 2)
        result = np.zeros_like(x)
        result[1:] += inner
        result[:-1] -= 2 * x[:-1] * inner + 2 * (1 - x[:-1])
        return result

    return objective(value, grad=gradient)


@pytest.mark.parametrize("formula", FORMULAS)
def test_chained_rosenbrock(formula):
    result = minimize(_rosenbrock(10), f"cg-{formula}", x0=np.zeros(10))
    assert result.success, result.message
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-6)


def test_scipys_name():
    assert find_method("CG").name == "cg-hestenes-stiefel"


def test_backs_off_from_where_the_objective_is_not_defined():
    result = minimize(
        objective(lambda x: float(x[0] - np.log(x[0])), grad=lambda x: 1 - 1 / x), "CG", x0=[1e-3]
    )
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-7)


@pytest.mark.parametrize(
    "settings",
    [{"formula": "beale"}, {"restart": 0}, {"search": "armijo"}, {"curvature": 1.5}],
)
def test_bad_settings(settings):
    with pytest.raises(DataError):
        ConjugateGradients(**settings)
