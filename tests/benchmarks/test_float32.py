"""How much quicker gradients are in float32 than in float64, and how many digits they keep.

Run with `pytest -s`; the ratios are what decision note 30 quotes.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.problem import Problem

N = 200_000
PROGRAMS = {
    "softmax regression": """\
dim K = 10
data X[n, d], label[n] in K
param W[K, d] init 0, b[K] init 0
model z = X @ W.T + b
minimize mean(cross_entropy(z, label))
""",
    "logistic regression": """\
data X[n, d], t[n]
param w[d] init 0, b init 0
model z = X @ w + b
minimize mean(softplus(z) - t * z)
""",
    "element by element": """\
data x[n], y[n]
param a init 1, b init 0.5, c init 0.2
minimize mean(softplus(a * tanh(b*x + c) - y) + log(1 + exp(-a * x)))
""",
    "exponential fit": """\
data x[n], y[n]
param a init 2, k init 1, c init 0
residual r = a * exp(-k * abs(x)) + c - y
""",
    "means of groups": """\
dim G = 1000
data g[n] in G, y[n]
param m[G] init 0
minimize sum((y[i] - m[g[i]])^2 for i)/n
""",
}


def _data(rng: np.random.Generator) -> dict[str, np.ndarray]:
    floats = {
        "X": rng.normal(size=(N, 20)),
        "t": rng.integers(0, 2, N),
        "x": rng.normal(size=N),
        "y": rng.normal(size=N),
    }
    found = {name: array.astype(np.float32) for name, array in floats.items()}
    return found | {"label": rng.integers(0, 10, N), "g": rng.integers(0, 1000, N)}


def _seconds(problem: Problem, p: np.ndarray) -> float:
    out = np.empty_like(p)
    problem.value_and_grad(p, out=out)
    times: list[float] = []
    for _ in range(25):
        start = perf_counter()
        problem.value_and_grad(p, out=out)
        times.append(perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("name", PROGRAMS)
def test_ratio(name: str, rng: np.random.Generator) -> None:
    model = symopt.parse(PROGRAMS[name])
    data: dict[str, Any] = {k: a for k, a in _data(rng).items() if k in model.data}
    single, double = model.bind(data, dtype="float32"), model.bind(data)
    p = (double.x0 + 0.1 * rng.normal(size=double.n)).astype(np.float32)
    q = p.astype(float)
    times = _seconds(double, q), _seconds(single, p)
    value, gradient = double.value_and_grad(q)
    off = abs(single.value(p) / value - 1), np.abs(single.grad(p) - gradient).max()
    print(
        f"\n{name:22s} float64 {1e3 * times[0]:7.3f} ms, float32 {1e3 * times[1]:7.3f} ms, "
        f"{times[0] / times[1]:.1f} x; value off by {off[0]:.0e}, "
        f"gradient by {off[1] / np.abs(gradient).max():.0e}"
    )
    # Sums of 200,000 terms, each with roundings of 6e-8 that mostly cancel.
    assert off[0] <= 1e-6
    assert off[1] <= 1e-6 * np.abs(gradient).max()
