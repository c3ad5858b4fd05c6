"""Passes in phases and tiles: the same values whichever way they are taken, for any samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symopt.types import evaluate
from tests.support.agreement import assert_agree, assert_native_is_right, evaluated, model_of

SAMPLES = (0, 1, 7, 8, 9, 63, 64, 65, 127, 129, 1000)
SIZES = {"d": 4, "c": 3, "h": 5}
CHOICES = {
    "usual": {},
    "outside": {"written_out": 0, "registers": 3},
    "few": {"written_out": 8, "registers": 1},
}
PROGRAMS = {
    "logistic": """\
data X[n, d], y[n]
param w[d] init 0, b init 0
model z = X @ w + b
minimize sum(softplus(z) - y * z) + sumsq(w)
""",
    "classes": """\
dim k = 5
data X[n, d], label[n] in k
param W[d, k] init 0, b[k] init 0
model z = X @ W + b
minimize sum(cross_entropy(z, label))
""",
    "mixture": """\
dim k = 3
data X[n, d]
param alpha[k] init 0, mu[k, d] init 0, L[k, d, d] init 0
u[i, a, r] = X[i, r] - mu[a, r]
q[i, a, r] = exp(L[a, r, r]) * u[i, a, r] + sum(L[a, r, s] * u[i, a, s] for s in range(r))
minimize sum(logsumexp(alpha[a] - sum(q[i, a, r]^2 for r) / 8 for a) for i) - n * logsumexp(alpha)
""",
    "layers": """\
data X[n, d], y[n], cam[n] in h
param V[d, h] init 0, W[h, d] init 0
u = tanh(X @ V)
residual r[i, j] = sum(u[i, a] * W[a, j] for a) * u[i, cam[i]] - X[i, j] * y[i]
""",
    "extrema": """\
data X[n, d], cam[n] in c
param P[c, d] init 0
t[i, a] = max(X[i, j] * P[a, j] for j) for a in c
minimize sum(min(t[i, a] for a) * t[i, cam[i]] for i) + max(t[i, 0] for i)
""",
    "pairs": """\
data X[n, d], cam[n] in c
param P[c, d] init 0
v[i, a, b] = sum(sin(P[a, j] * X[i, j]) * cos(P[b, j]) for j) for a in c, b in c
minimize sum(tanh(v[i, a, b]) * v[i, b, a] for i, a, b) + sum(v[i, cam[i], a] for i, a)
""",
    "scattered": """\
data X[n, d], cam[n] in c, y[n]
param P[c, d] init 0
g[i, a] += P[a, j] * X[i, j] for i in n, a in range(1, c), j in d
g[i, cam[i]] += y[i] * P[cam[i], 0]
G[a] += tanh(g[i, a]) for i in n, a in c
G[a] += tanh(g[i, a]) for i in n, a in c
minimize sumsq(G) / (1 + n)
""",
}
OWN_COLUMN = """\
data X[n, d], y[n], cam[n] in n
param w[d] init 0
a[i, j] = X[i+1, j] * w[j] if i < n-1 else y[i]
b[i, j] = X[cam[i], j] * (X[i-1, j-1] if i > 0 and j > 0 else w[j])
minimize sum(sin(a + b))
"""


def _data(problem: Any, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    sizes = {**SIZES, "n": n, **{k: v.default for k, v in problem.dims.items() if v.default}}
    found: dict[str, np.ndarray] = {}
    for data in problem.data.values():
        shape = tuple(evaluate(size, sizes, {}, {}) for size in data.shape)
        if data.index_of is None:
            found[data.name] = rng.normal(size=shape)
        else:
            found[data.name] = rng.integers(
                0, max(evaluate(data.index_of, sizes, {}, {}), 1), shape
            )
    return found


@pytest.mark.parametrize(("lanes", "choice"), [(4, "outside"), *((8, name) for name in CHOICES)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_any_number_of_samples(name: str, lanes: int, choice: str) -> None:
    model, rng = model_of(PROGRAMS[name], lanes, **CHOICES[choice]), np.random.default_rng(1)
    dims = {key: size for key, size in SIZES.items() if key in model.dims}
    for n in SAMPLES:
        problem = model.bind(_data(model, n, rng), **dims)
        p = rng.normal(size=problem.n)
        found = np.append(*problem.value_and_grad(p))
        assert_agree(found, evaluated(problem, "value_and_grad", p, p), f"n = {n}")
        if model.cut and n < 100:
            assert_agree(problem.residuals(p), evaluated(problem, "residuals", p, p), f"n = {n}")


@pytest.mark.parametrize("choice", ["outside", "few"])
@pytest.mark.parametrize("text", [OWN_COLUMN, PROGRAMS["scattered"]], ids=["column", "scattered"])
def test_every_function_in_phases(text: str, choice: str) -> None:
    """Columns of a Jacobian and a Hessian are filled in loops around the blocks."""
    model, rng = model_of(text, 8, **CHOICES[choice]), np.random.default_rng(2)
    dims = {key: size for key, size in SIZES.items() if key in model.dims}
    data = _data(model, 13, rng) | ({"cam": rng.integers(0, 3, 13)} if "c" in dims else {})
    problem = model.bind(data, **dims)
    assert_native_is_right(problem, *rng.normal(size=(2, problem.n)))


@pytest.mark.parametrize("choice", CHOICES)
def test_sizes_of_nothing(choice: str) -> None:
    """Sizes are compiled in, and some of them are 0."""
    text = "data X[n, d], y[n]\nparam V[h, d] init 0, q[h] init 0\n"
    text += "u[i, a] = tanh(sum(X[i, j] * V[a, j] for j))\nz[i] = sum(u[i, a] * q[a] for a)\n"
    text += "minimize sum((z[i] - y[i])^2 + sum(u[i, a]^2 * X[i, j] for a, j) for i) + sum(u)\n"
    for d, h in ((0, 0), (3, 0), (0, 3)):
        model = model_of(text, 8, **CHOICES[choice])
        problem = model.bind(X=np.ones((9, d)), y=np.arange(9.0), h=h)
        p = np.random.default_rng(3).normal(size=problem.n)
        assert_agree(problem.value(p), evaluated(problem, "value", p, p), f"{d}, {h}")
        assert_agree(problem.grad(p), evaluated(problem, "grad", p, p), f"{d}, {h}")


@pytest.mark.parametrize("written_out", [0, 512])
def test_results_are_the_same_bits_every_time(written_out: int) -> None:
    """Nothing is left in a buffer for the next call, and sums have one order."""
    model = model_of(PROGRAMS["mixture"], 8, written_out=written_out)
    problem = model.bind(_data(model, 129, np.random.default_rng(4)), d=4)
    first, second = np.random.default_rng(5).normal(size=(2, problem.n))
    before = problem.grad(first)
    problem.grad(second)
    assert np.array_equal(problem.grad(first), before)


@pytest.mark.parametrize("choice", CHOICES)
def test_what_is_infinite_at_one_sample_stays_with_it(choice: str) -> None:
    """Lanes and blocks beside it are not touched."""
    model = model_of(PROGRAMS["layers"], 8, **CHOICES[choice])
    data = _data(model, 67, np.random.default_rng(6))
    data["X"][[3, 66]], data["y"][[3, 66]] = 10.0, 1e308
    problem = model.bind(data, h=5)
    found = problem.residuals(np.ones(problem.n)).reshape(67, 4)
    assert np.isneginf(found[[3, 66]]).all()
    assert np.isfinite(np.delete(found, [3, 66], axis=0)).all()
