"""Batches: some samples of a problem, against the same rows bound anew."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.problem import Problem
from symopt.samples import samples_of

TEXT = """\
data X[n, d], y[n], group[n] in k, K[n, n], scale[d], weight[n] = 1
param w[d] init scale, c[k] init mean(y)
model z[i] = sum(X[i, j] * scale[j] * w[j] for j) + c[group[i]]
report r[i] = y[i] - z[i]
minimize mean(weight[i] * (y[i] - z[i])^2 for i) + sum(K[i, l] * z[i] * z[l] for i, l) / n^2
"""
N = 60


def _data(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "X": rng.normal(size=(N, 3)),
        "y": rng.normal(size=N),
        "group": rng.integers(0, 4, N),
        "K": rng.normal(size=(N, N)),
        "scale": np.array([1.0, 0.5, 2.0]),
        "k": 4,
    }


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return _data(np.random.default_rng(11))


@pytest.fixture(scope="module")
def problem(data: dict[str, Any]) -> Problem:
    return symopt.parse(TEXT).bind(data)


def _rows(data: dict[str, Any], rows: Any) -> dict[str, Any]:
    """The data of some samples, by NumPy."""
    taken = {name: data[name][rows] for name in ("X", "y", "group")}
    return {**data, **taken, "K": data["K"][rows][:, rows]}


CHOICES: dict[str, Any] = {
    "numbers": np.array([3, 59, 0, 17]),
    "repeated": [5, 5, 6],
    "short integers": np.array([7, 8], dtype=np.uint8),
    "strided": np.arange(60)[::-7],
    "slice": slice(10, 50, 3),
    "backward": slice(None, None, -1),
    "mask": np.arange(60) % 3 == 1,
    "one": [9],
}


@pytest.mark.parametrize("choice", CHOICES)
def test_a_batch_is_the_problem_of_its_rows(
    problem: Problem, data: dict[str, Any], choice: str
) -> None:
    rows = CHOICES[choice]
    batch, anew = problem.batch(rows), problem.model.bind(_rows(data, rows))
    p = np.linspace(-1, 1, problem.n)
    assert batch.dims == anew.dims
    # Equal but for rounding: more is computed once per group where there are more samples.
    assert batch.value(p) == pytest.approx(anew.value(p), rel=1e-13)
    np.testing.assert_allclose(batch.grad(p), anew.grad(p), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(batch.hvp(p, p), anew.hvp(p, p), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(batch.jac(p), anew.jac(p), rtol=1e-13)
    np.testing.assert_allclose(batch.jac_sparse(p).toarray(), anew.jac(p), rtol=1e-13)
    np.testing.assert_allclose(batch.grad(p, wrt="y"), anew.grad(p, wrt="y"), rtol=1e-11)
    np.testing.assert_array_equal(batch.eval("X", p), anew.eval("X", p))
    np.testing.assert_allclose(batch.eval("r", p), anew.eval("r", p), rtol=1e-13)


def test_starts_bounds_and_layout_are_those_of_the_whole(problem: Problem) -> None:
    batch = problem.batch([1, 2])
    assert batch.names == problem.names
    np.testing.assert_array_equal(batch.x0, problem.x0)
    np.testing.assert_array_equal(batch.start(3), problem.start(3))


def test_nothing_is_compiled_for_another_batch(data: dict[str, Any]) -> None:
    problem = symopt.parse(TEXT).bind(data)
    p = problem.x0
    problem.value_and_grad(p)
    compiled = set(problem.model._compiled)
    for rows in ([3], slice(0, 2), np.arange(60) % 2 == 0):
        problem.batch(rows).value_and_grad(p)
    assert set(problem.model._compiled) == compiled


def test_batches_that_live_together_do_not_share_arrays(
    problem: Problem, data: dict[str, Any]
) -> None:
    p = np.linspace(-1, 1, problem.n)
    parts = [np.arange(start, start + 6) for start in range(0, 60, 6)]
    batches = [problem.batch(rows) for rows in parts]
    wanted = [problem.model.bind(_rows(data, rows)).value(p) for rows in parts]
    np.testing.assert_allclose([batch.value(p) for batch in batches], wanted, rtol=1e-13)
    values = [batch.value for batch in batches]
    del batches
    for rows in parts:  # which take no arrays from under a method that is still held
        problem.batch(rows).value(p)
    np.testing.assert_allclose([value(p) for value in values], wanted, rtol=1e-13)


def test_arrays_are_used_again_once_a_batch_is_gone(problem: Problem) -> None:
    p = problem.x0
    kept = set()
    for start in range(20):
        batch = problem.batch(range(start, start + 11))
        batch.value_and_grad(p)
        kept.add(batch._bound.arrays["X"].ctypes.data)
    assert len(kept) <= 2  # a batch is made before the one it replaces is gone
    for size in range(1, 40):
        problem.batch(range(size))
    assert len(problem._batches._free) <= 4


def test_sparse_matrices_stay_when_their_batch_goes(problem: Problem) -> None:
    p = problem.x0
    first = problem.batch([0, 1, 2, 3]).jac_sparse(p)
    before = first.toarray()
    problem.batch([40, 41, 42, 43]).jac_sparse(p)
    np.testing.assert_array_equal(first.toarray(), before)
    assert not np.array_equal(problem.batch([40, 41, 42, 43]).jac_sparse(p).toarray(), before)


def test_batches_go_with_their_problem(data: dict[str, Any]) -> None:
    gc.collect()
    gc.disable()  # by counting references alone
    try:
        problem = symopt.parse(TEXT).bind(data)
        batch = problem.batch([1, 2])
        batch.hvp(problem.x0, np.ones((problem.n, 3)))
        gone, arrays = weakref.ref(problem), weakref.ref(batch._bound.arrays["X"])
        del problem
        assert gone() is None
        batch.grad(batch.x0)
        del batch
        assert arrays() is None
    finally:
        gc.enable()


def test_a_batch_of_a_batch_and_other_data_for_one(problem: Problem, data: dict[str, Any]) -> None:
    p = np.linspace(-1, 1, problem.n)
    outer = problem.batch(np.arange(20, 40))
    inner = outer.batch([1, 3, 5])
    wanted = problem.batch([21, 23, 25])
    assert inner.value(p) == pytest.approx(wanted.value(p), rel=1e-13)
    other = outer.rebind(y=np.zeros(20))
    wanted = problem.model.bind({**_rows(data, np.arange(20, 40)), "y": np.zeros(20)})
    del outer, inner
    problem.batch(np.arange(20)).value(p)
    assert other.value(p) == pytest.approx(wanted.value(p), rel=1e-13)


def test_threads_have_batches_of_their_own(problem: Problem) -> None:
    p = np.linspace(-1, 1, problem.n)
    rows = [np.arange(k, k + 8) for k in range(8)]
    wanted = [problem.batch(part).grad(p) for part in rows]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(200):
            if not np.array_equal(problem.batch(rows[k]).grad(p), wanted[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_optimizer_takes_a_batch() -> None:
    text = "data x[n], y[n]\nparam a init 0, b init 0\nresidual r[i] = y[i] - a - b * x[i]"
    x = np.linspace(0, 1, 30)
    whole = symopt.parse(text).bind(x=x, y=np.where(x < 0.5, 1 + 2 * x, 7.0))
    found = symopt.minimize(whole.batch(x < 0.5), method="lm")
    np.testing.assert_allclose(found.x, [1, 2], rtol=1e-9)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 60], "sample 60 at place 1 is outside of 0 to 59"),
        ([-1], "sample -1 at place 0 is outside"),
        ([], "at least one sample"),
        (slice(5, 5), "at least one sample"),
        (np.zeros(60, dtype=bool), "at least one sample"),
        (np.ones(59, dtype=bool), r"a mask of samples must have shape \(60,\), found \(59,\)"),
        ([0.0, 1.0], "found float64 with shape"),
        ([[0, 1]], r"found int64 with shape \(1, 2\)"),
        (3, r"found int64 with shape \(\)"),
        ("all", "found <U3"),
    ],
)
def test_samples_that_are_refused(problem: Problem, rows: Any, message: str) -> None:
    with pytest.raises(symopt.DataError, match=message):
        problem.batch(rows)


HEAD = "data x[n], y[n]\nparam a\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "minimize sum((x[i + 1] - x[i])^2 * a for i in range(n - 1))", "of `i` dep"),
        (HEAD + "minimize sum(x[i] * y[n - 1 - i] * a for i)", "`y` is not read at the sample"),
        (HEAD + "minimize a * sum(x[i] * i for i)", "the number of a sample is used"),
        (HEAD + "minimize a * sum(x[i] for i in range(1, n))", "range of `i` depends on samples"),
        (HEAD + "minimize a * sum(x[i] * y[j] for i in n, j in range(i))", "range of `j` dep"),
        (HEAD + "minimize a * sum(x[0] * y[i] for i)", "`x` is not read at the sample"),
        ("data x[n], next[n] in n\nparam a\nminimize a * sum(x[next[i]] for i)", "`next` are num"),
        ("data x[n + 1], y[n]\nparam a\nminimize a * sum(x) * sum(y)", "`x` has not one entry"),
        ("data x[n]\nparam a[n]\nminimize sum(a[i] * x[i] for i)", "`a` belongs to samples"),
        ("data x[n], y[m]\nparam a\nminimize a * (sum(x) + sum(y))", "may be of `m` or of `n`"),
        ("param a\nminimize a^2", "no dim of the program is of samples"),
    ],
)
def test_programs_that_have_no_batches(text: str, message: str) -> None:
    model = symopt.parse(text)
    given: dict[str, Any] = {name: np.ones(4) for name in model.data}
    if "n + 1" in text:
        given["x"] = np.ones(5)
    if "next" in given:
        given["next"] = [1, 2, 3, 0]
    problem = model.bind(given)
    for _ in range(2):
        with pytest.raises(symopt.DataError, match=message):
            problem.batch([1, 2])


def test_the_sample_dim_is_the_one_whose_samples_stand_alone() -> None:
    def found(text: str) -> str:
        stages = symopt.parse(text).stages
        return samples_of(stages.program, stages.task.program).dim

    knots = "data x[n], knot[m]\nparam a[m]\nminimize sum(a[k] * (x[i] - knot[k]) for i, k)"
    assert found(knots) == "n"
    both = "data x[n], y[m]\nsample m\nparam a\nminimize a * (sum(x) + sum(y))"
    assert found(both) == "m"


def test_rebinding_keeps_what_is_compiled_where_sizes_agree(data: dict[str, Any]) -> None:
    problem = symopt.parse(TEXT).bind(data)
    p = problem.x0
    problem.grad(p)
    compiled = set(problem.model._compiled)
    rows = np.arange(25, 50)
    other = problem.rebind(_rows(data, rows))
    assert other.dims["n"] == 25
    np.testing.assert_allclose(other.grad(p), problem.batch(rows).grad(p), rtol=1e-12)
    assert set(problem.model._compiled) == compiled
    with pytest.raises(symopt.DataError, match=r"`?y`? "):
        problem.rebind(y=np.zeros(10))


# ── other samples ────────────────────────────────────────────────────────────────────────────────

CLASSES = """\
data X[n, d], t[n] in k, scale[d]
param W[k, d] init 0.1
model z[i, c] = sum(W[c, j] * X[i, j] * scale[j] for j)
minimize mean(logsumexp(z[i, c] for c) - z[i, t[i]] for i)
"""


def _samples(count: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"X": rng.normal(size=(count, 3)), "t": rng.integers(0, 4, count)}


@pytest.fixture(scope="module")
def classes() -> Problem:
    return symopt.parse(CLASSES).bind(_samples(20, 0), scale=np.array([1.0, 2.0, 0.5]), k=4)


@pytest.mark.parametrize("count", [1, 5, 20, 33])
def test_a_batch_of_other_samples_is_the_problem_bound_to_them(classes, count):
    samples = _samples(count, count)
    p = np.random.default_rng(1).normal(size=classes.n)
    bound = classes.model.bind(samples, scale=np.array([1.0, 2.0, 0.5]), k=4)
    batch = classes.batch_of(samples)
    assert batch.value(p) == bound.value(p)
    np.testing.assert_array_equal(batch.grad(p), bound.grad(p))
    np.testing.assert_array_equal(batch.gauss_newton(p)[0], bound.gauss_newton(p)[0])
    assert batch.dims["n"] == count


def test_a_batch_of_other_samples_takes_no_binding(classes, monkeypatch):
    single = classes.rebind(_samples(1, 9))
    monkeypatch.setattr(type(classes.model), "_problem", None)
    assert single.batch_of(_samples(7, 3)).dims["n"] == 7
    assert classes.batch_of(_samples(7, 3)).dims["n"] == 7
    assert classes.batch_of(X=[[1.0, 2.0, 3.0]], t=[2]).dims["n"] == 1


def test_other_data_are_bound_as_ever(classes):
    samples = _samples(7, 3)
    p = classes.x0 + 0.1
    rescaled = classes.batch_of(samples, scale=np.array([3.0, 3.0, 3.0]))
    bound = classes.model.bind(samples, scale=np.array([3.0, 3.0, 3.0]), k=4)
    assert rescaled.value(p) == bound.value(p)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"t": [0, 4]}, "4"),
        ({"t": [0, -1]}, "-1"),
        ({"t": [0, 1, 2]}, "size"),
        ({"X": np.ones((2, 4))}, "size"),
        ({"X": np.full((2, 3), np.nan)}, "nan"),
        ({"z": [1.0]}, "z"),
    ],
)
def test_wrong_samples_are_refused_as_in_binding(classes, wrong, words):
    with pytest.raises(symopt.SymoptError, match=words):
        classes.batch_of({**_samples(2, 0), **wrong})


def test_entries_that_ranges_do_not_tell_of_are_looked_at():
    """t[i] + 1 may be out of range, by what t holds."""
    model = symopt.parse(
        "data t[n] in k, y[n]\nparam a[k] init 1\nminimize mean((y[i] - a[t[i] + 1])^2 for i)"
    )
    problem = model.bind(t=[0, 1], y=[0.0, 1.0], k=3)
    assert problem.batch_of(t=[1], y=[1.0]).value(problem.x0) == 0
    with pytest.raises(symopt.SymoptError):
        problem.batch_of(t=[2], y=[1.0])


def test_a_recurrence_over_other_index_arrays_takes_no_binding_either(monkeypatch):
    """A tree of bones is no sample: what comes before what in it stays as it was."""
    model = symopt.parse(
        "data parent[k] in k, weight[n, k], y[n]\n"
        "param a[k] init 1\n"
        "s[0] = a[0]\n"
        "s[j] = s[parent[j]] + a[j] for j in range(1, k)\n"
        "sample n\n"
        "minimize mean((y[i] - sum(weight[i, j] * s[j] for j))^2 for i)"
    )
    parent = np.array([0, 0, 1])
    problem = model.bind(parent=parent, weight=np.ones((4, 3)), y=np.zeros(4))
    monkeypatch.setattr(type(model), "_problem", None)
    batch = problem.batch_of(weight=np.array([[0.0, 0.0, 1.0]]), y=[1.0])
    assert batch.value(batch.x0) == (1 - 3) ** 2
