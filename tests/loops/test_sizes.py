"""Which sizes and index arrays are compiled in, and for which data code is made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from symopt.loops.sizes import NOTHING_FIXED, Fixed, fixed_by, sized_range, with_sizes
from symopt.types import Range, constant, dim
from tests.support.agreement import assert_agree, evaluated, model_of
from tests.support.loops import kernel_for, statements_of

CLASSES = """\
data X[n, d], label[n] in k
param W[d, k] init 0, b[k] init 0
z = X @ W + b
minimize sum(cross_entropy(z, label))
"""
PATTERN = """\
data x[n], pos[q] in d
param w[d] init 0
f[i] = sum(w[pos[a]] * x[i]^a for a in q)
minimize sum(sin(f))
"""
TWO = """\
{}data x[n], y[m]
param b init 0
minimize sum((x[i] - b)^2 for i) + sum((y[k] - b)^4 for k)
"""


def _fixed(text: str, dims: Mapping[str, int], sample: str | None = None, **arrays: Any) -> Fixed:
    found = {name: np.asarray(array) for name, array in arrays.items()}
    return fixed_by(statements_of(text), sample, dims, found)


def test_sizes_of_features_and_classes_are_compiled_in() -> None:
    found = _fixed(CLASSES, {"n": 50, "d": 4, "k": 3}, label=np.zeros(50, int))
    assert dict(found.sizes) == {"d": 4, "k": 3}
    assert not found.entries


def test_large_sizes_stay_open() -> None:
    assert dict(_fixed(CLASSES, {"n": 5, "d": 1024, "k": 1025}).sizes) == {"d": 1024}


def test_every_sample_dim_stays_open() -> None:
    assert not _fixed(TWO.format(""), {"n": 5, "m": 7}).sizes


def test_a_declared_sample_dim_stays_open() -> None:
    text = "data A[k, d]\nparam w[d] init 0\nminimize sum(sin(sum(A[a, j] * w[j] for j)) for a)"
    assert dict(_fixed(text, {"k": 4, "d": 3}).sizes) == {"d": 3}
    assert dict(_fixed(text, {"k": 4, "d": 3}, sample="d").sizes) == {}


def test_small_index_arrays_are_compiled_in_by_value() -> None:
    dims = {"n": 9, "d": 3, "q": 2}
    found = _fixed(PATTERN, dims, pos=[2, 0])
    assert found.entries == (("pos", (2,), (2, 0)),)
    assert found.arrays["pos"].tolist() == [2, 0]
    assert found == _fixed(PATTERN, dims, pos=[2, 0])
    assert found != _fixed(PATTERN, dims, pos=[0, 2])


@pytest.mark.parametrize(("length", "compiled_in"), [(0, True), (256, True), (257, False)])
def test_long_index_arrays_stay_data(length: int, compiled_in: bool) -> None:
    found = _fixed(PATTERN, {"n": 9, "d": 3, "q": length}, pos=np.zeros(length, int))
    assert bool(found.entries) == compiled_in


@pytest.mark.parametrize(("n", "pays"), [(2, False), (3, True), (100, True)])
def test_groups_are_arrays_with_no_fewer_entries_than_what_they_point_to(
    n: int, pays: bool
) -> None:
    dims = {"n": n, "d": 4, "k": 3}
    hoisting = _fixed(CLASSES, dims, label=np.zeros(n, int)).hoisting
    assert hoisting.groups == ({"label"} if pays else set())
    assert hoisting.samples == {"n"}


def test_dims_of_nothing_are_told_apart() -> None:
    assert _fixed(CLASSES, {"n": 0, "d": 4, "k": 0}).hoisting.filled == {"d"}


def test_sizes_take_the_place_of_dims() -> None:
    fixed = Fixed((("d", 4),))
    found = sized_range(Range("i", dim("d") - 1, dim("n") * dim("d")), fixed)
    assert found == Range("i", constant(3), dim("n") * 4)
    program = with_sizes(statements_of(CLASSES, "grad"), fixed)
    assert program.tensors["X"].shape == (dim("n"), constant(4))
    for statement in program.statements:
        assert not any("d" in part.dims for part in statement.map)
        for loop in statement.loops:
            assert "d" not in loop.lower.dims | loop.upper.dims


def test_without_sizes_a_program_is_as_it_was() -> None:
    program = statements_of(CLASSES)
    assert with_sizes(program, NOTHING_FIXED) is program


def test_a_kernel_needs_only_the_sizes_that_are_open() -> None:
    assert kernel_for(CLASSES, {"n": 50, "d": 4, "k": 3}).dims == ("n",)
    assert kernel_for(CLASSES, {}).dims == ("d", "k", "n")


def test_a_kernel_has_the_entries_that_are_compiled_in() -> None:
    kernel = kernel_for(PATTERN, {"n": 9, "d": 3, "q": 2}, "value", {"pos": np.array([2, 0])})
    assert kernel.entries["pos"].tolist() == [2, 0]


def _classes(n: int, d: int, k: int = 3, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"X": rng.normal(size=(n, d)), "label": rng.integers(0, k, n)}


def test_other_samples_need_no_other_code() -> None:
    model = model_of(CLASSES, 8)
    problem = model.bind(_classes(20, 3), k=3)
    point = np.random.default_rng(1).normal(size=problem.n)
    problem.grad(point)
    for n in (3, 20, 21, 64, 1000):
        other = problem.rebind(_classes(n, 3, seed=n))
        assert_agree(other.grad(point), evaluated(other, "grad", point, point), f"n = {n}")
    assert len(model._compiled) == 1


def test_other_features_or_classes_need_other_code() -> None:
    model = model_of(CLASSES, 8)
    for count, (d, k) in enumerate([(3, 3), (4, 3), (3, 2), (4, 2)], start=1):
        problem = model.bind(_classes(20, d, k), k=k)
        point = np.random.default_rng(1).normal(size=problem.n)
        assert_agree(problem.grad(point), evaluated(problem, "grad", point, point), f"{d}, {k}")
        assert len(model._compiled) == count
    model.bind(_classes(30, 4, 3), k=3).grad(np.zeros(15))
    assert len(model._compiled) == 4


def test_other_entries_need_other_code_where_they_are_compiled_in() -> None:
    model = model_of(PATTERN, 8)
    x = np.linspace(-1, 1, 11)
    for count, pos in enumerate([[2, 0], [0, 2], [1, 1]], start=1):
        problem = model.bind(x=x, pos=np.array(pos), d=3)
        point = np.array([0.3, -0.7, 1.1])
        wanted = np.sin(point[pos[0]] + point[pos[1]] * x).sum()
        assert problem.value(point) == pytest.approx(wanted, rel=1e-13)
        assert len(model._compiled) == count
    model.bind(x=x[:5], pos=np.array([0, 2]), d=3).value([1, 2, 3])
    assert len(model._compiled) == 3


def test_other_entries_need_no_other_code_where_they_are_data() -> None:
    model, rng = model_of(PATTERN, 8), np.random.default_rng(3)
    x, point = np.linspace(-1, 1, 11), np.array([0.3, -0.7, 1.1])
    for _ in range(3):
        pos = rng.integers(0, 3, 300)
        problem = model.bind(x=x, pos=pos, d=3)
        wanted = np.sin(sum(point[p] * x**a for a, p in enumerate(pos))).sum()
        # 300 terms of size 1, in another order.
        assert problem.value(point) == pytest.approx(wanted, rel=1e-10, abs=1e-10)
    assert len(model._compiled) == 1
