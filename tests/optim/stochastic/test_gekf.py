"""The extended Kalman filter, against the equations of the textbook and exact least squares."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.diagnostics import DataError
from symopt.optim import iterate, minimize, objective
from symopt.optim.stochastic.gekf import GEKF

LINE = """
data X[n, d]
data y[n]
param w[d] init 0
residual r[i] = y[i] - sum(X[i, j] * w[j] for j)
minimize sumsq(r)
"""
SOFTMAX = """
data X[n, d]
data c[n] in 3
param W[3, d]
model z[i, k] = sum(W[k, j] * X[i, j] for j)
minimize sum(logsumexp(z[i, k] for k) - z[i, c[i]] for i)
"""


@pytest.fixture(scope="module")
def line():
    """A linear problem of 12 samples, and its data."""
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(12, 3)), rng.normal(size=12)
    return symopt.parse(LINE).bind(X=X, y=y), X, y


def textbook(w, P, residual, slope, R):
    """One scalar measurement z = h(w) + noise, with the innovation `residual` and dh/dw."""
    S = slope @ P @ slope + R
    K = P @ slope / S
    return w + K * residual, P - np.outer(K, K) * S


def test_one_sample_a_step_is_the_textbook(line):
    problem, X, y = line
    R = 0.3
    rule = GEKF(noise=2 * R, spread=2.0, forgetting=1.0)
    w = np.array([0.5, -1.0, 2.0])
    state = rule.init(problem.batch([0]), w)
    P = np.diag((2.0 * state.sizes) ** 2)
    for i in range(12):
        if i:
            state = rule.step(problem.batch([i]), state)
        w, P = textbook(w, P, y[i] - X[i] @ w, X[i], R)
        np.testing.assert_allclose(state.ahead, w, rtol=1e-11)
        np.testing.assert_allclose(state.covariance, P, rtol=1e-9, atol=1e-14)


def test_a_nonlinear_measurement_is_linearized_where_the_weights_are():
    """h(w) = exp(w₀) + w₁², with forgetting and process noise as they are added in prediction."""
    R, lam, q = 0.2, 0.95, 0.01
    z = np.array([2.0, 1.5, 1.8])

    def measuring(z):
        return objective(
            residuals=lambda w: np.array([z - np.exp(w[0]) - w[1] ** 2]),
            jac=lambda w: np.array([[-np.exp(w[0]), -2 * w[1]]]),
        ).sized(2)

    rule = GEKF(noise=2 * R, spread=1.0, forgetting=lam, process_noise=q)
    w = np.array([0.3, 0.5])
    state = rule.init(measuring(z[0]), w)
    D = state.sizes
    P = np.diag(D**2)
    for i, measured in enumerate(z):
        if i:
            state = rule.step(measuring(measured), state)
        grown = np.mean(np.diag(P) / D**2)  # at most back to the first variance
        P = P * max(1.0, min(1 / lam, 1 / grown)) + np.diag(q * D**2)
        slope = np.array([np.exp(w[0]), 2 * w[1]])
        w, P = textbook(w, P, measured - np.exp(w[0]) - w[1] ** 2, slope, R)
        np.testing.assert_allclose(state.ahead, w, rtol=1e-11)
        np.testing.assert_allclose(state.covariance, P, rtol=1e-10, atol=1e-14)


def test_recursive_least_squares_is_exact(line):
    """After all samples, in any batches, the ridge of the prior is all that is missing."""
    problem, X, y = line
    rule = GEKF(noise=2.0, spread=1e4, forgetting=1.0)
    state = rule.init(problem.batch(np.arange(5)), np.zeros(3))
    state = rule.step(problem.batch(np.arange(5, 7)), state)
    state = rule.step(problem.batch(np.arange(7, 12)), state)
    exact = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(state.ahead, exact, rtol=1e-7)
    np.testing.assert_allclose(state.covariance, np.linalg.inv(X.T @ X), rtol=1e-6)


def test_residuals_without_samples_are_one_measurement(line):
    """As if they came one by one."""
    _, X, y = line
    whole = objective(residuals=lambda w: y - X @ w, jac=lambda w: -X).sized(3)
    rule = GEKF(noise=0.8, spread=3.0, forgetting=1.0)
    w = np.array([1.0, 0.5, -0.5])
    state = rule.init(whole, w)
    P = np.diag((3.0 * state.sizes) ** 2)
    for slope, measured in zip(X, y, strict=True):
        w, P = textbook(w, P, measured - slope @ w, slope, 0.4)
    np.testing.assert_allclose(state.ahead, w, rtol=1e-11)
    np.testing.assert_allclose(state.covariance, P, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("d", [4, 40])
def test_information_form_of_a_general_loss(d):
    """Softmax: P = (P₋⁻¹ + G)⁻¹, with the matrix of few unknowns and the products of many."""
    rng = np.random.default_rng(2)
    X, c = rng.normal(size=(3, d)), np.array([0, 2, 1])
    problem = symopt.parse(SOFTMAX).bind(X=X, c=c)
    rule = GEKF(noise=1.0, spread=1.0, forgetting=1.0)
    w = 0.1 * rng.normal(size=3 * d)
    state = rule.init(problem, w)
    Q = np.exp(X @ w.reshape(3, d).T)
    Q /= Q.sum(axis=1, keepdims=True)
    G = sum(np.kron(np.diag(q) - np.outer(q, q), np.outer(x, x)) for q, x in zip(Q, X, strict=True))
    g = np.concatenate([(Q[:, k] - (c == k)) @ X for k in range(3)])
    P = np.linalg.inv(np.diag(1 / state.sizes**2) + G)
    np.testing.assert_allclose(state.covariance, P, rtol=1e-9, atol=1e-12 * np.max(P))
    np.testing.assert_allclose(state.ahead, w - P @ g, rtol=1e-9, atol=1e-12)


def test_the_covariance_stays_a_covariance():
    """Over many passes, symmetric and positive."""
    rng = np.random.default_rng(3)
    X, c = rng.normal(size=(50, 15)), rng.integers(3, size=50)
    problem = symopt.parse(SOFTMAX).bind(X=X, c=c)
    run = iterate(problem, "gekf", x0=np.zeros(45), batch_size=1, max_iter=300, seed=1)
    *_, last = run
    P = last.state.covariance
    np.testing.assert_array_equal(P, P.T)
    assert np.linalg.eigvalsh(P).min() > 0


def test_bounds_condition_the_other_weights():
    """The least point of a correlated bowl in a box, not that of the unbounded one projected."""
    A = np.array([[2.0, 1.8], [1.8, 2.0]])
    root = np.linalg.cholesky(A).T
    minimum = np.array([-1.0, 2.0])
    problem = objective(
        residuals=lambda x: root @ (x - minimum), jac=lambda x: root, bounds=[(0, None), (None, 5)]
    )
    visited = [it.x for it in iterate(problem, "gekf", x0=[1.0, 1.0])]
    assert all(x[0] >= 0 for x in visited)
    # With x₀ = 0 the gradient in x₁ vanishes at 2 - 1.8/2.
    np.testing.assert_allclose(visited[-1], [0.0, 1.1], atol=1e-6)


def test_it_learns_what_descent_does_not_in_a_few_looks():
    """An ill-conditioned linear problem, 40 samples one by one."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(40, 3)) * [1.0, 30.0, 1000.0]
    w = np.array([3.0, -0.1, 0.002])
    problem = symopt.parse(LINE).bind(X=X, y=X @ w)
    result = minimize(problem, "gekf", batch_size=1, max_iter=40, seed=0, options={"noise": 1e-6})
    np.testing.assert_allclose(result.x, w, rtol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"noise": 0},
        {"spread": 0},
        {"forgetting": 0},
        {"forgetting": 1.1},
        {"process_noise": -1},
    ],
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of gekf must be"):
        GEKF(**settings)


def test_a_curvature_is_needed():
    with pytest.raises(DataError, match="gekf needs a Gauss-Newton matrix"):
        minimize(objective(lambda x: float(x @ x), grad=lambda x: 2 * x), "gekf", x0=[1.0])
