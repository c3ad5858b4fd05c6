"""Which updates share loops around the blocks, and what is computed again in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from symopt.loops.grouping import (
    Group,
    Item,
    grouped,
    is_at,
    items_of,
    phase_axes,
    with_repeats,
)
from symopt.loops.program import SAMPLE, Buffer, Fill, Part, Rows, Storage, Update, touched
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.program import Read, Winner
from symopt.types import Integer, Range, constant, dim, index
from tests.support.hand_built import Size, loop, place, read

EXP = PRIMITIVES["exp"]
LOOPS = {"a": loop("a", 4), "b": loop("b", 4), "c": loop("c", 3), "late": loop("late", 4, 1)}
SHAPES: dict[str, tuple[Integer, ...]] = {
    **{name: (constant(4),) for name in "pqrt"},
    **{name: (constant(4), constant(4)) for name in "MN"},
}
OUTSIDE, WRITTEN_OUT = 0, 10**6  # limits: every loop that can is outside; none is


def _buffer(name: str) -> Buffer:
    if name == "sum":
        return Buffer(name, (constant(4),), Storage.PARTIAL)
    if name in ("x", "w"):
        return Buffer(name, (dim("n"),), Storage.GIVEN)
    return Buffer(name, SHAPES.get(name, ()), Storage.LOCAL)


def _set(target: str, places: Sequence[Size], *reads: Read, over: str = "") -> Update:
    """The target at these places, as a function of what is read, over some loops."""
    total = EXP(sum((one.symbol for one in reads), start=reads[0].symbol * 0))
    loops = tuple(LOOPS[name] for name in over.split())
    where = tuple(map(place, places))
    return Update(target, where, loops, "sum", total, reads, first=True)


def _add(target: str, places: Sequence[Size], *reads: Read, over: str = "") -> Update:
    return replace(_set(target, places, *reads, over=over), first=False)


def _groups(*parts: Part, limit: int = OUTSIDE) -> list[tuple[list[str], list[str]]]:
    """Sizes of the loops of each group, and what its parts write."""
    found = grouped(items_of(parts, _buffer, limit))
    return [
        (
            [str(around.upper) for around in loops],
            [touched(part)[0] for item in items for part in item.parts],
        )
        for loops, items in found
    ]


X = read("x", SAMPLE)


def test_short_updates_stay_inside() -> None:
    parts = (_set("p", "a", X, over="a"), _set("q", "b", read("p", "b"), over="b"))
    assert _groups(*parts, limit=WRITTEN_OUT) == [([], ["p", "q"])]


def test_equal_loops_are_shared_whatever_their_index() -> None:
    parts = (_set("p", "a", X, over="a"), _set("q", "b", read("p", "b"), over="b"))
    assert _groups(*parts) == [(["4"], ["p", "q"])]


def test_other_loops_are_another_phase() -> None:
    parts = (_set("p", "a", X, over="a"), _set("q", ["c"], read("p", "c"), over="c"))
    assert [loops for loops, _ in _groups(*parts)] == [["4"], ["3"]]


def test_what_needs_another_point_waits_for_all() -> None:
    parts = (_set("p", "a", X, over="a"), _set("q", "b", read("p", index("b") - 1), over="b"))
    assert [names for _, names in _groups(*parts)] == [["p"], ["q"]]
    whole = (_set("p", "a", X, over="a"), _set("t", "b", read("p", 2), over="b"))
    assert [names for _, names in _groups(*whole)] == [["p"], ["t"]]


def test_what_needs_nothing_of_it_comes_along() -> None:
    """Although something that has to wait stands between."""
    parts = (
        _set("p", "a", X, over="a"),
        _set("total", (), read("p", "c"), over="c"),
        _set("q", "b", read("p", "b"), over="b"),
    )
    assert _groups(*parts) == [(["4"], ["p", "q"]), ([], ["total"])]


def test_sums_over_samples_never_wait_for_each_other() -> None:
    parts = (_add("sum", "a", X, over="a"), _add("sum", "b", X, over="b"))
    assert _groups(*parts) == [(["4"], ["sum", "sum"])]


def test_the_order_of_writes_is_kept() -> None:
    parts = (
        _set("p", "a", X, over="a"),
        _add("p", [index("a") * 0], X, over=""),
        _set("q", "b", read("p", "b"), over="b"),
    )
    assert [names for _, names in _groups(*parts)] == [["p"], ["p"], ["q"]]


def test_a_shared_loop_may_have_more_inside() -> None:
    rows = _set("M", "ab", X, over="a b")
    (around, (first, second)), *rest = grouped(
        items_of((_set("p", "b", X, over="b"), rows), _buffer, 100)
    )
    assert not rest
    assert around == (Range("phase0", constant(0), constant(4)),)
    assert first.update is not None and first.update.place == (index("phase0"),)
    assert second.update is not None and second.update.loops == (LOOPS["b"],)
    assert second.update.place == (index("phase0"), index("b"))


def test_columns_do_not_wait_for_rows() -> None:
    """M[a, b] and M[b, a] of one point are different elements."""
    writer = _set("M", "ab", X, over="a b")
    (around, _), *rest = _groups(writer, _set("N", "ab", read("M", "b", "a"), over="a b"))
    assert around == ["4", "4"] and len(rest) == 1
    assert len(_groups(writer, _set("N", "ab", read("M", "a", "b"), over="a b"))) == 1


def test_loops_of_open_length_stay_inside() -> None:
    update = replace(_set("p", "a", X), loops=(loop("a", "d"),))
    assert _groups(update) == [([], ["p"])]


def test_reduced_loops_stay_inside_and_go_last() -> None:
    update = replace(_set("p", "a", X), loops=(LOOPS["c"], LOOPS["a"]))
    ((item,),) = (items_of((update,), _buffer, OUTSIDE),)
    assert item.loops == (LOOPS["a"],)
    assert item.update is not None and item.update.loops == (LOOPS["a"], LOOPS["c"])


def test_the_order_of_reduced_loops_counts_for_the_first_winner() -> None:
    update = replace(
        _set("p", "a", X), loops=(LOOPS["c"], LOOPS["a"]), reduction="max",
        winner=Winner("w", index("c")),
    )  # fmt: skip
    ((item,),) = (items_of((update,), _buffer, OUTSIDE),)
    assert item.update == update and not item.loops


# ── fills ────────────────────────────────────────────────────────────────────────────────────


def test_a_fill_goes_with_the_first_writer() -> None:
    parts = (Fill("p", 0.0), _add("p", "a", X, over="a"), _set("q", "b", read("p", "b"), over="b"))
    assert _groups(*parts) == [(["4"], ["p", "p", "q"])]


@pytest.mark.parametrize(
    "writer",
    [
        _add("p", ["late"], X, over="late"),  # all but the first
        _add("p", [constant(3) - index("a")], X, over="a"),  # backwards
    ],
)
def test_a_fill_is_outside_of_loops_that_do_not_plainly_index_it(writer: Update) -> None:
    """Each point of the loops would fill its own part, and nobody the rest."""
    fill, update = items_of((Fill("p", 0.0), writer), _buffer, OUTSIDE)
    assert fill.parts == (Fill("p", 0.0),) and not fill.loops
    assert update.parts == (writer,) and update.loops == writer.loops


def test_rows_are_moved_before_their_columns_are_read() -> None:
    rows = Rows("x", (index(SAMPLE),), 0, "p")
    use = _set("q", "a", read("p", "a"), over="a")
    assert _groups(rows, use) == [([], ["x"]), (["4"], ["q"])]
    out = Rows("x", (index(SAMPLE),), 0, "q", write=True)
    assert _groups(use, out) == [(["4"], ["q"]), ([], ["x"])]


# ── axes ─────────────────────────────────────────────────────────────────────────────────────


def test_axes_of_the_shared_loops() -> None:
    first, second = index("phase0"), index("phase1")
    assert phase_axes((second, constant(0), first), 2) == (2, 0)
    assert phase_axes((first + 1, second), 2) is None
    assert phase_axes((first,), 0) == ()
    assert is_at((second, constant(3), first), (2, 0))
    assert not is_at((first, constant(3), second), (2, 0))


# ── what is computed again ───────────────────────────────────────────────────────────────────


def _repeats(*parts: Part, limit: int = OUTSIDE) -> tuple[list[Group], dict[str, str]]:
    items, again = items_of(parts, _buffer, limit), dict[str, str]()
    groups = [Group(loops, tuple(chosen)) for loops, chosen in grouped(items)]
    return with_repeats(groups, items, again, _buffer), again


def _difference(target: str, over: str) -> Update:
    """x - w[a], as a residual from a mean is."""
    mean = read("w", over)
    expression = X.symbol - mean.symbol
    return Update(target, (index(over),), (LOOPS[over],), "=", expression, (X, mean), first=True)


def _two_phases(first: Update) -> tuple[Part, ...]:
    """A sum over all of it, and then something else at each of its points."""
    return (
        first,
        _set("total", (), read("p", "b"), over="b"),
        _set("q", "b", read("p", "b"), read("total"), over="b"),
    )


def _names(group: Group) -> list[str]:
    return [item.update.target for item in group.items if item.update is not None]


def test_what_is_cheap_is_computed_again() -> None:
    groups, again = _repeats(*_two_phases(_difference("p", "a")))
    assert [_names(group) for group in groups] == [["p"], ["total"], ["p.again2", "q"]]
    assert again == {"p.again2": "p"}
    last = groups[2].items[-1]
    assert "p.again2" in last.reads and "p" not in last.reads
    assert last.update is not None
    assert {one.tensor for one in last.update.reads} == {"p.again2", "total"}


def _summed(update: Update) -> Update:
    return replace(update, loops=(*update.loops, LOOPS["c"]), reduction="sum")


@pytest.mark.parametrize(
    "first",
    [
        _set("p", "a", X, over="a"),  # an exponential
        _summed(_difference("p", "a")),  # little at a point, but of many points
    ],
)
def test_what_takes_long_is_handed_on(first: Update) -> None:
    groups, again = _repeats(*_two_phases(first))
    assert not again
    assert [_names(group) for group in groups] == [["p"], ["total"], ["q"]]


def test_what_depends_on_other_values_of_the_sample_is_handed_on() -> None:
    """They would have to be kept instead."""
    kept = read("r", "a")
    cheap = replace(_difference("p", "a"), expression=-kept.symbol, reads=(kept,))
    _, again = _repeats(_set("r", "a", X, over="a"), *_two_phases(cheap))
    assert not again


def test_what_is_filled_and_added_to_is_handed_on() -> None:
    cheap = replace(_difference("p", "a"), first=False, reduction="sum")
    _, again = _repeats(Fill("p", 0.0), *_two_phases(cheap))
    assert not again


def test_items_know_their_update() -> None:
    update = _set("p", "a", X, over="a")
    assert Item((Fill("p", 0.0), update), (), frozenset(), frozenset()).update is update
    assert Item((Fill("p", 0.0),), (), frozenset(), frozenset()).update is None
