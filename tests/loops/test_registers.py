"""What the body of a phase keeps in registers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from symopt.loops.program import (
    SAMPLE,
    Buffer,
    Fill,
    Kernel,
    Part,
    Pass,
    Phase,
    Rows,
    Storage,
    Update,
)
from symopt.loops.registers import in_registers
from symopt.statements.program import Winner
from symopt.types import Entry, Integer, Range, atom, constant, dim, index
from tests.support.hand_built import Size, loop, place, read

LIMIT = 64
X = read("x", SAMPLE)


def _kept(
    *body: Part,
    sizes: dict[str, tuple[Integer, ...]],
    entries: dict[str, NDArray[np.int64]] | None = None,
    limit: int = LIMIT,
    storage: Storage = Storage.LOCAL,
) -> frozenset[str]:
    buffers = {name: Buffer(name, shape, storage) for name, shape in sizes.items()}
    buffers["x"] = Buffer("x", (dim("n"),), Storage.GIVEN)
    buffers["X"] = Buffer("X", (dim("n"), constant(100)), Storage.GIVEN)
    buffers["c"] = Buffer("c", (dim("n"),), Storage.GIVEN, integers=True)
    buffers["s"] = Buffer("s", (), Storage.PARTIAL)
    phase = Phase((), body)
    node = Pass(Range(SAMPLE, constant(0), dim("n")), 8, None, (phase,))
    kernel = Kernel("f", (node,), buffers, (), ("n",), entries or {})
    return in_registers(phase, kernel, limit)


def _set(name: str, *places: Size, loops: tuple[Range, ...] = ()) -> Update:
    return Update(name, tuple(map(place, places)), loops, "=", X.symbol, (X,), first=True)


def _add(name: str, *places: Size, loops: tuple[Range, ...] = ()) -> Update:
    return replace(_set(name, *places, loops=loops), reduction="sum", first=False)


def _use(name: str, *places: Size, loops: tuple[Range, ...] = ()) -> Update:
    found = read(name, *places)
    return Update("s", (), loops, "sum", found.symbol, (found,), first=False)


def _entry(name: str) -> Integer:
    return atom(Entry("c", (index(name),)))


THREE = {"t": (constant(3),)}
A = loop("a", 3)


def test_what_is_set_first_and_named_by_number() -> None:
    body = (_set("t", "a", loops=(A,)), _use("t", "a", loops=(A,)), _use("t", 1))
    assert _kept(*body, sizes=THREE) == {"t"}
    assert _kept(*body, sizes=THREE, storage=Storage.TILE) == {"t"}


def test_what_an_earlier_phase_has_set_is_in_memory() -> None:
    assert _kept(_use("t", 1), sizes=THREE) == frozenset()
    assert _kept(_add("t", "a", loops=(A,)), sizes=THREE) == frozenset()
    assert _kept(Fill("t", 0.0), _add("t", "a", loops=(A,)), sizes=THREE) == {"t"}


@pytest.mark.parametrize("limit", [0, 2])
def test_loops_that_run_have_no_registers_by_number(limit: int) -> None:
    body = (_set("t", "a", loops=(A,)), _use("t", "a", loops=(A,)))
    assert _kept(*body, sizes=THREE, limit=limit) == frozenset()
    long = loop("a", 500)
    assert _kept(_set("t", "a", loops=(long,)), sizes={"t": (constant(500),)}) == frozenset()


def test_numbers_stay_in_registers_around_loops_that_run() -> None:
    """A sum over a long loop is gathered elsewhere, and its target only set after it."""
    long = (loop("a", 500),)
    assert _kept(_set("t", loops=long), _use("t"), sizes={"t": ()}) == {"t"}


def test_the_best_so_far_of_a_loop_that_runs_is_in_memory() -> None:
    body = (
        Fill("t", -np.inf),
        Fill("w", -1.0),
        replace(
            _add("t", loops=(loop("a", 500),)),
            reduction="max",
            winner=Winner("w", index("a")),
        ),
    )
    sizes: dict[str, tuple[Integer, ...]] = {"t": (), "w": ()}
    assert _kept(*body, sizes=sizes) == frozenset()
    short = replace(body[2], loops=(A,))
    assert _kept(*body[:2], short, sizes=sizes) == {"t", "w"}


@pytest.mark.parametrize(("size", "kept"), [(1, True), (16, True), (17, False)])
def test_a_few_may_be_picked_by_the_sample(size: int, kept: bool) -> None:
    """By an index that differs from lane to lane: each register is compared with it."""
    body = (_set("t", "a", loops=(loop("a", size),)), _use("t", _entry(SAMPLE)))
    assert bool(_kept(*body, sizes={"t": (constant(size),)})) == kept


def test_a_loop_around_the_blocks_chooses_in_memory() -> None:
    fill = _set("t", "a", loops=(A,))
    assert _kept(fill, _use("t", "phase0"), sizes=THREE) == frozenset()


def test_entries_are_numbers_once_they_are_compiled_in() -> None:
    body = (_set("t", "a", loops=(A,)), _use("t", _entry("b"), loops=(loop("b", 2),)))
    assert _kept(*body, sizes=THREE) == frozenset()
    assert _kept(*body, sizes=THREE, entries={"c": np.array([2, 0])}) == {"t"}


def test_open_sizes_are_in_memory() -> None:
    assert _kept(Fill("t", 0.0), _use("t", 1), sizes={"t": (dim("d"),)}) == frozenset()


@pytest.mark.parametrize(("width", "kept"), [(64, {"t"}), (65, set())])
def test_columns_of_rows(width: int, kept: set[str]) -> None:
    sizes = {"t": (constant(width),)}
    rows = Rows("X", (index(SAMPLE),), 0, "t")
    assert _kept(rows, _use("t", 1), sizes=sizes) == kept
    out = replace(rows, write=True)
    assert _kept(Fill("t", 0.0), out, sizes=sizes) == kept
    assert _kept(out, sizes=sizes) == frozenset()
