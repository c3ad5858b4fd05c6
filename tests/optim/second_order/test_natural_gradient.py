"""Natural gradient: its formula, other coordinates, and the metrics of known distances."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.second_order.natural_gradient import NaturalGradient, metric_of
from tests.optim.second_order.test_newton import stepped

X = np.random.default_rng(3).normal(size=(30, 2))
Y = (X @ [1.0, -2.0] + np.random.default_rng(4).normal(size=30) > 0) * 1.0
# Logistic regression in coordinates u, where w = A u + b.
TURNED = """
data X[n, d], y[n], A[d, d], b[d]
param u[d] init 0
w[j] = sum(A[j, k] * u[k] for k) + b[j]
model z = X @ w
minimize mean(softplus(z) - y * z)
"""
A, B = np.array([[2.0, 0.5], [-1.0, 0.1]]), np.array([0.3, -0.4])


def turned(matrix, shift):
    return symopt.parse(TURNED).bind(X=X, y=Y, A=matrix, b=shift)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("kind", ["model", "empirical"])
def test_one_step_by_the_formula(kind):
    problem, start, rate = turned(np.eye(2), np.zeros(2)), np.array([0.2, -0.1]), 0.7
    share = sigmoid(X @ start)
    gradient = X.T @ (share - Y) / 30
    weights = share * (1 - share) if kind == "model" else (share - Y) ** 2
    expected = start - rate * np.linalg.solve(X.T @ (X * weights[:, None]), gradient)
    settings = NaturalGradient(rate=rate, metric=kind, damping=0.0, search="none")
    state = stepped(settings, problem, start)
    np.testing.assert_allclose(state.point.x, expected, rtol=1e-10)


@pytest.mark.parametrize("kind", ["model", "empirical"])
def test_coordinates_do_not_matter_but_to_the_plain_gradient(kind):
    """After each step w = A u + b again; plain gradients are multiplied by AA' instead."""
    plain, other = turned(np.eye(2), np.zeros(2)), turned(A, B)
    u = np.array([0.2, -0.1])
    w = A @ u + B
    settings = NaturalGradient(rate=5.0, metric=kind, damping=0.0, search="none")
    for count in (1, 2, 5):
        there, here = stepped(settings, plain, w, count), stepped(settings, other, u, count)
        np.testing.assert_allclose(A @ here.point.x + B, there.point.x, rtol=1e-9)
    moved = A @ (u - other.grad(u)) + B
    assert np.linalg.norm(moved - (w - plain.grad(w))) > 0.1
    np.testing.assert_allclose(w - moved, A @ A.T @ plain.grad(w), rtol=1e-10)


def kl(p, q):
    return float(np.sum(p * np.log(p / q) - p + q))


@pytest.mark.parametrize("distance", [kl, lambda p, q: kl(q, p)], ids=["forth", "back"])
def test_kl_has_the_metric_one_by_p(distance):
    """METHODS: diag(1/P), the same for KL(P, P+Δ) and KL(P+Δ, P). (Not held to the simplex.)"""
    p = np.array([0.1, 0.3, 0.6])
    metric = metric_of(distance, p, 1e-4 * np.ones(3))
    # Second differences: h²/P² from the fourth derivative, and rounding by h².
    np.testing.assert_allclose(metric, np.diag(1 / p), rtol=1e-5, atol=1e-6)


def test_a_step_by_a_distance():
    weights = np.array([1.0, 4.0, -2.0])
    problem = objective(lambda p: float(p @ weights), grad=lambda p: weights.copy()).sized(3)
    p = np.array([0.1, 0.3, 0.6])
    settings = NaturalGradient(rate=0.1, distance=kl, search="none")
    state = stepped(settings, problem, p)
    np.testing.assert_allclose(state.point.x, p - 0.1 * p * weights, rtol=1e-5)
    given = NaturalGradient(rate=0.1, metric=lambda p: np.diag(1 / p), search="none")
    state = stepped(given, problem, p)
    np.testing.assert_allclose(state.point.x, p - 0.1 * p * weights, rtol=1e-12)


def test_a_metric_that_is_the_hessian_is_newtons_method():
    matrix = np.array([[3.0, 1.0], [1.0, 2.0]])
    problem = objective(lambda x: float(x @ matrix @ x / 2), grad=lambda x: matrix @ x).sized(2)
    state = stepped(NaturalGradient(metric=lambda x: matrix), problem, [1.0, -3.0])
    np.testing.assert_allclose(state.point.x, 0.0, atol=1e-14)


def test_the_models_matrix_is_taken_where_its_likelihood_is_known():
    settings = NaturalGradient()
    known = settings.init(turned(np.eye(2), np.zeros(2)), np.zeros(2))
    assert known.fisher == "model"
    plain = objective(lambda x: float(x @ x), grad=lambda x: 2 * x).sized(2)
    assert settings.init(plain, np.ones(2)).fisher == "empirical"


def test_logistic_regression_to_its_maximum_likelihood():
    problem = turned(A, B)
    result = minimize(problem, "natural-gradient")
    assert result.success
    assert np.abs(problem.grad(result.x)).max() < 1e-8


def test_likelihoods_to_be_maximized():
    text = (
        "data X[n, d], y[n]\nparam w[d] init 0\nmodel z = X @ w\nmaximize sum(y * z - softplus(z))"
    )
    result = minimize(symopt.parse(text).bind(X=X, y=Y), "natural-gradient")
    assert result.success
    assert result.nit < 20  # as Newton's method, which it is here
    np.testing.assert_allclose(X.T @ (sigmoid(X @ result.x) - Y), 0.0, atol=1e-5)


def test_without_samples_it_descends():
    valley = symopt.parse("param x init -1, y init 1\nminimize (1 - x)^2 + 5 * (y - x^2)^2").bind()
    result = minimize(valley, "natural-gradient")
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-4)


def test_one_unknown():
    problem = objective(lambda x: float(x[0] ** 4 + x[0]), grad=lambda x: 4 * x**3 + 1)
    result = minimize(problem, "natural-gradient", x0=[1.0])
    assert result.success
    assert result.x[0] == pytest.approx(-(0.25 ** (1 / 3)), rel=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"metric": "fisher"},
        {"damping": -1.0},
        {"metric": "model", "distance": kl},
        {"search": "golden"},
    ],
)
def test_bad_settings(settings):
    with pytest.raises(DataError):
        NaturalGradient(**settings)


def test_a_model_with_a_score_too_many():
    """Softmax of as many scores as classes: its Fisher matrix is singular, its loss is not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    labels = np.argmax(x @ rng.normal(size=(3, 4)) + rng.normal(size=(60, 4)), axis=1)
    model = symopt.parse(
        "dim k = 4\n"
        "data X[n, d], t[n] in k\n"
        "param W[d, k] init uniform(-1, 1), b[k] init 0\n"
        "model z = X @ W + b\n"
        "minimize mean(cross_entropy(z, t)) + 0.01*sumsq(W)"
    )
    problem = model.bind(X=x, t=labels)
    result = minimize(problem, "natural-gradient", seed=1)
    assert result.success, result.message
    np.testing.assert_allclose(problem.grad(result.x), 0, atol=1e-6)
