"""Blocks of parameters: boxes, and boxes that become one."""

from __future__ import annotations

import pytest

from symopt.derive.blocks import Block, Gathering, Side, axis, box_of, extent, own
from symopt.statements.program import Role
from symopt.types import Clamp, Integer, atom, constant, dim, index
from tests.support.hand_built import program, tensor


def gathered(*found: Block) -> tuple[list[str], list[int]]:
    given = program(
        tensor("x", 20, role=Role.PARAM), tensor("C", "q", 9, role=Role.PARAM), tensor("t", "n", 3)
    )
    gathering = Gathering(given, ("x", "C"), (dim("n"), constant(3)))
    columns, homes = gathering.columns(found)
    return list(map(str, columns.blocks)), [homes[block] for block in found]


def run(start: Integer | int, size: Integer | int | None = None) -> Block:
    first = start if isinstance(start, Integer) else constant(start)
    width = constant(size) if isinstance(size, int) else size
    return box_of("x", (Side(first, width),))


@pytest.mark.parametrize(
    ("parts", "expected", "homes"),
    [
        ([run(3), run(3)], ["x[3]"], [0, 0]),
        ([run(3), run(4)], ["x[3:5]"], [0, 0]),
        ([run(4), run(3)], ["x[3:5]"], [0, 0]),
        ([run(5), run(3)], ["x[3]", "x[5]"], [1, 0]),
        ([run(5), run(3), run(4)], ["x[3:6]"], [0, 0, 0]),
        ([run(0, 4), run(2, 4)], ["x[0:6]"], [0, 0]),
        ([run(0, 8), run(2, 4)], ["x[0:8]"], [0, 0]),
        ([run(2, 4), run(0, 8)], ["x[0:8]"], [0, 0]),
        ([run(0, 4), run(5, 2)], ["x[0:4]", "x[5:7]"], [0, 1]),
        ([run(axis(1)), run(0, 3)], ["x[0:3]"], [0, 0]),
        ([run(axis(1)), run(0, 2)], ["x[0:2]", "x[@1]"], [1, 0]),
        ([run(axis(1) + 1), run(0, 3)], ["x[0:3]", "x[@1 + 1]"], [1, 0]),
        ([run(axis(0)), run(0, 20)], ["x[0:20]"], [0, 0]),
        ([run(0, dim("k")), run(dim("k"), dim("l"))], ["x[0:k + l]"], [0, 0]),
        ([run(1, dim("k")), run(0, dim("k"))], ["x[0:k + 1]"], [0, 0]),
        ([run(0, dim("k")), run(2, dim("k"))], ["x[0:k]", "x[2:k + 2]"], [0, 1]),
    ],
)
def test_boxes(parts: list[Block], expected: list[str], homes: list[int]) -> None:
    assert gathered(*parts) == (expected, homes)


def test_boxes_join_along_one_axis_only() -> None:
    def box(*sides: Side) -> Block:
        return box_of("C", sides)

    here, there = Side(axis(0)), Side(axis(0) + 1)
    low, high = Side(constant(0), constant(3)), Side(constant(3), constant(2))
    assert gathered(box(here, low), box(here, high))[0] == ["C[@0, 0:5]"]
    assert gathered(box(here, low), box(there, high))[0] == ["C[@0, 0:3]", "C[@0 + 1, 3:5]"]
    every = Side(constant(0), dim("q"))
    assert gathered(box(here, low), box(every, low))[0] == ["C[0:q, 0:3]"]


def test_columns_are_in_the_order_of_the_flat_vector() -> None:
    camera = box_of("C", (Side(axis(0)), Side(constant(0), constant(9))))
    found, homes = gathered(camera, run(7), run(axis(0) - 1), run(axis(0) + 1), run(2))
    assert found == ["x[2]", "x[7]", "x[@0 - 1]", "x[@0 + 1]", "C[@0, 0:9]"]
    assert homes == [4, 1, 2, 3, 0]


def test_only_boxes_have_sides() -> None:
    near = Block("x", (index("i") + own(0) * 2,), (constant(3),))
    assert near.box is None
    assert Block("C", (own(0), own(0)), (constant(3),)).box is None
    assert Block("C", (own(0), own(1)), (constant(3), constant(2))).box is not None
    assert Block("b", ()).box == ()
    assert Block("b", ()).width == constant(1)


def test_an_extent_is_never_negative() -> None:
    assert extent(dim("n")) == dim("n")
    size = dim("n") - 2
    assert extent(size) == atom(Clamp(size, size + 1))
