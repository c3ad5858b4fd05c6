"""What every good program means, in plain NumPy, and the data it is tried on.

Each function has the name of a program and takes its data, sizes and parameters as attributes of
one object. Nothing here uses the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats
from scipy.spatial.transform import Rotation

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Data for a program, sizes that it cannot read off the data, and its value."""

    data: Callable[[np.random.Generator], Arrays]
    reference: Callable[[Any], float]


CASES: dict[str, Case] = {}


def case(**data: Any) -> Callable[[Callable[[Any], float]], Callable[[Any], float]]:
    """Registers a reference; a tuple stands for normal numbers of that shape."""

    def make(rng: np.random.Generator) -> Arrays:
        return {
            name: rng.standard_normal(value) if isinstance(value, tuple) else value
            for name, value in data.items()
        }

    def register(reference: Callable[[Any], float]) -> Callable[[Any], float]:
        CASES[reference.__name__] = Case(make, reference)
        return reference

    return register


def positive(count: int) -> np.ndarray:
    """Numbers in (0, 1), none of them at a kink of a function tried."""
    return np.linspace(0.11, 0.93, count)


def huber(r: Any, k: Any) -> Any:
    return np.where(abs(r) <= k, r**2 / 2, k * (abs(r) - k / 2))


# ── notation ─────────────────────────────────────────────────────────────────────────────────


@case(X=(6, 3), y=(6,))
def index_notation(v):
    return np.sum((v.X @ v.w + v.b - v.y) ** 2)


@case(X=(6, 3), y=(6,))
def array_notation(v):
    return np.sum((v.X @ v.w + v.b - v.y) ** 2)


@case(X=(5, 3))
def mixed_notation(v):
    hidden = np.tanh(v.X @ v.W.T + v.c)
    return np.sum(hidden**2) + np.sum(hidden.sum(1) * hidden[:, 0])


@case(A=(4, 1), B=(1, 3), C=(3,))
def size_one_axes(v):
    return np.sum((v.s * v.A + v.B * v.C - v.t) ** 2) + np.sum(v.A * v.t)


@case(T=(2, 4, 3), A=(4, 3), v=(3,))
def broadcasting_ranks(v):
    return np.mean((v.T * v.A + v.v * v.w - v.u) ** 2)


@case(A=(4, 3), T=(2, 4, 3))
def transpose(v):
    return np.sum((v.A.T * v.s - v.W) ** 2) + np.einsum("kji,ji->", v.T, v.A) * v.s


@case(v=(3,), M=(4, 3), N=(3, 2), T=(5, 4, 3), U=(5, 3, 2), q=(4,))
def matrix_products(v):
    w, W = v.w, v.W
    return (
        v.v @ w
        + np.sum((v.M @ w) ** 2)
        + np.sum((v.q @ v.M) ** 2)
        + np.sum((v.M @ W) ** 2)
        + np.sum((v.T @ w) ** 2)
        + np.sum((v.T @ W) ** 2)
        + np.sum((v.T @ v.U) ** 2) * (w @ v.v)
        + np.sum((w @ v.U) ** 2)
        + np.sum((v.M @ v.U * W.sum()) ** 2)
        + np.sum(v.q @ v.M @ W)
    )


@case(A=(5, 4), C=(3, 5), cam=np.array([2, 0, 1, 1, 2]))
def slices(v):
    rows = v.A.sum(1) * v.s
    heads = (v.C[v.cam, 0:3] * v.w).sum(1)
    tails = (v.C[v.cam, 3:] * v.A[:, :2]).sum(1)
    whole = np.linalg.norm(v.s * v.C[v.cam], axis=1)
    return np.sum(rows**2) + np.sum(heads * tails) + whole.sum() + np.sum(v.s * v.A[1:4, 1:]) ** 2


# ── ranges ───────────────────────────────────────────────────────────────────────────────────


@case(y=(6,))
def explicit_range(v):
    return np.sum(np.diff(v.x) ** 2) + np.sum(np.diff(v.x, 2) ** 2) + np.sum((v.x - v.y) ** 2)


