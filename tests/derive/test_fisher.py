"""Fisher matrices against formulas written out in NumPy, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symopt
from tests.support.oracle import Oracle, error

EXACT = 1e-12  # sums of products of first derivatives: a few roundings
N, D = 9, 3
RNG = np.random.default_rng(4)
X = RNG.normal(size=(N, D))
Y = RNG.integers(0, 2, N).astype(float)
COUNTS = RNG.poisson(2.0, N).astype(float)
LABELS = RNG.integers(0, 3, N)
W = np.array([0.4, -0.7, 0.2])
LINEAR = "data X[n, d], y[n]\nparam w[d]\nmodel z = X @ w\n"


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def gram(rows: np.ndarray, weights: Any = 1.0) -> np.ndarray:
    return rows.T @ (rows * np.reshape(weights, (-1, 1)) if np.ndim(weights) else rows * weights)


def linear(objective: str, y: np.ndarray = Y) -> symopt.problem.Problem:
    return symopt.parse(f"{LINEAR}minimize {objective}").bind(X=X, y=y)


@pytest.mark.parametrize(
    "objective",
    [
        "sum(softplus(z) - y * z)",
        "mean(softplus(z) - y * z)",
        "sum(softplus(z) - y * z) / n + 3 * sumsq(w)",
        "mean(softplus(z[i]) for i) - sum(y[i] * z[i] for i) / n + w[0]^4",
        "sum(softplus(z[i]) for i) - y @ z",
        "n * mean(softplus(z) - y * z)",
    ],
)
def test_logistic(objective: str) -> None:
    problem = linear(objective)
    z = X @ W
    assert error(problem.fisher(W), gram(X * (sigmoid(z) - Y)[:, None])) < EXACT
    wanted = gram(X, sigmoid(z) * (1 - sigmoid(z)))
    assert error(problem.fisher(W, kind="model"), wanted) < EXACT


def test_poisson_with_a_factor() -> None:
    """A factor that is not 1/n stays: half of each summand is a quarter of its outer product."""
    problem = linear("mean(exp(z) - y * z) / 2", COUNTS)
    z = X @ W
    assert error(problem.fisher(W), gram(X * (np.exp(z) - COUNTS)[:, None] / 2)) < EXACT
    assert error(problem.fisher(W, kind="model"), gram(X, np.exp(z) / 2)) < EXACT


def test_mean_of_what_a_filter_keeps() -> None:
    problem = linear("mean(exp(z[i]) - y[i] * z[i] for i if y[i] > 0)")
    kept = Y > 0
    rows = X * (np.where(kept, np.exp(X @ W) - Y, 0.0))[:, None]
    assert error(problem.fisher(W), gram(rows)) < EXACT


def test_mean_over_samples_and_outputs() -> None:
    """Of a mean over n·k points, the n is left away and the k stays."""
    text = """
    data X[n, d], y[n]
    param W[d, k]
    model z = X @ W
    minimize mean((z[i, c] - y[i])^2 for i, c)
    """
    problem = symopt.parse(text).bind(X=X, y=Y, k=2)
    p = RNG.normal(size=problem.n)
    e = X @ p.reshape(D, 2) - Y[:, None]
    rows = np.einsum("ij,ic->ijc", X, e).reshape(N, -1)
    assert error(problem.fisher(p), gram(rows)) < EXACT
    wanted = np.kron(X.T @ X, np.eye(2))
    assert error(problem.fisher(p, kind="model"), wanted) < EXACT


def test_softmax() -> None:
    text = """
    data X[n, d], label[n] in k
    param W[d, k]
    model z = X @ W
    minimize mean(cross_entropy(z, label)) + 0.1 * sumsq(W)
    """
    problem = symopt.parse(text).bind(X=X, label=LABELS, k=3)
    p = RNG.normal(size=problem.n)
    z = X @ p.reshape(D, 3)
    share = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    rows = np.einsum("ij,ic->ijc", X, share - np.eye(3)[LABELS]).reshape(N, -1)
    assert error(problem.fisher(p), gram(rows)) < EXACT
    wanted = sum(
        np.kron(np.outer(x, x), np.diag(s) - np.outer(s, s)) for x, s in zip(X, share, strict=True)
    )
    assert error(problem.fisher(p, kind="model"), wanted) < EXACT


def test_least_squares_without_the_prior() -> None:
    text = """
    data X[n, d], y[n]
    param w[d]
    residual r = y - exp(X @ w)
    residual prior = 0.3 * w
    """
    problem = symopt.parse(text).bind(X=X, y=Y)
    f = np.exp(X @ W)
    assert error(problem.fisher(W), gram(-2 * X * (f * (Y - f))[:, None])) < EXACT
    assert error(problem.fisher(W, kind="model"), gram(X * f[:, None], 2.0)) < EXACT


def test_summands_by_complex_steps() -> None:
    """A network: gradients of samples one by one, each a problem of its own."""
    text = """
    data X[n, d], y[n]
    dim h = 2
    param U[d, h], v[h], c
    model z[i] = sum(v[k] * tanh(sum(X[i, j] * U[j, k] for j)) for k) + c
    minimize mean(softplus(z) - y * z) + 0.01 * sumsq(U)
    """
    model = symopt.parse(text)
    problem = model.bind(X=X, y=Y)
    p = RNG.normal(size=problem.n)
    prior = np.concatenate([0.02 * p[: 2 * D], np.zeros(3)])
    rows = np.array([Oracle(model.bind(X=X[[i]], y=Y[[i]])).gradient(p) - prior for i in range(N)])
    assert error(problem.fisher(p), gram(rows)) < EXACT


def test_declared_samples_and_groups() -> None:
    """Samples are what `sample` says: then each group is one."""
    text = """
    data y[m, k]
    sample k
    param a, b
    minimize sum((y[g, i] - a * g - b)^2 for g, i)
    """
    problem = symopt.parse(text).bind(y=np.arange(12.0).reshape(4, 3))
    p = np.array([0.3, -0.2])
    g, y = np.arange(4.0), np.arange(12.0).reshape(4, 3)
    e = y - (p[0] * g + p[1])[:, None]
    rows = -2 * np.stack([(e * g[:, None]).sum(axis=0), e.sum(axis=0)], axis=1)
    assert error(problem.fisher(p), gram(rows)) < EXACT


def test_out_and_wrt() -> None:
    problem = linear("sum(exp(z) - y * z)")
    out = np.empty((D, D))
    assert problem.fisher(W, out=out) is out
    assert error(out, gram(X * (np.exp(X @ W) - Y)[:, None])) < EXACT
    assert (out == out.T).all()
    text = "data x[n]\nparam a, b\nminimize sum((x[i] - a * b)^2 for i)"
    two = symopt.parse(text).bind(x=Y)
    full = two.fisher([0.5, 2.0])
    assert error(two.fisher([0.5, 2.0], wrt="b"), full[1:, 1:]) < EXACT


def test_equals_gauss_newton_of_a_sum() -> None:
    problem = linear("sum((y - z)^2)")
    assert error(problem.fisher(W, kind="model"), problem.gauss_newton(W)[0]) < EXACT
    assert error(problem.fisher(W, kind="model"), gram(X, 2.0)) < EXACT


@pytest.mark.parametrize(
    ("objective", "found"),
    [
        ("sum(log1p((y - z)^2))", "depends on `y`"),
        ("sum(y * exp(z) - z)", "depends on `y`"),
        ("sum((y - exp(z))^2)", "depends on `y`"),
        ("sum(exp(z))", "reads no data"),
    ],
)
def test_other_likelihoods_have_no_model(objective: str, found: str) -> None:
    problem = linear(objective)
    assert problem.fisher(W).shape == (D, D)
    with pytest.raises(symopt.DerivativeUnavailable, match="canonical") as caught:
        problem.fisher(W, kind="model")
    assert found in str(caught.value)
    assert "<string>:4:" in str(caught.value)


def test_a_robust_loss_is_no_likelihood() -> None:
    text = "data X[n, d], y[n]\nparam w[d]\nresidual r = y - X @ w loss huber(1.0)"
    with pytest.raises(symopt.DerivativeUnavailable, match="canonical"):
        symopt.parse(text).bind(X=X, y=Y).fisher(W, kind="model")


@pytest.mark.parametrize(
    "objective", ["log(sum((y - z)^2))", "norm(y - z)", "exp(w[0]) * sum((y - z)^2)", "max(z)"]
)
def test_what_is_no_sum_has_no_samples(objective: str) -> None:
    with pytest.raises(symopt.DerivativeUnavailable, match="adds up samples") as caught:
        linear(f"{objective} + 0 * sum(y)").fisher(W)
    assert "<string>:4:" in str(caught.value)


def test_without_samples_the_whole_is_one() -> None:
    problem = symopt.parse("param w, b\nminimize w^2 + exp(w * b)").bind()
    p = np.array([0.7, -0.2])
    gradient = np.array([2 * p[0], 0.0]) + np.exp(p[0] * p[1]) * p[::-1]
    assert error(problem.fisher(p), np.outer(gradient, gradient)) < EXACT
    assert (problem.fisher(p, kind="covariance") == 0).all()
    assert problem.check(p, functions=("fisher",)).ok


def test_without_samples_each_residual_is_one() -> None:
    text = """
    param A[2, 3], b
    residual r[i, j] = A[i, j]^2 - b * i - j
    residual s = A[0, 0] - b
    """
    problem = symopt.parse(text).bind()
    p = RNG.normal(size=7)
    a, b = p[:6].reshape(2, 3), p[6]
    i, j = np.indices((2, 3))
    residuals = np.append((a**2 - b * i - j).ravel(), a[0, 0] - b)
    jacobian = np.zeros((7, 7))
    jacobian[:6, :6] = np.diag(2 * a.ravel())
    jacobian[:6, 6] = -i.ravel()
    jacobian[6, [0, 6]] = 1.0, -1.0
    rows = 2 * residuals[:, None] * jacobian
    assert error(problem.fisher(p), gram(rows)) < EXACT
    assert error(problem.fisher(p, kind="model"), gram(jacobian, 2.0)) < EXACT
    assert error(problem.fisher(p, kind="covariance"), np.cov(rows.T, bias=True)) < EXACT
    assert problem.check(p, functions=("fisher",)).ok


@pytest.mark.parametrize(
    "objective", ["sum(softplus(z) - y * z)", "mean(softplus(z) - y * z) + 3 * sumsq(w)"]
)
def test_covariance_of_gradients(objective: str) -> None:
    """Of the samples' summands: neither the 1/n of a mean nor a prior is in it."""
    rows = X * (sigmoid(X @ W) - Y)[:, None]
    covariance = linear(objective).fisher(W, kind="covariance")
    assert error(covariance, np.cov(rows.T, bias=True)) < EXACT
    assert (covariance == covariance.T).all()


def test_kinds() -> None:
    with pytest.raises(symopt.DataError, match="empirical"):
        linear("sum(z^2)").fisher(W, kind="modell")  # type: ignore[arg-type]
    no_cut = symopt.parse("data y[n]\nparam a\nminimize sum((y - a)^2)").bind(y=Y)
    with pytest.raises(symopt.DerivativeUnavailable, match="model z"):
        no_cut.fisher([0.0], kind="model")
