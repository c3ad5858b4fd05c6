"""Where blocks stand, and which blocks hold others."""

from __future__ import annotations

import sympy

from symopt.derive.blocks import Block, own
from symopt.derive.patches import above_diagonal, itself, patch_at, placement
from symopt.statements.program import Statement
from symopt.types import Clamp, Entry, Integer, Range, atom, constant, dim, index

AT, TO, N, M = index("i"), index("j"), dim("n"), dim("m")
SHAPES = {"x": (N,), "C": (M, constant(9)), "P": (M, constant(3))}
SIZES = {"cam": M, "pt": M}


def entry(name: str, *places: Integer) -> Integer:
    return atom(Entry(name, places))


def over(*loops: Range) -> Statement:
    return Statement("t", (), loops, "sum", sympy.S.One, ())


SAMPLES = Range("i", constant(0), N)
PAIR = over(SAMPLES, Range("j", constant(0), constant(2)))


def box(param: str, *place: Integer, width: int) -> Block:
    return Block(param, (*place, own(0)), (constant(width),))


def test_axes() -> None:
    camera = box("C", entry("cam", AT), width=9)
    patch, loops = patch_at(PAIR, camera, camera, SIZES)
    assert [str(axis) for axis in patch.axes] == ["cam[@0]"]
    assert patch.extents == (M,)
    assert patch.triangle
    assert loops == {"@0": AT}
    # Two index arrays over one loop: as many blocks as points.
    patch, _ = patch_at(PAIR, box("P", entry("pt", AT), width=3), camera, SIZES)
    assert [str(axis) for axis in patch.axes] == ["@0"]
    assert (patch.extents, patch.triangle) == ((N,), False)
    # Places of one loop that differ by a constant have that loop as their axis.
    patch, _ = patch_at(PAIR, Block("x", (AT,)), Block("x", (AT + 1,)), SIZES)
    assert [str(axis) for axis in patch.axes] == ["@0"]
    # A sum of loops is an axis if nothing else depends on them; a clamped one is not.
    patch, _ = patch_at(PAIR, Block("x", (AT + TO,)), Block("x", (AT + TO,)), SIZES)
    assert [str(axis) for axis in patch.axes] == ["@0 + @1"]
    assert patch.extents == (N + 1,)
    clamped = atom(Clamp(AT - 1, N))
    patch, _ = patch_at(PAIR, Block("x", (clamped,)), Block("x", (clamped,)), SIZES)
    assert [str(axis) for axis in patch.axes] == ["@0"]


def test_axes_begin_at_0() -> None:
    around = over(Range("i", constant(-1), constant(2)))
    patch, _ = patch_at(around, Block("x", (AT + 1,)), Block("x", (AT + 1,)), SIZES)
    assert [str(axis) for axis in patch.axes] == ["@0 + 1"]
    assert patch.extents == (constant(3),)


def test_loops_that_depend_on_others_come_with_them() -> None:
    nest = over(SAMPLES, Range("j", constant(0), AT))
    patch, _ = patch_at(nest, Block("x", (TO,)), Block("x", (AT,)), SIZES)
    assert [str(loop) for loop in patch.loops] == ["@0 in range(n)", "@1 in range(@0)"]
    assert len(patch.axes) == 2


def test_a_patch_inside_of_another() -> None:
    camera = box("C", entry("cam", AT), width=9)
    outer, _ = patch_at(PAIR, camera, camera, SIZES)
    part = Block("C", (entry("cam", AT), TO + 3))
    inner, _ = patch_at(PAIR, box("C", entry("cam", AT), width=3), part, SIZES)
    found = placement(inner, outer, SHAPES, SIZES)
    assert found is not None
    samples = next(loop.index for loop in inner.loops if loop.upper == N)
    assert found.loops == {"@0": index(samples)}
    assert found.row == own(0)
    assert str(found.column - 3) in ("@0", "@1")
    assert placement(outer, inner, SHAPES, SIZES) is None
    assert itself(outer).row == own(0)


def test_what_may_be_elsewhere_is_not_inside() -> None:
    camera = box("C", entry("cam", AT), width=3)
    outer, _ = patch_at(PAIR, camera, camera, SIZES)
    beyond, _ = patch_at(PAIR, camera, Block("C", (entry("cam", AT), TO + 2)), SIZES)
    assert placement(beyond, outer, SHAPES, SIZES) is None
    other = box("C", entry("pt", AT), width=3)
    others, _ = patch_at(PAIR, other, other, SIZES)
    assert placement(others, outer, SHAPES, SIZES) is None


def test_above_the_diagonal() -> None:
    params = ("C", "P", "x")
    one, next_one = Block("x", (AT,)), Block("x", (AT + 1,))
    assert above_diagonal(PAIR, one, next_one, params)
    assert not above_diagonal(PAIR, next_one, one, params)
    assert not above_diagonal(PAIR, one, one, params)
    assert above_diagonal(PAIR, box("C", AT, width=9), box("P", AT, width=3), params)
    head, tail = box("C", AT, width=3), Block("C", (AT, TO + 3))
    assert above_diagonal(PAIR, head, tail, params)
    assert not above_diagonal(PAIR, tail, head, params)
    first, second = Block("x", (entry("cam", AT),)), Block("x", (entry("pt", AT),))
    assert not above_diagonal(PAIR, first, second, params)