@case(u=(4, 3))
def range_in_size(v):
    return np.sum(2 * v.s * v.u) ** 2 + sum(range(4)) * v.s**2


@case(L=(2, 3, 3), u=(2, 3))
def dependent_range(v):
    q = np.einsum("kab,kb->ka", np.tril(v.L, -1), v.u) * v.s
    upper = sum(np.sin(v.s * v.L[0, a, b]) for a in range(3) for b in range(a, 3))
    return np.sum(q**2) + upper


@case(v=(6,), off=np.array([0, 2, 3, 6]))
def ragged_range(v):
    parts = [v.s * v.v[a:b] for a, b in zip(v.off, v.off[1:], strict=False)]
    return sum(v.w[g] * (np.exp(part).sum() + part.max()) for g, part in enumerate(parts))


@case(
    y=np.array([1.0, -1.0, 0.5, -0.2, 2.0, -3.0, 0.1]),
    x=np.array([0.3, 0.8, -0.4, -1.1, 1.7, 0.6, 0.9]),
)
def filters(v):
    up, down = v.y > 0, v.y < 0
    return (
        np.sum(v.a * v.x[up] ** 2)
        + np.mean(v.b * v.x[up]) ** 2
        + np.max(v.a * v.x[down]) * np.min(v.b * v.x[down & (v.x > 0)])
        + special.logsumexp(v.a * v.x[up])
        + np.prod(1 + v.b * v.x[up & (v.x > 0)])
        + np.linalg.norm(v.a * v.x[v.x > 0])
    )


@case(y=(6,))
def origins(v):
    d = np.r_[np.nan, np.diff(v.x)]
    third = d[3] + d[2:4].sum() + d[1:3].sum() + d[3:].sum()
    lag = d[2:] - d[1:-1]
    table = np.outer(d[2:], v.y[1:3])
    return (
        np.sum(d[1:] ** 2 * v.y[1:])
        + third**2
        + np.mean(d[1:])
        + np.linalg.norm(lag)
        + np.sum(d[1:] ** 2)
        + table.sum()
        + table[0].sum()
        + table[1, 0]
    )


@case(x=(3,), y=(5,), A=(3, 5))
def letters_reused(v):
    s = v.a * v.x.sum() + v.a**2 * v.y.sum() + v.a * v.A.sum()
    t = v.a * v.x + v.y.sum() + v.A.sum(1)
    return s + np.sum(t**2) + np.sum((v.A.T @ t) ** 2)


@case(A=(4, 4), B=(4, 4, 4))
def nested_sums(v):
    n, w = 4, v.w
    triangle = sum(v.A[i, j] * w[i] * w[j] for i in range(n) for j in range(i))
    corner = sum(v.B[i, j, k] * w[k] for i in range(n) for j in range(i) for k in range(j))
    deep = sum(np.exp(0.1 * (w[i:] @ v.A[i, i:])) for i in range(n))
    return v.s * triangle + corner**2 + deep


# ── gathers and scatters ─────────────────────────────────────────────────────────────────────


@case(obs=(5, 2), cam=np.array([0, 2, 1, 0, 2]), pt=np.array([3, 0, 1, 1, 2]))
def gather(v):
    e = v.C[v.cam][:, None] * v.P[v.pt] - v.obs
    return np.sum(e**2) + np.sum(v.P[v.pt, 0] - v.obs[:, 0]) ** 2


@case(v=(6,), label=np.array([0, 2, 1, 0, 2, 2]))
def scatter(v):
    g, pairs = np.zeros(3), np.zeros((3, 3))
    np.add.at(g, v.label, v.v * v.w)
    for i in range(6):
        for j in range(i):
            pairs[v.label[i], v.label[j]] += v.v[i] * v.w[j]
    return np.sum(g**2) + np.sum(np.exp(0.1 * pairs) * v.s[:, None])


