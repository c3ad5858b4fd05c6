"""Gauss-Newton: pseudo-inverse steps, any loss through the cut, and what has no full rank."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.least_squares.gauss_newton import GaussNewton
from tests.optim.second_order.test_newton import stepped

FACTORS = pytest.mark.parametrize("factor", ["svd", "normal", "krylov"])


def rosenbrock(x):
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def rosenbrock_jacobian(x):
    return np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])


ROSENBROCK = objective(residuals=rosenbrock, jac=rosenbrock_jacobian)
SOFTMAX = """
data X[n, d], label[n] in k
param W[d, k] init 0
model z = X @ W
minimize sum(cross_entropy(z, label))
"""


def softmax_problem(rng):
    x = rng.normal(size=(12, 2))
    return symopt.parse(SOFTMAX).bind(X=x, label=rng.integers(0, 3, 12), k=3), x


@FACTORS
@pytest.mark.parametrize("rate", [1.0, 0.4])
@pytest.mark.parametrize("rank", [3, 2])
def test_one_step_is_the_pseudo_inverses(rng, factor, rate, rank):
    """w -= η J⁺ r, for J of full rank and of less."""
    matrix = rng.normal(size=(6, rank)) @ rng.normal(size=(rank, 3))
    target, x = rng.normal(size=6), rng.normal(size=3)
    problem = objective(residuals=lambda x: matrix @ x - target, jac=lambda x: matrix).sized(3)
    settings = GaussNewton(rate=rate, factor=factor, forcing=0.0, search="none")
    state = stepped(settings, problem, x)
    expected = x - rate * np.linalg.pinv(matrix, rcond=1e-10) @ (matrix @ x - target)
    np.testing.assert_allclose(state.point.x, expected, rtol=1e-7)


def test_the_next_step_on_rosenbrock_is_the_minimum():
    """Two steps as published, over a value of thousands; the search takes a little longer."""
    state = stepped(GaussNewton(search="none"), ROSENBROCK.sized(2), [-1.2, 1.0], count=2)
    np.testing.assert_allclose(state.point.x, 1.0, rtol=1e-12)
    result = minimize(ROSENBROCK, "gauss-newton", x0=[-1.2, 1.0])
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-10)
    assert (np.diff(result.trace["value"]) <= 0).all()


def test_softmax_through_the_cut_by_hand(rng):
    """METHODS: G = J' (Diag(Q) - QQ') J, and the step -G⁺ g; G has no full rank."""
    problem, x = softmax_problem(rng)
    p = rng.normal(size=problem.n)
    z = x @ p.reshape(2, 3)
    share = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    matrix, jacobians = np.zeros((6, 6)), [np.kron(row, np.eye(3)) for row in x]
    for jacobian, q in zip(jacobians, share, strict=True):
        matrix += jacobian.T @ (np.diag(q) - np.outer(q, q)) @ jacobian
    found, gradient = problem.gauss_newton(p)
    np.testing.assert_allclose(found, matrix, rtol=1e-12, atol=1e-12)
    state = stepped(GaussNewton(search="none"), problem, p)
    expected = p - np.linalg.pinv(matrix, rcond=1e-10) @ gradient
    np.testing.assert_allclose(state.point.x, expected, rtol=1e-7)


@pytest.mark.parametrize("factor", ["auto", "normal", "krylov"])
def test_log_loss_to_its_minimum(rng, factor):
    problem, _ = softmax_problem(rng)
    result = minimize(problem, "gauss-newton", options={"factor": factor})
    assert result.success, result.message
    assert np.abs(result.grad).max() < 1e-6
    # Of all minima (columns may be shifted together) the shortest is reached from zero.
    np.testing.assert_allclose(result.x.reshape(2, 3).sum(axis=1), 0.0, atol=1e-8)


@FACTORS
def test_bounds(factor):
    bounded = objective(
        residuals=rosenbrock, jac=rosenbrock_jacobian, bounds=[(-2.0, 0.7), (0.0, 2.0)]
    )
    result = minimize(bounded, "gauss-newton", x0=[-1.2, 1.0], options={"factor": factor})
    assert result.success, result.message
    assert result.x[0] == 0.7
    np.testing.assert_allclose(result.x, [0.7, 0.49], rtol=1e-7)


def test_columns_of_very_different_units():
    """Brown's badly scaled problem, with a condition of 1e12: J is not squared."""
    result = minimize(
        objective(
            residuals=lambda x: np.array([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2]),
            jac=lambda x: np.array([[1.0, 0.0], [0.0, 1.0], [x[1], x[0]]]),
        ),
        "gauss-newton",
        x0=[1.0, 1.0],
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [1e6, 2e-6], rtol=1e-9)


def test_one_unknown():
    problem = objective(residuals=lambda x: np.exp(x) - 2, jac=lambda x: np.diag(np.exp(x)))
    result = minimize(problem, "gauss-newton", x0=[-3.0])
    assert result.success
    assert result.x[0] == pytest.approx(np.log(2), rel=1e-12)


def test_residuals_that_are_not_finite_next_to_the_start():
    problem = objective(residuals=lambda x: np.log(x) - 1, jac=lambda x: np.diag(1 / x))
    result = minimize(problem, "gauss-newton", x0=[30.0])
    assert result.success
    assert result.x[0] == pytest.approx(np.e, rel=1e-10)


def test_the_svd_needs_residuals(rng):
    problem, _ = softmax_problem(rng)
    with pytest.raises(DataError, match="residuals"):
        minimize(problem, "gauss-newton", options={"factor": "svd"})


@pytest.mark.parametrize("settings", [{"factor": "qr"}, {"rate": 0.0}, {"search": "golden"}])
def test_bad_settings(settings):
    with pytest.raises(DataError):
        GaussNewton(**settings)


def test_a_loss_that_is_not_convex():
    """Far from its minimum the negative log-density of a normal has no curvature by its width."""
    sample = np.random.default_rng(0).normal(2, 0.5, size=50)
    model = symopt.parse(
        "data y[n]\nparam mu init 0, s > 0 init 1\nmodel m = mu + 0*y\n"
        "maximize mean(normal_logpdf(y, m, s))"
    )
    result = minimize(model.bind(y=sample), "gauss-newton")
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [sample.mean(), sample.std()], rtol=1e-8)
