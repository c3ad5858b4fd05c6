"""Coordinate descent: each sweep is Gauss and Seidel's on a quadratic."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.first_order.coordinate_descent import CoordinateDescent
from tests.optim.first_order.quadratics import quadratic


def gauss_seidel(q, x):
    """One sweep: each unknown solves its own equation of A (x - m) = 0."""
    x = x.copy()
    for i in range(len(x)):
        x[i] -= q.matrix[i] @ (x - q.minimum) / q.matrix[i, i]
    return x


@pytest.mark.parametrize(
    # The derivative is zero to rounding; golden section ends at a hundredth of its first trial.
    ("search", "tolerance"),
    [("exact", 1e-12), ("golden-section", 2e-3)],
)
def test_one_sweep_is_the_formula(search, tolerance):
    q, x = quadratic(4), np.array([1.0, -2.0, 0.5, 3.0])
    problem, method = q.objective().sized(4), CoordinateDescent(search=search)
    found = method.step(problem, method.init(problem, x))
    np.testing.assert_allclose(found.point.x, gauss_seidel(q, x), atol=tolerance)


def test_values_alone_do():
    q = quadratic(4)
    result = minimize(objective(q.value), "coordinate-descent", x0=np.ones(4))
    assert result.success, result.message
    np.testing.assert_allclose(result.x, q.minimum, atol=1e-6)
    assert result.njev == 0


def test_derivatives_are_asked_for():
    with pytest.raises(DataError, match="needs a gradient"):
        minimize(
            objective(lambda x: float(x @ x)),
            "coordinate-descent",
            x0=[1.0],
            options={"search": "exact"},
        )


@pytest.mark.parametrize("search", ["exact", "golden-section"])
def test_bounds(search):
    target = np.array([-3.0, 0.1, 3.0])
    result = minimize(
        objective(
            lambda x: float((x - target) @ (x - target)),
            grad=lambda x: 2 * (x - target),
            bounds=[(-1, 1)] * 3,
        ),
        "coordinate-descent",
        x0=[0.0, 0.0, 0.0],
        options={"search": search},
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [-1, 0.1, 1], atol=1e-6)
    assert result.x[0] == -1
    assert result.x[2] == 1


def test_an_optimal_start_stays():
    result = minimize(objective(lambda x: float(x @ x)), "coordinate-descent", x0=[0.0, 0.0])
    assert (result.success, result.nit) == (True, 0)


def test_a_wall_of_nan():
    result = minimize(
        objective(lambda x: float(x[0] - np.log(x[0])) if x[0] > 0 else np.nan),
        "coordinate-descent",
        x0=[1e-3],
    )
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-6)


def test_bad_settings():
    with pytest.raises(DataError, match="of coordinate-descent must be"):
        CoordinateDescent(search="newton")
