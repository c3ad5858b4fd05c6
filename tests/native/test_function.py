"""Calling: buffers of every size, results that are ours to keep, threads, many problems."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import symopt
from symopt.native.function import aligned_zeros
from tests.support.agreement import assert_native_is_right, model_of
from tests.support.kernels import LANES

LOGISTIC = """\
data X[n, d], y[n]
param w[d] init 0, b init 0
model z = X @ w + b
minimize sum(softplus(z) - y * z) + sumsq(w)
"""
EVERYTHING = """\
data X[n, d], y[n], c[n] in k, off[m+1] in n+1
param V[k, d] init 0, q[m] init 0
s[a] += y[i] * V[a, j] for i in n, j in d, a in k
g[e] = sum(y[i] for i in range(off[e], off[e+1])) * q[e] for e in range(m)
D[i] = y[i+1] - y[i] for i in range(n-1)
h[i] = sum(X[i, j] * V[c[i], j] for j) + (y[i-1] if i > 0 else 0)
minimize sumsq(s) + sumsq(g) + sum(tanh(h)) + sumsq(D)
"""


@pytest.mark.parametrize("count", [0, 1, 7, 64, 1000])
def test_blocks_are_aligned(count: int) -> None:
    block = aligned_zeros(count)
    assert block.ctypes.data % 64 == 0
    assert len(block) == max(count, 1)
    assert not block.any()


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("sizes", [*itertools.product([0, 2], [0, 3], [0, 2], [0, 1])])
def test_every_dim_may_be_zero(sizes: tuple[int, ...], lanes: int) -> None:
    n, d, k, m = sizes
    if n and not k:
        pytest.skip("an index into nothing is an error of the data")
    rng = np.random.default_rng(1)
    data = {
        "X": rng.normal(size=(n, d)),
        "y": rng.normal(size=n),
        "c": rng.integers(0, max(k, 1), n),
        "off": np.linspace(0, n, m + 1).astype(int),
    }
    problem = model_of(EVERYTHING, lanes).bind(data, d=d, k=k)
    point = rng.normal(size=(2, problem.n))
    assert_native_is_right(problem, *point)


def _problem(n: int = 100, lanes: int = 1) -> symopt.Problem:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 3))
    return model_of(LOGISTIC, lanes).bind(X=X, y=(X[:, 0] > 0) * 1.0)


def _gradient(problem: symopt.Problem, p: np.ndarray) -> np.ndarray:
    X, y = (problem.eval(name, p) for name in "Xy")
    z = X @ p[:3] + p[3]
    slope = 1 / (1 + np.exp(-z)) - y
    return np.append(X.T @ slope + 2 * p[:3], slope.sum())


@pytest.mark.parametrize("lanes", LANES)
def test_threads_share_one_problem(lanes: int) -> None:
    problem = _problem(2000, lanes)
    points = np.random.default_rng(8).normal(size=(64, 4))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(problem.grad, points))
        products = list(pool.map(problem.hvp, points, points[::-1]))
    for p, v, gradient, product in zip(points, points[::-1], found, products, strict=True):
        # Sums of 2000 terms of size 1.
        assert gradient == pytest.approx(_gradient(problem, p), rel=1e-12, abs=1e-10)
        step = (_gradient(problem, p + 1e-5 * v) - _gradient(problem, p - 1e-5 * v)) / 2e-5
        assert product == pytest.approx(step, rel=1e-6, abs=1e-5)


def test_threads_make_their_own_first_calls() -> None:
    for _ in range(3):
        problem = _problem()
        with ThreadPoolExecutor(4) as pool:
            values = set(pool.map(lambda _, problem=problem: problem.value([1, 2, 3, 4]), range(8)))
        assert len(values) == 1


def test_results_are_kept_and_out_is_filled() -> None:
    problem = _problem()
    first, kept = problem.grad(np.zeros(4)), problem.grad(np.zeros(4))
    problem.grad(np.ones(4))
    assert np.array_equal(first, kept)
    out = np.full(4, np.nan)
    assert problem.grad(np.zeros(4), out=out) is out
    assert np.array_equal(out, first)
    matrix = np.empty((4, 4))
    assert problem.hess(np.zeros(4), out=matrix) is matrix
    assert np.array_equal(matrix, problem.hess(np.zeros(4)))


@pytest.mark.parametrize("out", [np.empty(3), np.empty((2, 4)), np.empty(4, np.float32)])
def test_an_unfit_out_is_refused(out: np.ndarray) -> None:
    with pytest.raises(symopt.DataError, match="out must be"):
        _problem().grad(np.zeros(4), out=out)


def test_out_may_be_the_point_itself() -> None:
    problem = _problem()
    p = np.array([0.1, 0.2, 0.3, 0.4])
    wanted = problem.grad(p)
    assert np.array_equal(problem.grad(p, out=p), wanted)


def test_points_of_other_types_and_layouts() -> None:
    problem = _problem()
    wanted = problem.grad(np.array([1.0, 2.0, 3.0, 4.0]))
    strided = np.arange(8.0)[::2] / 2 + 1
    for p in ([1, 2, 3, 4], (1.0, 2, 3, 4), np.array([1, 2, 3, 4], np.float32), strided):
        assert np.array_equal(problem.grad(p), wanted)


@pytest.mark.parametrize("lanes", LANES)
def test_many_problems_of_one_model(lanes: int) -> None:
    model = model_of(LOGISTIC, lanes)
    rng = np.random.default_rng(2)
    problems = []
    for n in (0, 1, 3, 8, 9, 100):
        for d in (1, 2, 7):
            problems.append((n, d, model.bind(X=rng.normal(size=(n, d)), y=np.zeros(n))))
    for n, d, problem in problems:
        assert problem.value(np.zeros(d + 1)) == pytest.approx(n * np.log(2), rel=1e-13)
    assert len(model._compiled) == 6  # for each d, and for samples or none


def test_data_of_any_layout() -> None:
    X = np.random.default_rng(4).normal(size=(3, 50))
    model = symopt.parse(LOGISTIC)
    wanted = model.bind(X=X.T.copy(), y=np.ones(50)).grad([1, 2, 3, 4])
    read_only = X.T.copy()
    read_only.flags.writeable = False
    swapped = X.T.astype(">f8")
    for same in (X.T, read_only, swapped, X.T.tolist(), np.repeat(X.T, 2, axis=0)[::2]):
        assert np.array_equal(model.bind(X=same, y=np.ones(50)).grad([1, 2, 3, 4]), wanted)
