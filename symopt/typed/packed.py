"""Reads of packed parameters: an entry of the full array in terms of those that are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symopt.primitives import operators
from symopt.source import Span
from symopt.typed.packing import positions_name
from symopt.typed.program import Apply, Count, Number, Read, Scalar
from symopt.typed.ranges import inside, never_negative
from symopt.typed.scope import Variable
from symopt.typed.values import Place
from symopt.types import Entry, atom, constant

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


def packed_element(elaborator: Elaborator, variable: Variable, place: Place, span: Span) -> Scalar:
    """The scalar at a place of the full array: a stored entry, 0, or a choice between both."""
    *batch, row, column = place
    position = atom(Entry(positions_name(variable.name), (row, column)))
    stored = Read(variable.name, (*batch, position), span)
    if variable.packing == "symmetric":
        return stored
    strict = variable.packing == "strict lower"
    ahead = row - column - (1 if strict else 0)
    if never_negative(ahead, elaborator.ranges):
        return stored
    if never_negative(-ahead - 1, elaborator.ranges) and _inside(elaborator, variable, place):
        return Number(0.0)
    order = operators.less if strict else operators.less_equal
    unknown = Apply(order, (Count(column), Count(row)), span)
    return Apply(operators.select, (unknown, stored, Number(0.0)), span)


def _inside(elaborator: Elaborator, variable: Variable, place: Place) -> bool:
    ranges, sizes = elaborator.ranges, elaborator.index_sizes
    return all(
        inside(part, constant(0), size, ranges, sizes)
        for part, size in zip(place, variable.shape, strict=True)
    )
