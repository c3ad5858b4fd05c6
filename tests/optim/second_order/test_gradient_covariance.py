"""Gradient covariance: its formula, what samples are, and what is done where there are none."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.second_order.gradient_covariance import GradientCovariance
from tests.optim.second_order.test_newton import stepped

RNG = np.random.default_rng(5)
X = RNG.normal(size=(20, 3))
Y = (RNG.normal(size=20) > 0) * 1.0
LOGISTIC = "data X[n, d], y[n]\nparam w[d] init 0\nmodel z = X @ w\n"


@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_one_step_by_the_formula(damping):
    """w -= η Σ⁻¹ g of a mean of losses, Σ = E (ĝ - g)(ĝ - g)'."""
    text = f"{LOGISTIC}minimize mean(softplus(z) - y * z)"
    problem, w = symopt.parse(text).bind(X=X, y=Y), np.array([0.1, -0.3, 0.2])
    gradients = X * (1 / (1 + np.exp(-X @ w)) - Y)[:, None]
    mean = gradients.mean(axis=0)
    covariance = (gradients - mean).T @ (gradients - mean) / 20
    covariance += damping * np.trace(covariance) / 3 * np.eye(3)
    settings = GradientCovariance(rate=0.4, damping=damping, search="none")
    state = stepped(settings, problem, w)
    expected = w - 0.4 * np.linalg.solve(covariance, mean)
    np.testing.assert_allclose(state.point.x, expected, rtol=1e-10)


def test_a_prior_is_in_the_gradient_only():
    text = f"{LOGISTIC}minimize mean(softplus(z) - y * z) + 2 * sumsq(w)"
    problem, w = symopt.parse(text).bind(X=X, y=Y), np.array([0.1, -0.3, 0.2])
    gradients = X * (1 / (1 + np.exp(-X @ w)) - Y)[:, None]
    settings = GradientCovariance(damping=0.0, search="none")
    state = stepped(settings, problem, w)
    step = np.linalg.solve(np.cov(gradients.T, bias=True), gradients.mean(axis=0) + 4 * w)
    np.testing.assert_allclose(state.point.x, w - step, rtol=1e-10)


def test_residuals_are_samples():
    """Three residuals in two unknowns, from Python."""
    target = np.array([1.0, -2.0, 4.0])
    matrix = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]])
    problem = objective(residuals=lambda x: matrix @ x - target, jac=lambda x: matrix).sized(2)
    x = np.array([0.3, 0.7])
    rows = 2 * (matrix @ x - target)[:, None] * matrix
    expected = x - np.linalg.solve(np.cov(rows.T, bias=True), rows.sum(axis=0))
    state = stepped(GradientCovariance(damping=0.0, search="none"), problem, x)
    np.testing.assert_allclose(state.point.x, expected, rtol=1e-10)


def test_a_single_sample_has_no_covariance_and_the_step_is_the_gradients():
    problem = objective(lambda x: float(x @ x), grad=lambda x: 2 * x).sized(2)
    state = stepped(GradientCovariance(rate=0.1, search="none"), problem, [1.0, -2.0])
    np.testing.assert_allclose(state.point.x, [0.8, -1.6], rtol=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "minimize (1 - x)^2 + 5 * (y - x^2)^2",
        "residual a = 1 - x\nresidual b = sqrt(5.0) * (y - x^2)",
    ],
    ids=["whole", "residuals"],
)
def test_defaults_follow_a_valley(text):
    valley = symopt.parse(f"param x init -1, y init 1\n{text}").bind()
    result = minimize(valley, "gradient-covariance")
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-4)


def test_samples_that_cannot_be_told_apart_are_refused():
    text = f"{LOGISTIC}minimize log(sum((y - z)^2))"
    with pytest.raises(symopt.DerivativeUnavailable, match="no plain sum"):
        minimize(symopt.parse(text).bind(X=X, y=Y), "gradient-covariance")


@pytest.mark.parametrize("settings", [{"damping": -0.1}, {"rate": 0.0}, {"search": ""}])
def test_bad_settings(settings):
    with pytest.raises(DataError):
        GradientCovariance(**settings)
