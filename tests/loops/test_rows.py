"""Which row-major reads and writes become moves of whole rows, and of which part of them."""

from __future__ import annotations

import pytest

from symopt.loops.program import Fill, Part, Rows, Update
from symopt.loops.rows import RowMoves
from symopt.statements.program import Read, read_of
from symopt.types import Integer, Range, constant, dim, index
from tests.support.hand_built import Size, loop, place, size
from tests.support.loops import kernel_for, pass_over

SAMPLES = Range("sample", constant(0), dim("n"))
SHAPES: dict[str, tuple[Size, ...]] = {
    "X": ("n", 6),
    "Z": ("n", 2, 3),
    "P": ("c", 6),
    "x": ("n",),
    "V": ("n", 1),
    "U": ("n", "d"),
    "out": ("n", 5),
    "other": ("m", 6),
}
CAM = index("sample") + 7  # stands for a place that is not the sample's own


def _shape(name: str) -> tuple[Integer, ...]:
    return tuple(map(size, SHAPES.get(name, ())))


def _read(name: str, *places: Size) -> Read:
    return read_of(name, tuple(map(place, places)))


def _update(*reads: Read, loops: tuple[Range, ...] = (), target: str = "t") -> Update:
    total = sum((read.symbol for read in reads), start=reads[0].symbol * 0)
    return Update(target, (), loops, "sum", total, reads, first=True)


def _moved(*body: Fill | Update) -> tuple[list[Rows], list[Update]]:
    parts: tuple[Part, ...] = RowMoves(SAMPLES, _shape).rewrite(body)
    moves = [part for part in parts if isinstance(part, Rows)]
    return moves, [part for part in parts if isinstance(part, Update)]


def _columns(update: Update) -> list[str]:
    return [f"{read.tensor}[{', '.join(map(str, read.map))}]" for read in update.reads]


def test_a_row_is_moved_once_for_all_that_read_it() -> None:
    first = _update(_read("X", "sample", "j"), loops=(loop("j", 6),))
    second = _update(_read("X", "sample", 2))
    (move,), updates = _moved(first, second)
    assert (move.array, move.place, move.first, move.write) == ("X", (index("sample"),), 0, False)
    assert [_columns(update) for update in updates] == [["X.rows[j]"], ["X.rows[2]"]]


def test_only_the_part_that_is_read_is_moved() -> None:
    body = (
        _update(_read("X", "sample", index("j") + 1), loops=(loop("j", 3, 1),)),
        _update(_read("X", "sample", 4)),
    )
    (move,), updates = _moved(*body)
    assert move.first == 2
    assert [_columns(update) for update in updates] == [["X.rows[j - 1]"], ["X.rows[2]"]]
    moves = RowMoves(SAMPLES, _shape)
    moves.rewrite(body)
    assert moves.columns == {"X.rows": 3}


@pytest.mark.parametrize(
    "read",
    [
        _read("x", "sample"),  # samples lie one after another
        _read("V", "sample", 0),  # here too
        _read("X", "sample", 3),  # a single column
        _read("U", "sample", "j"),  # of open length
        _read("P", 2, "j"),  # not the sample's
        _read("X", "j", "sample"),  # the sample chooses the column
    ],
)
def test_single_elements_stay_where_they_are(read: Read) -> None:
    body = _update(read, loops=(loop("j", 4),))
    assert _moved(body) == ([], [body])


def test_each_place_is_moved_by_itself() -> None:
    body = _update(_read("P", CAM, "j"), _read("P", "sample", "j"), loops=(loop("j", 6),))
    moves, (update,) = _moved(body)
    assert [(move.array, move.place[0]) for move in moves] == [("P", CAM), ("P", index("sample"))]
    assert _columns(update) == ["P.rows[j]", "P.rows2[j]"]


def test_the_axes_after_the_sample_are_one_row() -> None:
    body = _update(_read("Z", "sample", "b", "a"), loops=(loop("a", 3), loop("b", 2)))
    (move,), (update,) = _moved(body)
    assert (move.array, move.place) == ("Z", (index("sample"),))
    assert update.reads[0].map == (index("b") * 3 + index("a"),)


def test_what_loops_choose_is_not_one_row() -> None:
    body = _update(
        _read("P", index("sample") + index("k"), "j"), loops=(loop("k", 2), loop("j", 6))
    )
    assert _moved(body) == ([], [body])


@pytest.mark.parametrize("nothing", [loop("k", 0), loop("k", "m")])
def test_a_row_of_which_nothing_may_be_read_need_not_be_there(nothing: Range) -> None:
    """Nobody checks places that no loop reaches: a move of the row would read beyond the array."""
    loops = (loop("j", 6), nothing)
    for read in (_read("P", CAM, "j"), _read("other", "sample", "j")):
        body = _update(read, loops=loops)
        assert _moved(body) == ([], [body])
    own = _update(_read("X", "sample", "j"), loops=loops)
    assert len(_moved(own)[0]) == 1
    sure = _update(_read("P", CAM, 1))
    (move,), updates = _moved(_update(_read("P", CAM, "j"), loops=loops), sure)
    assert move.array == "P"
    assert [_columns(update) for update in updates] == [["P.rows[j]"], ["P.rows[1]"]]


def test_whole_rows_are_written_at_the_end() -> None:
    read = _read("x", "sample")
    write = Update(
        "out", (index("sample"), index("j")), (loop("j", 5),), "=", read.symbol, (read,), True
    )
    use = _update(_read("out", "sample", 3))
    moves, updates = _moved(write, use)
    assert [(move.array, move.write) for move in moves] == [("out", True)]
    assert updates[0].target == moves[0].columns
    assert updates[0].place == (index("j"),)
    assert _columns(updates[1]) == [f"{moves[0].columns}[3]"]


def test_rows_with_two_writers_are_not_moved() -> None:
    read = _read("x", "sample")
    row = (index("sample"), index("j"))
    first = Update("out", row, (loop("j", 5),), "=", read.symbol, (read,), True)
    second = Update("out", row, (loop("j", 5),), "sum", read.symbol, (read,), False)
    assert _moved(first, second) == ([], [first, second])


def test_what_the_body_writes_is_not_read_before() -> None:
    read = _read("x", "sample")
    write = Update("out", (index("sample"), constant(0)), (), "sum", read.symbol, (read,), False)
    use = _update(_read("out", "sample", "j"), loops=(loop("j", 5),))
    assert _moved(write, use) == ([], [write, use])


FEATURES = """\
data X[n, d], y[n]
param w[d] init 0
minimize sum((sum(X[i, j] * w[j] for j) - y[i])^2 for i)
"""


def test_lanes_read_rows() -> None:
    node = pass_over(kernel_for(FEATURES, {"n": 100, "d": 5}), "n")
    assert [part.array for part in node.body if isinstance(part, Rows)] == ["X"]


def test_one_lane_reads_elements() -> None:
    node = pass_over(kernel_for(FEATURES, {"n": 100, "d": 5}, lanes=1), "n")
    assert not any(isinstance(part, Rows) for part in node.body)


@pytest.mark.parametrize(("width", "written_out"), [(64, True), (65, False)])
def test_wide_rows_are_moved_in_a_loop(width: int, written_out: bool) -> None:
    assert Rows.written_out(width) == written_out
