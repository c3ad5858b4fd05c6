"""Steepest descent: what theory says of exact searches, and the conditions of the others."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import iterate, minimize, objective
from symopt.optim.first_order.steepest_descent import SteepestDescent
from tests.optim.first_order.quadratics import quadratic

SEARCHES = ["exact", "armijo", "strong-wolfe", "more-thuente", "hager-zhang"]


def test_one_exact_step_is_the_formula():
    """x - t g with t = g'g / g'Ag."""
    q = quadratic(4)
    x = np.array([1.0, -2.0, 0.5, 3.0])
    g = q.gradient(x)
    expected = x - (g @ g) / (g @ q.matrix @ g) * g
    problem = q.objective().sized(4)
    method = SteepestDescent(search="exact")
    found = method.step(problem, method.init(problem, x))
    # A slope of a few roundings of the first one.
    np.testing.assert_allclose(found.point.x, expected, rtol=1e-13)


def test_exact_directions_are_orthogonal_and_errors_shrink_as_proven():
    q = quadratic(5, condition=10.0)
    run = iterate(q.objective(), "steepest-descent", x0=np.ones(5), max_iter=20, tol=0)
    points = [at.point for at in run]
    for old, new in pairwise(points):
        cosine = old.gradient @ new.gradient
        assert abs(cosine) <= 1e-10 * np.linalg.norm(old.gradient) ** 2
        assert new.value <= ((10 - 1) / (10 + 1)) ** 2 * old.value * (1 + 1e-9)


@pytest.mark.parametrize("search", SEARCHES)
def test_every_search_arrives(search):
    q = quadratic(3)
    result = minimize(q.objective(), "steepest-descent", x0=np.zeros(3), options={"search": search})
    assert result.success, result.message
    np.testing.assert_allclose(result.x, q.minimum, atol=1e-6)


@pytest.mark.parametrize("search", SEARCHES)
def test_bounds_hold_and_release(search):
    result = minimize(
        objective(
            lambda x: float((x[0] - 2) ** 2 + (x[1] + 5) ** 2),
            grad=lambda x: np.array([2 * (x[0] - 2), 2 * (x[1] + 5)]),
            bounds=[(0, 3), (-1, 1)],
        ),
        "steepest-descent",
        x0=[0.0, 1.0],
        options={"search": search},
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [2.0, -1.0], rtol=1e-5)


def test_a_wrong_gradient_is_no_convergence():
    result = minimize(
        objective(lambda x: float(x @ x), grad=lambda x: -2 * x), "steepest-descent", x0=[1.0, 2.0]
    )
    assert (result.success, result.status, result.nit) == (False, 2, 0)


@pytest.mark.parametrize("settings", [{"search": "golden"}, {"decrease": 0.7}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of steepest-descent must be"):
        SteepestDescent(**settings)
