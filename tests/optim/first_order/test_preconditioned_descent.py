"""Preconditioned descent: the A^-1 step, and that it is descent in other coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.first_order.preconditioned_descent import PreconditionedDescent
from tests.optim.first_order.quadratics import quadratic

RATE = 0.3
X = np.array([1.0, -2.0, 0.5])


def one_step(problem, **settings):
    problem, method = problem.sized(3), PreconditionedDescent(**settings)
    return method.step(problem, method.init(problem, X)).point.x


def test_one_step_is_the_formula():
    q = quadratic(3)
    g = q.gradient(X)
    whole, diagonal = q.matrix, np.diag(q.matrix)
    given = q.objective(hess=lambda x: q.matrix)
    products = q.objective(hvp=lambda x, v: q.matrix @ v)
    for problem, metric, expected in (
        (q.objective(), whole, np.linalg.solve(whole, g)),
        (q.objective(), diagonal, g / diagonal),
        (given, "hessian", np.linalg.solve(whole, g)),
        (given, "diagonal", g / diagonal),
        (products, "hessian", np.linalg.solve(whole, g)),
        (products, "diagonal", g / diagonal),
    ):
        found = one_step(problem, metric=metric, rate=RATE)
        np.testing.assert_allclose(found, X - RATE * expected, rtol=1e-12)


def test_it_is_gradient_descent_in_scaled_coordinates():
    """With v = A^1/2 w: v - eta df/dv, back in w."""
    q, metric = quadratic(3), quadratic(3, seed=5).matrix
    root = np.real(sqrtm(metric))
    v = root @ X
    gradient = np.linalg.solve(root, q.gradient(np.linalg.solve(root, v)))
    expected = np.linalg.solve(root, v - RATE * gradient)
    found = one_step(q.objective(), metric=metric, rate=RATE)
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_the_hessian_ends_in_one_step():
    q = quadratic(3, condition=1e4)
    problem = q.objective(hess=lambda x: q.matrix)
    found = one_step(problem, metric="hessian", rate=1.0)
    np.testing.assert_allclose(found, q.minimum, rtol=1e-10)


def test_rates_follow_their_schedule():
    q = quadratic(3)
    problem = q.objective().sized(3)
    method = PreconditionedDescent(metric=np.ones(3), rate=0.01, schedule="1/(k+1)")
    state = method.init(problem, X)
    x = X
    for k in range(4):
        state = method.step(problem, state)
        x = x - 0.01 / (k + 1) * q.gradient(x)
        np.testing.assert_allclose(state.point.x, x, rtol=1e-13)


@pytest.mark.parametrize("metric", ["diagonal", "hessian"])
def test_indefinite_hessians_are_descended(metric):
    """x^4/4 - x^2/2 + y^2 near its saddle."""
    result = minimize(
        objective(
            lambda p: float(p[0] ** 4 / 4 - p[0] ** 2 / 2 + p[1] ** 2),
            grad=lambda p: np.array([p[0] ** 3 - p[0], 2 * p[1]]),
            hess=lambda p: np.diag([3 * p[0] ** 2 - 1, 2.0]),
        ),
        "preconditioned-descent",
        x0=[0.01, 1.0],
        options={"metric": metric},
    )
    assert result.success, result.message
    np.testing.assert_allclose(np.abs(result.x), [1, 0], atol=1e-5)


@pytest.mark.parametrize("metric", ["diagonal", np.array([1.0, 25.0]), np.array([[2, 1], [1, 9]])])
def test_bounds(metric):
    matrix = np.array([[2.0, 1.0], [1.0, 9.0]])
    result = minimize(
        objective(
            lambda x: float(x @ matrix @ x) / 2 - 4 * x[0],
            grad=lambda x: matrix @ x - np.array([4.0, 0.0]),
            bounds=[(0, 1), (-5, 5)],
        ),
        "preconditioned-descent",
        x0=[0.5, 3.0],
        options={"metric": metric},
    )
    assert result.success, result.message
    # At x = 1 the rest is 9 y²/2 + y.
    np.testing.assert_allclose(result.x, [1, -1 / 9], rtol=1e-5)


def test_a_hessian_is_asked_for():
    with pytest.raises(DataError, match="needs a Hessian"):
        minimize(
            quadratic(3).objective(),
            "preconditioned-descent",
            x0=X,
            options={"metric": "hessian"},
        )


@pytest.mark.parametrize(
    "metric", ["newton", [1.0, -1.0], np.array([[1, 2], [2, 1]]), np.array([[1, 0], [1, 1]])]
)
def test_bad_metrics(metric):
    with pytest.raises(DataError, match="of preconditioned-descent must be"):
        PreconditionedDescent(metric=metric)


def test_a_metric_of_another_size():
    with pytest.raises(DataError, match="has length 2, expected 3"):
        minimize(
            quadratic(3).objective(),
            "preconditioned-descent",
            x0=X,
            options={"metric": [1.0, 1.0]},
        )
