"""Auxiliary definitions: a value that is used more than once gets a name and is computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symopt.source import Span
from symopt.typed.domain import Domain
from symopt.typed.program import Definition, Read, Reduce, Scalar
from symopt.typed.ranges import greatest
from symopt.typed.reads import free_indices, tensors_read
from symopt.typed.values import Place, Shape, Value
from symopt.types import Integer, Range, constant, index

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


@dataclass(frozen=True, slots=True)
class Written:
    """What a definition inside an expression writes: `place` over `loops`, from `body`."""

    loops: tuple[Range, ...]
    place: Place
    body: Scalar
    accumulate: bool
    span: Span


def shared(elaborator: Elaborator, value: Value, stem: str) -> Value:
    """The value under a name of its own, which reads it wherever the value was used."""
    if value.simple or value.broken:
        return value
    own = elaborator.loops_over(value.shape)
    place = tuple(index(loop.index) for loop in own)
    written = Written(own, place, value.at(place), False, value.span)
    name, outer, _, _ = stored(elaborator, stem, written)
    return Value(
        value.shape,
        lambda place: Read(name, outer + place, value.span),
        value.span,
        simple=True,
    )


def stored(elaborator: Elaborator, stem: str, written: Written) -> tuple[str, Place, Place, Shape]:
    """A new auxiliary definition: its name, its leading indices, and its axes as written.

    The leading indices are those outside that it depends on. Of its own axes there is the least
    index and the extent from there on, which may depend on the indices outside.
    """
    own = {loop.index: loop for loop in written.loops}
    # As if it were one reduction, whose free indices and reads are those of the whole definition.
    whole = Reduce("sum", written.loops, written.body, written.span)
    wanted = frozenset(free_indices(whole)).union(*(p.indices for p in written.place)) - own.keys()
    recurring = elaborator.recurring
    domain = Domain(elaborator.ranges, elaborator.stored_shape, elaborator.index_sizes, recurring)
    outer = domain.loops(wanted, whole)
    origin = tuple(_origin(place, own, written.accumulate) for place in written.place)
    place = tuple(p - low for p, low in zip(written.place, origin, strict=True))
    entries = elaborator.index_sizes
    name = elaborator.fresh(f"~{stem}")  # no name in a file starts like this
    if not recurring.isdisjoint(tensors_read(whole)):
        recurring.add(name)
    room = tuple(greatest(p, elaborator.ranges, entries) + 1 for p in place)
    shape = domain.shape(outer) + room
    outer_place = tuple(index(loop.index) for loop in outer)
    elaborator.auxiliary_shapes[name] = shape
    elaborator.introduced.append(
        Definition(
            name=name,
            axes=outer + written.loops,
            target=outer_place + place,
            shape=shape,
            origin=(constant(0),) * len(shape),
            body=written.body,
            accumulate=written.accumulate,
            auxiliary=True,
            mark=None,
            description=None,
            span=written.span,
        )
    )
    return name, outer_place, origin, tuple(greatest(p, own, entries) + 1 for p in place)


def _origin(place: Integer, own: dict[str, Range], accumulate: bool) -> Integer:
    """The least index of an axis: a definition over range(1, n) stores no element 0."""
    lower = own[place.index].lower if place.index in own else constant(0)
    fixed = not (lower.indices or lower.tensors or accumulate)
    return lower if fixed else constant(0)
