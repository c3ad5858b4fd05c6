"""What short programs mean, by formulas in NumPy: the corners of the language."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symopt
from symopt.statements.verify import verify

X = np.array([0.5, -1.25, 2.0, 0.75])
STEPS = np.diff(X)
ONES = np.ones((4, 2))
GRID = np.arange(16.0).reshape(4, 4)
TALL = np.arange(6.0).reshape(3, 2)


def pairs(keep: Any) -> list[float]:
    return [GRID[i, j] for i in range(4) for j in range(4) if keep(i, j)]


# A name, the program's body (data and `param a init 2` stand before it), and its value at a = 2.
CASES: list[tuple[str, str, float]] = [
    # Places written.
    ("scalar data as a place", "g[c] += x[i] * a\nminimize sumsq(g)", 4 * X.sum() ** 2),
    ("a place twice", "D[i, i] += x[i] * a\nminimize sum(D @ x) + D[0, 1]", 2 * X @ X),
    (
        "integer division on the left",
        "g[i//2] += x[i] * a\nminimize sumsq(g)",
        4 * np.sum(X.reshape(2, 2).sum(axis=1) ** 2),
    ),
    (
        "remainder on the left",
        "g[i % two] += x[i] * a\nminimize sumsq(g) + g[1]",
        4 * np.sum(X.reshape(2, 2).sum(axis=0) ** 2) + 2 * X[1::2].sum(),
    ),
    (
        "a step on the left",
        "g[2*i + 1] += x[i] * a\nminimize sum(g) + g[1] + g[0]",
        2 * (X.sum() + X[0]),
    ),
    (
        "backwards on the left",
        "g[n-1-i] += x[i] * a\nminimize sum(g[i] * i for i)",
        2 * X[::-1] @ np.arange(4),
    ),
    (
        "`+=` starts from zeros",
        "s[i] += a * x[i-1] for i in range(1, n)\ns[i] += x[i]\nminimize sumsq(s)",
        np.sum((X + 2 * np.r_[0, X[:-1]]) ** 2),
    ),
    # Definitions that do not start at 0.
    (
        "an origin seen by functions",
        "def total(u) = sum(u[i] for i)\nd[t] = a * (x[t] - x[t-1]) for t in range(1, n)\n"
        "minimize total(d) + total(d[2:]) + total(d)^2",
        2 * STEPS.sum() + 2 * STEPS[1:].sum() + 4 * STEPS.sum() ** 2,
    ),
    (
        "an origin in reductions",
        "d[t] = a * (x[t] - x[t-1]) for t in range(2, n)\nminimize sum(d) + max(d) + d[3]",
        2 * (STEPS[1:].sum() + STEPS[1:].max() + STEPS[2]),
    ),
    (
        "an origin with a range that depends on it",
        "q[i, j] = a * x[i] * x[j] for i in range(1, n), j in range(i)\n"
        "minimize sum(q[i, j] for i in range(1, n), j in range(i)) + q[3, 2]",
        2 * sum(X[i] * X[j] for i in range(4) for j in range(i)) + 2 * X[3] * X[2],
    ),
    # Functions.
    (
        "sizes of a function's own",
        "def avg(u[q]) = sum(u) / q\ndef f(B[r, c]) = sum(B[i, j] * r for i in r for j in c)\n"
        "minimize a * avg(x) + a * f(ones)",
        2 * X.mean() + 64,
    ),
    (
        "functions of functions",
        "def sq(u) = u * u\ndef quad(u) = sq(sq(u))\n"
        "minimize sum(quad(a * x[i] + quad(x[i])) for i)",
        np.sum((2 * X + X**4) ** 4),
    ),
    (
        "a guard inside a function",
        "def lag(u, i) = u[i-1] if i > 0 else 0\nminimize sum(lag(a * x, i) * x[i] for i)",
        2 * X[:-1] @ X[1:],
    ),
    # Slices whose ends move.
    (
        "slices up to an index",
        "ahead[i] = sum(x[0:i] * a) for i in n\nc2[i] = mean(x[0:i+1] * a) for i in n\n"
        "minimize sum(ahead) + sum(c2)",
        2 * sum(X[:i].sum() + X[: i + 1].mean() for i in range(4)),
    ),
    (
        "a slice under a guard",
        "two2[i] = sum(x[i-2:i]) * a if i >= 2 else 0 for i in n\nminimize sum(two2)",
        2 * (X[0] + X[1] + X[1] + X[2]),
    ),
    (
        "ragged slices",
        "M[g] = mean(x[off[g]:off[g+1]] * a)\nminimize sumsq(M)",
        4 * (X[0] ** 2 + X[1:].mean() ** 2),
    ),
    (
        "ragged accumulation",
        "s[g] += a * x[i] for i in range(off[g], off[g+1])\nminimize sumsq(s)",
        4 * (X[0] ** 2 + X[1:].sum() ** 2),
    ),
    # Names.
    ("an index named e", "minimize sum(x[e] * a for e) + 0 * e", 2 * X.sum()),
    (
        "indices named like dims",
        "z[k] = sum(ones[i, k] * a for i)\nminimize sum(z) + sum(x[n] * a for n)",
        16 + 2 * X.sum(),
    ),
    # Conditions and filters.
    (
        "several filters",
        "minimize sum(A[i, j] * a for i, j if i < j if x[i] > 0)"
        " + mean(A[i, j] * a for i, j if i != j)",
        2 * sum(pairs(lambda i, j: i < j and X[i] > 0))
        + 2 * float(np.mean(pairs(lambda i, j: i != j))),
    ),
    ("a condition on indices", "minimize sum(x[i] * a if i == 2 else 0 for i)", 4.0),
    (
        "a mean over an empty range that is not taken",
        "minimize a + (0 if n < 9 else mean(x[i] for i in range(5, n-3)))",
        2.0,
    ),
    # Arrays.
    (
        "transposes",
        "minimize v.T @ B @ B.T @ v * a + (a * B).T[1, 0]",
        2 * float(np.sum((TALL.T @ [1, 2, 3]) ** 2)) + 2,
    ),
    ("backwards through data", "minimize sum(x[n-1-j[i]] * a for i)", 2 * (X[3] + X[2] + X[0])),
    ("counts of data", "minimize sum((j == 1) * a) + sum(j) * a", 2 + 8.0),
    (
        "a label for one row",
        "minimize cross_entropy(a * x, c)",
        float(np.log(np.exp(2 * X).sum())) - 2 * X[1],
    ),
    ("a product with zeros", "minimize prod(a * (x - x[0])) + prod(a for i in 3)", 8.0),
    # Numbers.
    ("9^9^9^9", "minimize a if 9^9^9^9 == inf else 0", 2.0),
    ("a huge exponent", "minimize a + (a / 4)^99999999999999999999", 2.0),
    (
        "powers of dims",
        "minimize sum(a for i in n^2) + sum(x[i] * a for i in 2^2 // 1)",
        36.0,
    ),
]
DECLARATIONS = """dim two = 2, k = 2, p = 4
data x[n], c in n, j[m3] in n, off[m+1] in n+1, ones[n, k], A[n, n], B[rows, cols], v[rows]
param a init 2
"""
DATA = {
    "x": X,
    "c": 1,
    "j": [0, 1, 3],
    "off": [0, 1, 4],
    "ones": ONES,
    "A": GRID,
    "B": TALL,
    "v": [1.0, 2.0, 3.0],
}


@pytest.mark.parametrize(("body", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_meaning(body: str, expected: float) -> None:
    model = symopt.parse(DECLARATIONS + body + "\n")
    verify(model.stages.task.program)
    # Some tens of operations on numbers of order 1.
    assert model.bind(DATA).value([2.0]) == pytest.approx(expected, rel=1e-13)
