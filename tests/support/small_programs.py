"""Small programs that between them use every rule of differentiation, with data and a point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import symopt
from symopt.problem import Problem

Generator = np.random.Generator


@dataclass(frozen=True)
class Small:
    """A program, its data, and how far from 0 its parameters are tried."""

    text: str
    data: Callable[[Generator], dict[str, Any]] = lambda rng: {}
    low: float = -1.0
    high: float = 1.0

    def bind(self, rng: Generator) -> tuple[Problem, np.ndarray, np.ndarray]:
        """The problem, a point and a direction."""
        problem = symopt.parse(self.text).bind(self.data(rng))
        p = rng.uniform(self.low, self.high, problem.n)
        return problem, p, rng.normal(size=problem.n)


PROGRAMS: dict[str, Small] = {
    "least_squares": Small(
        """
        data x[n], y[n]
        param a, b, c
        residual r[i] = y[i] - a * exp(-b * x[i]) / (1 + c^2)
        """,
        lambda rng: {"x": np.arange(7.0), "y": rng.normal(size=7)},
    ),
    "logistic_with_ridge": Small(
        """
        data X[n, d], y[n]
        param w[d], b
        model z = X @ w + b
        minimize mean(softplus(z) - y * z) + 0.05 * sumsq(w)
        """,
        lambda rng: {"X": rng.normal(size=(9, 3)), "y": rng.integers(0, 2, 9)},
    ),
    "network": Small(
        """
        data X[n, d], label[n] in k
        dim h = 2
        param W[d, h], V[h, k], c[k]
        hidden = tanh(X @ W)
        model z = hidden @ V + c
        minimize mean(cross_entropy(z, label)) + 0.1 * sumsq(V)
        """,
        lambda rng: {"X": rng.normal(size=(6, 2)), "label": rng.integers(0, 3, 6), "k": 3},
    ),
    "mixture": Small(
        """
        data x[n, d]
        dim K = 2
        param alpha[K], mu[K, d], L[K, d, d]
        r[i, k, a] = x[i, a] - mu[k, a]
        u[i, k, a] = exp(L[k, a, a]) * r[i, k, a] + sum(L[k, a, b] * r[i, k, b] for b in range(a))
        q[i, k] = alpha[k] + sum(L[k, a, a] for a) - sum(u[i, k, a]^2 for a) / 2
        minimize n * logsumexp(alpha) - sum(logsumexp(q[i, k] for k) for i) + sumsq(L)
        """,
        lambda rng: {"x": rng.normal(size=(5, 2))},
    ),
    "gather_and_scatter": Small(
        """
        data cam[m] in n, pt[m] in q, y[m]
        param C[n, 2], P[q]
        residual e[k] = exp(C[cam[k], 0]) * P[pt[k]] + C[cam[k], 1] - y[k]
        total[cam[k]] += e[k] * P[pt[k]]
        minimize sumsq(e) + sum(total[c]^3 for c)
        """,
        lambda rng: {
            "cam": [0, 2, 1, 0, 0],
            "pt": [1, 1, 0, 3, 2],
            "y": rng.normal(size=5),
            "n": 3,
            "q": 4,
        },
    ),
    "ragged_and_filtered": Small(
        """
        data off[m + 1] in n + 1, v[n], keep[n]
        param w[n]
        s[g] = sum(w[i] * v[i] for i in range(off[g], off[g + 1]) if keep[i] > 0) for g in m
        t[g] = mean(exp(w[i]) for i in range(off[g], off[g + 1]) if keep[i] > 0) for g in m
        minimize sum(s[g] * sin(t[g]) for g)
        """,
        lambda rng: {
            "off": [0, 3, 4, 7],
            "v": rng.normal(size=7),
            "keep": [1, 0, 1, 1, 1, 0, 1],
        },
    ),
    "products": Small(
        """
        data x[n, d]
        param w[d], a[n]
        f[i] = prod(1 + w[j] * x[i, j] for j) * a[i]
        minimize prod(f[i] - w[0] for i) + prod(w)^2
        """,
        lambda rng: {"x": rng.normal(size=(4, 3))},
    ),
    "products_with_zeros": Small(
        """
        data x[n]
        param w[n], c
        minimize prod(w[i] * x[i] for i) + c * prod(exp(c * x[i]) * x[i] for i)
        """,
        lambda rng: {"x": np.array([0.0, 2.0, 1.5])},
    ),
    "extrema": Small(
        """
        data x[n, d]
        param w[d], b
        top[i] = max(x[i, j] * sin(w[j]) for j)
        minimize sum(top[i]^2 * exp(b) for i) + min(w) * max(b, w[0]^2) + abs(b) * relu(w[1])
        """,
        lambda rng: {"x": rng.normal(size=(5, 4))},
    ),
    "norms_and_powers": Small(
        """
        data t[n]
        param a, b, v[3]
        f[i] = a^t[i] + t[i]^b + norm(v) * hypot(a, b)
        minimize sumsq(f) + sqrt(a * b) / norm(v - a)
        """,
        lambda rng: {"t": np.array([0.5, 1.0, 2.5])},
        low=0.3,
        high=2.0,
    ),
    "branches": Small(
        """
        data x[n]
        param a, b
        root[i] = sqrt(a + x[i])
        s[i] = root[i] * b if a + x[i] > 0 else b^2 * x[i]
        minimize sum(s[i] for i) + (log(b) if b > 0 else exp(b) * a)
        """,
        lambda rng: {"x": np.array([-2.0, -1.5, 0.7, 2.0])},
    ),
    "robust": Small(
        """
        data y[n, 2]
        param a[2], s
        residual e[i, c] = exp(s) * (y[i, c] - a[c]) loss cauchy(0.8)
        """,
        lambda rng: {"y": 3 * rng.normal(size=(6, 2))},
    ),
    "marks_on_a_path": Small(
        """
        data x[n]
        param a, b, c
        model first[i] = a * sin(b * x[i])
        model second[i] = exp(first[i]) * c
        minimize sum(second[i]^3 for i) + a^2 * c
        """,
        lambda rng: {"x": rng.normal(size=4)},
    ),
    "crossing_cuts": Small(
        """
        data x[n]
        param a, b, c[2]
        shared = exp(a) * b
        model u[i] = shared * x[i] + c[0]
        model v = a * b * c[1]
        minimize sum(u[i]^2 * v for i) + shared * v^2 + sin(b) * sum(c[k]^2 for k)
        """,
        lambda rng: {"x": rng.normal(size=4)},
    ),
    "neighbours": Small(
        """
        data w[n]
        param x[n]
        residual d[i] = w[i] * (x[i + 1] - x[i]^2) for i in range(n - 1)
        residual s = sum(x[i] * x[n - 1 - i] for i)
        """,
        lambda rng: {"w": rng.normal(size=6)},
    ),
    "deep": Small(
        "param a, b\nminimize " + "sin(" * 30 + "a * b" + ") + a * 0.1" * 30,
    ),
    "long": Small(
        "param a[2]\nminimize " + " + ".join(f"sin({k / 7} * a[{k % 2}])" for k in range(60)),
    ),
    "piecewise_in_part": Small(
        """
        data x[n]
        param a, b
        minimize sum((a * x[i]) % 0.7 + floor(b) * a^2 + sign(b) * b + b // 0.3 for i)
        """,
        lambda rng: {"x": rng.normal(size=4)},
    ),
}
