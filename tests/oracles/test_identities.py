"""Identities between the Hessian H and the Gauss-Newton matrix G, with formulas from NumPy.

H = G + Σ (second derivatives of the model weighted by the gradient of the loss), so H = G at zero
residual and for linear models; G is positive semi-definite where the loss is convex in the cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.problem import Problem
from tests.support.oracle import Oracle, error, fourth_order

EXACT = 1e-11  # second derivatives in another order of operations
SECOND = 1e-9  # against differences
N, D, K = 8, 3, 3
RNG = np.random.default_rng(12)
X = RNG.normal(size=(N, D))
LABELS = RNG.integers(0, K, N)
ONES = RNG.integers(0, 2, N).astype(float)
COUNTS = RNG.poisson(2.0, N).astype(float)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def softmax(z: np.ndarray) -> np.ndarray:
    shares = np.exp(z - z.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def softmax_curvature(z: np.ndarray) -> np.ndarray:
    """∇²l, (n k, n k), of the sum of cross entropies."""
    found = np.zeros((N, K, N, K))
    for i, share in enumerate(softmax(z.reshape(N, K))):
        found[i, :, i, :] = np.diag(share) - np.outer(share, share)
    return found.reshape(N * K, N * K)


@dataclass(frozen=True)
class Loss:
    """A loss of outputs z, (n,) or (n, k), in the language, and its derivatives by z in NumPy."""

    text: str
    data: dict[str, Any]
    gradient: Callable[[np.ndarray], np.ndarray]
    curvature: Callable[[np.ndarray], np.ndarray]
    outputs: int = 1
    convex: bool = True


LOSSES = {
    "squares": Loss(
        "sum((y - z)^2)",
        {"y": COUNTS},
        lambda z: 2 * (z - COUNTS),
        lambda z: 2 * np.eye(N),
    ),
    "logistic": Loss(
        "mean(softplus(z) - y * z)",
        {"y": ONES},
        lambda z: (sigmoid(z) - ONES) / N,
        lambda z: np.diag(sigmoid(z) * sigmoid(-z)) / N,
    ),
    "poisson": Loss(
        "sum(exp(z) - y * z)",
        {"y": COUNTS},
        lambda z: np.exp(z) - COUNTS,
        lambda z: np.diag(np.exp(z)),
    ),
    "softmax": Loss(
        "sum(cross_entropy(z, label))",
        {"label": LABELS},
        lambda z: (softmax(z.reshape(N, K)) - np.eye(K)[LABELS]).ravel(),
        softmax_curvature,
        outputs=K,
    ),
    "log_of_a_sum": Loss(
        "log(1 + sum((y - z)^2))",
        {"y": COUNTS},
        lambda z: 2 * (z - COUNTS) / (1 + np.sum((z - COUNTS) ** 2)),
        lambda z: (
            2 * np.eye(N) / (1 + np.sum((z - COUNTS) ** 2))
            - 4 * np.outer(z - COUNTS, z - COUNTS) / (1 + np.sum((z - COUNTS) ** 2)) ** 2
        ),
        convex=False,
    ),
    "cauchy": Loss(
        "sum(log1p((y - z)^2))",
        {"y": COUNTS},
        lambda z: 2 * (z - COUNTS) / (1 + (z - COUNTS) ** 2),
        lambda z: np.diag(2 * (1 - (z - COUNTS) ** 2) / (1 + (z - COUNTS) ** 2) ** 2),
        convex=False,
    ),
}
MODELS = {
    "linear": ("param W[d], c[k]", "model z = X @ W + c[0]", "model z[i, j] = X[i] @ W + c[j] * j"),
    "curved": (
        "param W[d], c[k]",
        "model z = c[0] * tanh(X @ W) + sin(c[1])",
        "model z[i, j] = c[j] * tanh(X[i] @ W + j * c[j])",
    ),
}
losses = pytest.mark.parametrize("loss", LOSSES)
models = pytest.mark.parametrize("model", MODELS)


def bound(loss: str, model: str) -> tuple[Problem, np.ndarray]:
    case = LOSSES[loss]
    params, one, several = MODELS[model]
    names = "label[n] in k" if "label" in case.data else "y[n]"
    formula = one if case.outputs == 1 else several
    text = f"data X[n, d], {names}\n{params}\n{formula}\nminimize {case.text}\n"
    problem = symopt.parse(text).bind(X=X, k=K, **case.data)
    return problem, RNG.normal(size=problem.n) * 0.5


@losses
@models
def test_hessian_is_gauss_newton_plus_bending_of_the_model(loss: str, model: str) -> None:
    problem, p = bound(loss, model)
    oracle, case = Oracle(problem), LOSSES[loss]
    z = np.real(oracle.cut(p))
    jacobian = oracle.jacobian(p)
    wanted = jacobian.T @ case.curvature(z) @ jacobian
    found, gradient = problem.gauss_newton(p)
    assert error(found, wanted) < EXACT
    assert error(gradient, case.gradient(z) @ jacobian) < EXACT
    assert error(problem.gauss_newton_sparse(p).toarray(), wanted) < EXACT
    products = np.array([problem.gnvp(p, unit) for unit in np.eye(len(p))])
    assert error(products, wanted) < EXACT
    # Σ ∂l/∂z · ∇²z by differences of complex-step Jacobians of the model.
    slope = case.gradient(z)
    bend = np.array(
        [
            fourth_order(lambda t, unit=unit: slope @ oracle.jacobian(p + t * unit), 1e-3)
            for unit in np.eye(len(p))
        ]
    )
    hessian = problem.hess(p)
    assert np.abs(hessian - wanted - bend).max() < SECOND * max(1.0, np.abs(hessian).max())
    if model == "linear":
        assert error(hessian, wanted) < EXACT
    if case.convex:
        low = np.linalg.eigvalsh(found)[0]
        assert low > -1e-13 * np.linalg.norm(found)


def test_at_zero_residual_both_are_the_same() -> None:
    text = """
    data X[n, d], y[n]
    param w[d], s
    residual r = y - exp(X @ w) * s^2
    """
    p = np.array([0.3, -0.2, 0.5, 1.4])
    problem = symopt.parse(text).bind(X=X, y=np.exp(X @ p[:3]) * p[3] ** 2)
    assert error(problem.gauss_newton(p)[0], problem.hess(p)) < EXACT
    assert error(problem.gauss_newton_sparse(p).toarray(), problem.hess_sparse(p).toarray()) < EXACT
    away = problem.hess(p + 0.3)
    assert error(problem.gauss_newton(p + 0.3)[0], away) > 1e-3


CROSS = """
data X[n, d], y[n]
param w[d], s
model z = tanh(X @ w)
model u[i] = X[i, 0] * w[1] * s
minimize sum(exp(-s) * (y[i] - z[i])^2 * (1 + u[i]^2) + s * u[i] for i) + s^4 * w[0]
"""


def test_cross_terms_with_parameters_read_directly() -> None:
    """m = (z, u, s, w): the rows of s and w in ṁ are identities, and ∇²l has all cross terms."""
    problem = symopt.parse(CROSS).bind(X=X, y=ONES)
    p = np.array([0.4, -0.3, 0.8, 0.6])
    w, s = p[:3], p[3]
    z, u = np.tanh(X @ w), X[:, 0] * w[1] * s
    e = ONES - z
    m = 2 * N + 4
    change = np.zeros((m, 4))
    change[:N, :3] = X * (1 - z**2)[:, None]
    change[N : 2 * N, 1], change[N : 2 * N, 3] = X[:, 0] * s, X[:, 0] * w[1]
    change[2 * N :] = np.eye(4)
    bent = np.zeros((m, m))
    rows, others, at_s = np.arange(N), np.arange(N, 2 * N), m - 1
    bent[rows, rows] = 2 * np.exp(-s) * (1 + u**2)
    bent[others, others] = 2 * np.exp(-s) * e**2
    bent[rows, others] = bent[others, rows] = -4 * np.exp(-s) * e * u
    bent[rows, at_s] = bent[at_s, rows] = 2 * np.exp(-s) * e * (1 + u**2)
    bent[others, at_s] = bent[at_s, others] = -2 * np.exp(-s) * e**2 * u + 1
    bent[at_s, at_s] = np.sum(np.exp(-s) * e**2 * (1 + u**2)) + 12 * s**2 * w[0]
    bent[at_s, 2 * N] = bent[2 * N, at_s] = 4 * s**3
    wanted = change.T @ bent @ change
    assert error(problem.gauss_newton(p)[0], wanted) < EXACT
    assert error(problem.gauss_newton_sparse(p).toarray(), wanted) < EXACT
    products = np.array([problem.gnvp(p, unit) for unit in np.eye(4)])
    assert error(products, wanted) < EXACT
