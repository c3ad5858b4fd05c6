"""Auxiliary definitions: a value that is used more than once gets a name and is computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symopt.typed.program import Count, Definition, Read, Reduce, Scalar
from symopt.typed.ranges import greatest, inside
from symopt.typed.reads import free_indices, parts
from symopt.typed.values import Value
from symopt.types import Entry, Integer, Range, constant, depends_on, index

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


def shared(elaborator: Elaborator, value: Value, stem: str) -> Value:
    """The value under a name of its own, which reads it wherever the value was used."""
    if value.simple or value.broken:
        return value
    own = elaborator.loops_over(value.shape)
    places = tuple(index(loop.index) for loop in own)
    body = value.at(places)
    wanted = frozenset(free_indices(body)) - {loop.index for loop in own}
    outer = _outer_loops(elaborator, wanted, body)
    outer_places = tuple(index(loop.index) for loop in outer)
    ranges = {**elaborator.ranges, **{loop.index: loop for loop in outer}}
    sizes = elaborator.index_sizes
    shape = tuple(greatest(place, ranges, sizes) + 1 for place in outer_places)
    name = elaborator.fresh(f"~{stem}")  # no name in a file starts like this
    elaborator.auxiliary_shapes[name] = shape + value.shape
    elaborator.introduced.append(
        Definition(
            name=name,
            axes=outer + own,
            target=outer_places + places,
            shape=shape + value.shape,
            origin=(constant(0),) * (len(outer) + len(own)),
            body=body,
            accumulate=False,
            auxiliary=True,
            mark=None,
            description=None,
            span=value.span,
        )
    )
    return Value(
        value.shape,
        lambda place: Read(name, outer_places + place, value.span),
        value.span,
        simple=True,
    )


def _outer_loops(elaborator: Elaborator, wanted: frozenset[str], body: Scalar) -> tuple[Range, ...]:
    """The running loops that the value depends on.

    A range that moves with an outer index (`range(off[i], off[i+1])`) is widened to everything it
    can reach where that keeps all reads inside: then the value is stored once per index, not once
    per pair of both.
    """
    ranges = elaborator.ranges
    hull = {name: _widened(elaborator, ranges[name]) for name in wanted}
    if _reads_inside(elaborator, body, {**ranges, **hull}):
        return tuple(hull[name] for name in ranges if name in hull)
    closure = depends_on(wanted, ranges)
    return tuple(loop for name, loop in ranges.items() if name in closure)


def _widened(elaborator: Elaborator, loop: Range) -> Range:
    edges = (loop.lower, loop.upper)
    if not any(edge.indices or edge.tensors for edge in edges):
        return loop
    upper = greatest(loop.upper, elaborator.ranges, elaborator.index_sizes)
    return Range(loop.index, constant(0), upper)


def _reads_inside(elaborator: Elaborator, body: Scalar, ranges: dict[str, Range]) -> bool:
    """Whether every read is certain to be in range for all points of these loops."""
    known, pending = dict(ranges), [body]
    while pending:
        scalar = pending.pop()
        match scalar:
            case Reduce(_, loops):
                known.update({loop.index: loop for loop in loops})
                edges = (edge for loop in loops for edge in (loop.lower, loop.upper))
                if not all(_entries_inside(elaborator, edge, known) for edge in edges):
                    return False
            case Read(tensor, places):
                if not _all_inside(elaborator, places, elaborator.stored_shape(tensor), known):
                    return False
            case Count(value):
                if not _entries_inside(elaborator, value, known):
                    return False
        pending.extend(parts(scalar))
    return True


def _all_inside(
    elaborator: Elaborator,
    places: tuple[Integer, ...],
    shape: tuple[Integer, ...],
    ranges: dict[str, Range],
) -> bool:
    index_sizes = elaborator.index_sizes
    return all(
        inside(place, constant(0), size, ranges, index_sizes)
        and _entries_inside(elaborator, place, ranges)
        for place, size in zip(places, shape, strict=True)
    )


def _entries_inside(elaborator: Elaborator, value: Integer, ranges: dict[str, Range]) -> bool:
    """Whether the integer arrays that an index is made of are read in range themselves."""
    return all(
        _all_inside(elaborator, item.indices, elaborator.stored_shape(item.tensor), ranges)
        for item in value.atoms()
        if isinstance(item, Entry)
    )
