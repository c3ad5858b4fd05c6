"""How much work updates are: operations of a point, points of nests, what is written out."""

from __future__ import annotations

import pytest
import sympy

from symopt.loops.program import Update
from symopt.loops.work import elements, operations, points, written_out
from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.program import Read
from symopt.types import Range, constant, dim, index
from tests.support.hand_built import loop, read

X, Y = read("x", "a"), read("y", "a")
EXP = PRIMITIVES["exp"]


def _update(
    expression: sympy.Expr, *reads: Read, loops: tuple[Range, ...] = (), first: bool = True
) -> Update:
    return Update("t", (index("a"),), loops, "sum", expression, reads, first)


def test_elementary_functions_are_most_of_the_work() -> None:
    plain = operations(_update(X.symbol * Y.symbol, X, Y))
    assert operations(_update(X.symbol * Y.symbol + X.symbol, X, Y)) == plain + 1
    assert operations(_update(EXP(X.symbol), X)) > 10 * plain


def test_adding_to_what_is_there_is_work() -> None:
    assert operations(_update(X.symbol, X)) < operations(_update(X.symbol, X, first=False))


@pytest.mark.parametrize(
    ("loops", "count"),
    [
        ((), 1),
        ((loop("a", 3), loop("b", 5)), 15),
        ((loop("a", 7, 4),), 3),
        ((loop("a", 3, 5), loop("b", 4)), 0),
        ((loop("a", 0),), 0),
        ((loop("a", "d"),), None),
        ((loop("a", 3), loop("b", "d")), None),
    ],
)
def test_points(loops: tuple[Range, ...], count: int | None) -> None:
    assert points(loops) == count


@pytest.mark.parametrize("size", [2, 10, 31])
def test_a_triangle_has_about_half_the_points(size: int) -> None:
    triangle = (loop("a", size), Range("b", constant(0), index("a")))
    assert points(triangle) == pytest.approx(size**2 / 2, abs=size)


@pytest.mark.parametrize("size", range(6))
@pytest.mark.parametrize("start", [0, 1])
def test_what_has_points_has_a_point(size: int, start: int) -> None:
    """Rows are moved only where some of their elements are sure to be read."""
    upwards = (loop("a", size), Range("b", constant(start), index("a")))
    downwards = (loop("a", size), Range("b", index("a"), constant(start)))
    if points(upwards):
        assert any(b >= start for a in range(size) for b in range(a))
    if points(downwards):
        assert any(b < start for a in range(size) for b in range(a, start))


def test_elements() -> None:
    assert elements((constant(3), constant(4))) == 12
    assert elements(()) == 1
    assert elements((constant(3), dim("d"))) is None


def test_short_nests_are_written_out() -> None:
    short = _update(X.symbol + Constant(1.0), X, loops=(loop("a", 10),))
    work = 10 * operations(short)
    assert written_out(short, work)
    assert not written_out(short, work - 1)
    assert not written_out(_update(X.symbol, X, loops=(loop("a", "d"),)), 10**6)