@case(A=(4, 3), B=(3, 2))
def einstein_sum(v):
    C = np.einsum("ij,jk,j->ik", v.A, v.B, v.w)
    return np.sum(C**2) + sum(C[i, i % 2] for i in range(4))


@case(x=(5,), y=(5,))
def accumulate_twice(v):
    s = v.a * v.x + v.b * np.where(v.y > 0, v.y, 0) + v.a * (v.a @ v.x)
    return np.sum(s**2)


@case(x=(6,), j=4)
def index_arithmetic(v):
    i = np.arange(6)
    w, u = v.w, v.v
    return (
        np.sum(w[i[:4] // 2] * v.x[:4])
        + np.sum((np.roll(u, -1) - u) ** 2)
        + np.sum(u[::-1] * v.x)
        + np.sum(u[1::2] ** 2)
        + u[4] ** 2
        + v.x[4] * u[5]
    )


@case(label=np.array([0, 2, 1, 2]), x=(4,))
def index_data_as_numbers(v):
    onehot = np.eye(3)[v.label]
    fit = np.sum((onehot - np.outer(v.x, v.W)) ** 2)
    return fit + v.s * v.label.sum() + v.label.sum() * v.s**2


# ── reductions and vector functions ──────────────────────────────────────────────────────────


@case(A=(4, 3), B=(4, 3), T=(2, 4, 3))
def reductions_along_axes(v):
    X, T = v.s * v.A, v.s * v.T
    return (
        np.sum(X.sum(0) ** 2)
        + np.sum(X.mean(1) ** 2)
        + np.sum(X.max(1) - X.min(1))
        + np.sum(special.logsumexp(X, axis=0))
        + np.sum(np.linalg.norm(X, axis=0))
        + np.sum(X.prod(1))
        + np.sum(T**2)
        + np.sum((X * v.B).sum(1) ** 2)
        + np.sum(v.s**2 * v.T)
    )


@case(A=(4, 3), v=(5,), u=(5,))
def reductions_of_arrays(v):
    X = v.s * v.A
    return (
        X.sum() ** 2
        + X.mean()
        + X.max()
        - 2 * X.min()
        + special.logsumexp(X)
        + np.linalg.norm(X)
        + np.sum(X**2)
        + np.prod(v.s + v.v)
        + v.s * v.v @ v.u
    )


@case(A=(4, 3), v=(4,))
def reductions_over_indices(v):
    X = v.s * v.A
    return (
        X.sum() ** 2
        + np.mean(X * v.v[:, None])
        + X.max()
        - X.min()
        + special.logsumexp(v.s * v.v)
        + np.linalg.norm(v.s * v.v[1:])
        + np.sum((v.s * v.v) ** 2)
        + np.prod(v.s + v.v**2)
        + X.max(1).sum()
        + v.s * np.mean(np.arange(7))
    )


@case(
    X=(5, 2),
    label=np.array([0, 2, 1, 2, 0]),
    Q=special.softmax(np.arange(15.0).reshape(5, 3) % 4, 1),
)
def vector_functions(v):
    Z = v.X @ v.W.T
    logs = special.log_softmax(Z, axis=1)
    picked = -logs[np.arange(5), v.label]
    return (
        picked.mean()
        - np.sum(v.Q * special.log_softmax(2 * Z, axis=1))
        + np.sum(v.Q * (np.log(v.Q) - logs))
        + np.sum(logs[:, 0] ** 2)
        + special.softmax(v.W, axis=1)[:, 0].sum()
        + picked.sum()
    )


@case(x=(5,), y=(5,))
def variadic_extrema(v):
    first = np.maximum(np.maximum(v.s * v.x, v.y), v.t)
    second = np.minimum(np.minimum(v.x * v.s, v.y), np.minimum(0.5, v.t))
    return first.sum() + second.sum() + max(v.s, 0)


@case(x=(4,))
def norm_at_zero(v):
    return np.linalg.norm(v.w) + np.sum((v.w - v.x) ** 2)


# ── conditions ───────────────────────────────────────────────────────────────────────────────


@case(x=(5,), y=(5,))
def conditionals(v):
    a = v.a
    before = np.r_[0, a[:-1]]
    after = np.r_[a[1:], v.s] * v.x
    inner = np.r_[a[0], a[:-2] + a[2:], a[-1]]
    signed = np.where(v.y > 0, v.s * v.x, np.where(v.x > 0, v.x**2, 0))
    return np.sum((before - v.y) ** 2) + after.sum() + np.sum(inner**2) + signed.sum()


@case(x=(5,))
def guarded_filters(v):
    return np.sum((v.a[2:] - v.a[:-2]) ** 2 * v.x[2:]) + np.mean(v.a[1:])


@case(x=np.array([0.5, -1.0, 0.0, 2.0]))
def branch_not_taken(v):
    kept = v.s * v.x[v.x > 0]
    return np.sum(np.sqrt(kept)) + np.sum(np.log(kept))


@case(x=(6,), y=(6,))
def comparisons(v):
    x, y = v.x, v.y
    count = (x > 0).sum() + (~(x > y)).sum() + ((x >= 0) & (x < 1)).sum() + 6
    either = ((x > 0) | (y > 0)).sum() * v.s + ((x > 0) & (y > 0)).sum() * v.s**2
    return count * v.s + either + 1


@case(x=(4,), y=np.array([0.4, 1.3, -0.7, 2.2]))
def arithmetic(v):
    a, b, x, y = v.a, v.b, v.x, v.y
    return (
        np.sum(x * a // 1)
        + np.sum((x * a) % 0.7)
        - np.sum(x**2 * a)
        + a**-3.0
        + b**3
        + a**b
        + 2**b
        + np.sum(x / a / b)
        + a
        - b
        - x.sum()
        + 512 * a
        + np.sqrt(a + 1)
        + 1
        + np.sum(x - y - a)
        + np.sum(abs(x) ** a)
        - a**2
        - a * b
        + 3 * a
        + 2 * a
    )


@case(x=positive(5))
def elementwise_functions(v):
    u, s = v.s * v.x, v.s
    parts = (
        np.exp(u), np.log(u), np.log1p(u), np.expm1(u), np.log2(u), np.log10(u), np.sqrt(u),
        np.cbrt(u), abs(u), np.sign(u), np.floor(u), np.ceil(u), np.sin(u), np.cos(u), np.tan(u),
        np.arcsin(u), np.arccos(u), np.arctan(u), np.arctan2(u, s), np.sinh(u), np.cosh(u),
        np.tanh(u), np.arcsinh(u), np.arccosh(1 + u), np.arctanh(u), np.sin(u) / u,
        special.expit(u), special.log_expit(u), np.logaddexp(0, u), np.maximum(u, 0),
        u * special.ndtr(u), u * special.expit(u), special.erf(u), special.erfc(u),
        special.gammaln(u), special.digamma(u), np.hypot(u, s), np.clip(u, 0.2, 0.5),
        special.logit(u),
    )  # fmt: skip
    return np.sum(parts)


# ── declarations ─────────────────────────────────────────────────────────────────────────────


@case(x=(3,))
def bounds(v):
    return v.s + v.t + v.r**2 + v.p.sum() * v.q + v.x.sum() * v.s


@case(X=(5, 2))
def random_starts(v):
    return np.sum(np.tanh(v.X @ v.W.T + v.b) ** 2)


@case(x=(4,))
def data_defaults(v):
    x, w, s = v.x, v.w, v.s
    return (
        w @ [0, 0.5, 1, 1.5]
        + 1e-3 * np.sum(w**2)
        + s * np.sum(np.array([[1, 2], [3, 4]]) @ [1, 2])
        + s**2 * np.sum(2 * (4 + x))
        + x[[2, 0, 1]] @ w[:3]
    )


@case(x=(5,))
def dims_as_numbers(v):
    w, s = v.w, v.s
    return np.sum(w**2) / 5 + 3 * w.sum() + s**2 * 4 + v.x.sum() * s + (w @ np.arange(7)) / 7


@case(χ=(5,), y=(5,))
def unicode_names(v):
    return -np.sum(stats.norm.logpdf(v.y, v.λ * v.χ, v.σ))


@case(x=positive(4))
def descriptions(v):
    return np.mean(v.b1 * np.exp(-v.b2 * v.x))


@case(x=(5,))
def maximize(v):
    return np.sum(stats.norm.logpdf(v.x, v.m, v.s))


@case(A=(3, 5), y=(5,))
def sample_dim(v):
    return np.mean((v.w @ v.A - v.y) ** 2) + np.sum(v.w**2) / 3


@case(x=(4,))
def constants_shadowed(v):
    return np.pi * v.a**2 + np.exp(v.a) + 3 * v.a * v.x.sum() + v.e**2 + 1


@case(x=(4,), i=(3,))
def indices_named_like_others(v):
    return v.t @ v.x + v.t @ v.x * v.k + v.i.sum() * v.k + np.sum(v.t**2) + v.i.sum() * v.k


# ── objectives and functions ─────────────────────────────────────────────────────────────────


@case(x=(5,), y=(5,))
def residuals(v):
    return np.sum((v.y - v.a * np.exp(-v.b * v.x)) ** 2) + 0.01 * (v.a - 1) ** 2


@case(obs=(5, 2), x=(5,))
def robust_per_observation(v):
    s = np.sum((v.obs - v.c - v.s * v.x[:, None]) ** 2, axis=1)
    rho = np.where(s <= 0.64, s, 2 * 0.8 * np.sqrt(s) - 0.64)
    return rho.sum() + np.sum(0.25 * np.log1p((v.x - v.s) ** 2 / 0.25))


@case(obs=(5, 2), x=(5,))
def robust_elementwise(v):
    e = (v.obs - v.c - v.s * v.x[:, None]) ** 2
    z = (v.c - v.s) ** 2 / 9
    bisquare = 3 * np.where(z < 1, 1 - (1 - np.minimum(z, 1)) ** 3, 1)
    g = (v.x - v.s) ** 2
    return np.sum(2 * 0.64 * (np.sqrt(1 + e / 0.64) - 1)) + bisquare.sum() + np.sum(np.arctan(g))


@case(x=(6,))
def robust_functions(v):
    r = v.x - v.s
    return (
        huber(r, 0.7).sum()
        + np.sum(0.49 * (np.sqrt(1 + (r / 0.7) ** 2) - 1))
        + np.sum(1.5**2 / 2 * np.log1p((r / 1.5) ** 2))
    )


@case(X=(5, 2), y=(5,))
def functions(v):
    line = v.X @ v.w + v.s
    scaled = huber(v.X * v.s, 0.9).sum(1)
    return (
        huber(line - v.y, 0.9).sum()
        + np.sum(scaled / (1 + np.arange(5)))
        + np.sum((line - line.mean()) ** 2)
        + huber(line - v.y, 0.9 + v.s).sum()
    )


@case(X=(3, 2), V=(4, 2), off=np.array([0, 1, 1, 4]))
def functions_in_sums(v):
    def entropy(z):
        return -np.sum(special.softmax(z) * special.log_softmax(z))

    of_rows = [entropy(v.W @ row) for row in v.V]
    return (
        sum(entropy(v.W @ row) for row in v.X)
        + sum(np.sum((c - row) ** 2) for c in v.W for row in v.X)
        + sum(sum(of_rows[v.off[i] : v.off[i + 1]]) * v.X[i, 0] for i in range(3))
        + sum(sum(of_rows[:i]) * v.X[i, 0] for i in range(3))
    )


@case(X=(5, 2), label=np.array([0, 2, 1, 2, 0]))
def model_and_prior(v):
    logs = special.log_softmax(v.X @ v.W.T, axis=1)
    return -np.mean(logs[np.arange(5), v.label]) + 0.01 * np.sum(v.W**2)


@case(X=(5, 3), group=np.array([1, 0, 0, 1, 1]))
def packed_lower(v):
    own = v.L[v.group]
    y = np.einsum("iab,ib->ia", own, v.X)
    column = np.einsum("iab,ia->ib", own, v.X)
    before = np.hstack([np.zeros((5, 1)), own[:, :-1, 0]])
    assert not np.triu(v.L, 1).any()
    return (
        np.sum(y**2)
        + 15  # nothing above the diagonal
        + np.sum(column * before * y)
        + np.sum(np.exp(v.L))
        + np.sum((v.L[0].T @ v.L[1]) ** 2)
    )


@case(X=(5, 3), row=np.array([2, 0, 1, 2, 1]), col=np.array([1, 2, 1, 0, 0]))
def packed_strict_lower(v):
    z = v.X + v.X @ v.S.T
    picked = v.S[v.row, v.col] * v.X[:, 0]
    r = z - v.X**2 @ v.S.T
    squares = np.sum(v.S**2)
    return (
        np.sum(np.exp(z / 4))
        + np.sum(picked**3)
        + np.sum(r**2)
        + np.linalg.norm(v.S[1:, 0])
        + squares
    )


@case(X=(5, 3), start=(3, 3))
def packed_symmetric(v):
    assert (v.A == v.A.T).all()
    q = np.einsum("ia,ab,ib->i", v.X, v.A, v.X)
    upper = v.X @ np.triu(v.A).sum(0)
    return (
        np.mean(np.logaddexp(0, q))
        + np.sum(upper**2) / 8
        + np.sum(v.A @ v.A * v.A)
        + np.prod(v.A[0])
    )


# ── functions with bodies, imports, rotations ────────────────────────────────────────────────


def rotate2(t, x):
    return np.array([np.cos(t) * x[0] + np.sin(t) * x[1], np.cos(t) * x[1] - np.sin(t) * x[0]])


@case(t=(5,), P=(5, 2), label=np.array([0, 2, 2, 0, 1]))
def function_bodies(v):
    def histogram(u, weight):
        h = np.zeros(3)
        np.add.at(h, v.label, u * weight + 1)
        d = np.diff(u)
        rest = np.sum(d**2) + np.sum(d[u[1:] > 0]) + np.sum(u) ** 2 + d[0]
        return h * u.size + rest

    def both(a, b):
        return (rotate2(a, b) + rotate2(-a, b)) * 4.0

    def lower(x):
        return np.tril(np.outer(x, x), -1)

    n = range(5)
    i, j = np.indices((5, 5))
    y = np.array([rotate2(v.t[k] * v.s, v.P[k])[0] for k in n])
    turned = [rotate2(v.w[k], v.P[k]) for k in n]
    return (
        sum(y[k] * turned[k][1] for k in n if v.P[k, 0] > 0)
        + sum(both(v.w[k], v.P[k]) @ v.P[k] for k in n)
        + np.sum(histogram(v.w * y, 2) ** 2)
        + sum(histogram(v.w * k, v.s)[1] for k in range(2))
        + sum(np.sum(lower(v.w * k) * (i + j)) for k in range(3))
        + sum(rotate2(v.t[k - 1], v.P[k - 1])[1] * v.w[k] if k > 0 else v.w[k] for k in n)
    )


@case(X=(4, 3))
def imports(v):
    def turn(t, x):
        return x * np.cos(t) + 3

    total = 0.0
    for x in v.X:
        at = turn(v.w[2], Rotation.from_rotvec(v.w).apply(x))
        total += np.sum((at[:2] / (at[2] + 30) * v.scale) ** 2) + np.sum(turn(v.w[0], x)[:2])
    return total


@case(X=(5, 3), cam=np.array([0, 1, 1, 0, 1]), m=2)
def rotations(v):
    def turned(w, x):
        return Rotation.from_rotvec(w).apply(x)

    a = turned(v.w[v.cam], v.X) * np.arange(1, 4)
    b = turned(v.w[0], v.X) + turned(v.u, v.X[0])
    c = turned(v.w[v.cam[0]], turned(v.u, v.w[1]))
    return np.sum(a**2) + np.sum(b * a) + np.sum(c) + np.sum(turned(v.u - v.w[1], [1.0, 2, 3]))


# ── recurrences and cases ────────────────────────────────────────────────────────────────────


@case(u=(5, 11, 2), y=(11,), k=4)
def recurrent_network(v):
    h = np.zeros((11, 4))
    for u in v.u:
        h = np.tanh(h @ v.W.T + u @ v.V.T)
    return np.mean((h @ v.w - v.y) ** 2)


@case(x=(7,), A=(3, 3))
def several_states(v):
    p, q, s = [v.v[1]], [1.0], [v.v]
    for x in v.x[1:]:
        p.append(v.a * q[-1] + x)
        q.append(max(v.c * p[-1], q[-1] / 2) + np.sum(s[-1] ** 2) / 10)
        s.append(special.softmax(v.A @ s[-1] * p[-1] + v.v))
    return np.sum(np.square(p)) + special.logsumexp(q) + np.sum(s[-1] * v.v)


@case(y=(9,))
def second_order(v):
    f = [v.f0[0], v.f0[1]]
    for _ in range(7):
        f.append(v.a * f[-1] + v.b * f[-2] ** 2)
    return np.sum((np.array(f) - v.y) ** 2)


@case(y=(6,))
def backward_steps(v):
    total, g = 0.0, v.e
    for y in v.y[::-1]:
        g = np.sin(v.a * g) + y
        total += g**2
    return total


@case(parent=np.array([0, 0, 1, 1, 0, 4, 5]), offset=(7, 2))
def tree_of_states(v):
    turn, at = [v.angle[0]], [v.offset[0]]
    for j in range(1, 7):
        turn.append(turn[v.parent[j]] + v.angle[j])
        c, s = np.cos(turn[j]), np.sin(turn[j])
        at.append(at[v.parent[j]] + np.array([[c, -s], [s, c]]) @ v.offset[j])
    return np.sum((at[6] - 1) ** 2) + np.sum(np.square(at))


def positive_definite(rng: np.random.Generator) -> Arrays:
    a = rng.standard_normal((10, 4, 4))
    return {"A": a @ a.transpose(0, 2, 1)}


def two_index_steps(v):
    factor = np.linalg.cholesky(v.A + v.shift * np.eye(4))
    return np.sum(np.log(np.diagonal(factor, axis1=1, axis2=2))) + np.sum(factor**2)


CASES["two_index_steps"] = Case(positive_definite, two_index_steps)


@case(x=(5, 9), K=2)
def layers_and_steps(v):
    h, total = np.zeros((3, 9)), 0.0
    for x in v.x:
        h[0] = x
        for layer in (1, 2):
            h[layer] = np.tanh(v.w[layer - 1] * h[layer - 1] + v.v[layer - 1] * h[layer])
        total += np.sum((h[2] - x) ** 2)
    return total


def coordinates(rng: np.random.Generator) -> Arrays:
    return {"x": np.sort(rng.standard_normal(6)), "y": rng.standard_normal(6)}


def factor_by_columns(v):
    K = v.a**2 * np.exp(-((v.x[:, None] - v.x) ** 2) / v.l**2) + np.eye(6)
    L = np.linalg.cholesky(K)
    return np.sum(np.linalg.solve(L, v.y) ** 2) / 2 + np.sum(np.log(np.diag(L)))


CASES["factor_by_columns"] = Case(coordinates, factor_by_columns)


@case(y=(5, 2))
def runge_kutta(v):
    def slope(s):
        eaten = v.rate[1] * s[0] * s[1]
        return np.array([v.rate[0] * s[0] - eaten, eaten - v.rate[2] * s[1]])

    s, h = np.array(v.start), 0.2
    total = np.sum((s - v.y[0]) ** 2)
    for y in v.y[1:]:
        a = slope(s)
        b = slope(s + h / 2 * a)
        c = slope(s + h / 2 * b)
        s = s + h / 6 * (a + 2 * b + 2 * c + slope(s + h * c))
        total += np.sum((s - y) ** 2)
    return total


@case(y=(8,))
def cases(v):
    d = np.empty(8)
    d[0], d[-1] = v.w[0], 2 * v.w[-1]
    d[1:-1] = v.w[2:] - 2 * v.w[1:-1] + v.w[:-2]
    return np.sum((d - v.y) ** 2)


# ── functions of matrices ────────────────────────────────────────────────────────────────────


def stacks(rng: np.random.Generator) -> Arrays:
    a = rng.standard_normal((5, 3, 3))
    return {
        "A": a @ a.transpose(0, 2, 1) + np.eye(3),
        "b": rng.standard_normal(3),
        "B": rng.standard_normal((5, 3, 2)),
        "C": rng.standard_normal((2, 3)),
    }


def matrix_functions(v):
    m = v.A + v.W
    x = np.linalg.solve(m, v.b + v.v)
    y = np.linalg.solve(m[0].T, v.B[0])
    t = v.C @ v.C.T + v.z[0] ** 2
    one = m[0, 0, 0] * np.linalg.det(t)
    total = np.sum(x**2) + np.sum(np.sin(y)) + np.sum(np.linalg.inv(m @ m)) + one
    total += np.sum(np.log(np.linalg.det(m) ** 2)) + np.linalg.slogdet(t)[1]
    return total - np.sum(np.linalg.cholesky(t)) + np.sum(v.z**2)


CASES["matrix_functions"] = Case(stacks, matrix_functions)


@case(X=(11, 3), y=(11,), g=np.arange(11) % 2)
def matrices_by_index(v):
    lower = np.tril(v.L)
    p = lower @ lower.transpose(0, 2, 1) + (1 + v.t**2) * np.eye(3)
    total = np.linalg.det(p[1])
    for i, g in enumerate(v.g):
        e = v.X[i] - v.mu[g]
        if v.y[i] > 0:
            total += np.linalg.slogdet(p[g])[1] + e @ np.linalg.solve(p[g], e)
        else:
            total += np.sum(np.linalg.inv(p[g]) @ e)
        if i > 0:
            total += v.y[i] * np.sum((np.linalg.inv(np.linalg.cholesky(p[0])) @ e) ** 2)
    return total


def singular(rng: np.random.Generator) -> Arrays:
    a = rng.standard_normal((9, 2, 2))
    a = a @ a.transpose(0, 2, 1) + np.eye(2)
    a[3], a[8] = [[1, 2], [2, 4]], [[0, 0], [0, -1]]
    ok = np.ones(9)
    ok[[3, 8]] = 0
    return {"A": a, "ok": ok}


def branches_with_singular_matrices(v):
    total = 0.0
    for a, ok in zip(v.A, v.ok, strict=True):
        a = v.s * a
        if ok:
            total += np.sum(np.linalg.inv(a)) + np.linalg.slogdet(a)[1]
            total += np.sum(np.linalg.cholesky(a))
        else:
            total += v.s**2
    return total


CASES["branches_with_singular_matrices"] = Case(singular, branches_with_singular_matrices)


@case(y=(4, 1), H=(1, 2), A=(2, 2))
def kalman_filter(v):
    x, p, total = v.x0, np.eye(2), 0.0
    for y in v.y:
        x, p = v.A @ x, v.A @ p @ v.A.T + np.diag(np.exp(v.q))
        s, e = v.H @ p @ v.H.T + np.diag(np.exp(v.r)), y - v.H @ x
        total += np.linalg.slogdet(s)[1] + e @ np.linalg.solve(s, e)
        gain = p @ v.H.T @ np.linalg.inv(s)
        x, p = x + gain @ e, p - gain @ v.H @ p
    return total / 2
