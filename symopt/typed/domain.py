"""Which loops a value of its own runs over, when it is taken out of the expression it stands in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from symopt.typed.program import Count, Read, Reduce, Scalar
from symopt.typed.ranges import greatest, inside
from symopt.typed.reads import parts, tensors_read
from symopt.types import Entry, Integer, Range, constant, depends_on, index

Shape = tuple[Integer, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """The loops that are running, and what is needed to prove that reads stay inside.

    `shape_of` gives the shape of a tensor as it is stored, `below` the size that the entries of an
    index array are below. The elements of `recurring` tensors are there only step by step.
    """

    ranges: Mapping[str, Range]
    shape_of: Callable[[str], Shape]
    below: Mapping[str, Integer]
    recurring: AbstractSet[str] = frozenset()

    def loops(self, wanted: frozenset[str], body: Scalar) -> tuple[Range, ...]:
        """The loops for a value that depends on the indices `wanted`.

        A range that moves with an outer index (`range(off[i], off[i+1])`) is widened to everything
        it can reach where that keeps all reads inside: then the value is computed and stored once
        per index, not once per pair of both.
        """
        closure = depends_on(wanted, self.ranges)
        if self.recurring and not self.recurring.isdisjoint(tensors_read(body)):
            return tuple(loop for name, loop in self.ranges.items() if name in closure)
        hull = {name: self._widened(self.ranges[name]) for name in wanted}
        if self._reads_inside(body, {**self.ranges, **hull}):
            return tuple(hull[name] for name in self.ranges if name in hull)
        return tuple(loop for name, loop in self.ranges.items() if name in closure)

    def shape(self, loops: tuple[Range, ...]) -> Shape:
        """The room that one element for every point of some loops takes."""
        ranges = {**self.ranges, **{loop.index: loop for loop in loops}}
        return tuple(greatest(index(loop.index), ranges, self.below) + 1 for loop in loops)

    def _widened(self, loop: Range) -> Range:
        edges = (loop.lower, loop.upper)
        if not any(edge.indices or edge.tensors for edge in edges):
            return loop
        return Range(loop.index, constant(0), greatest(loop.upper, self.ranges, self.below))

    def _reads_inside(self, body: Scalar, ranges: dict[str, Range]) -> bool:
        """Whether every read is certain to be in range for all points of these loops."""
        known, pending = dict(ranges), [body]
        while pending:
            scalar = pending.pop()
            match scalar:
                case Reduce(_, loops):
                    known.update({loop.index: loop for loop in loops})
                    edges = (edge for loop in loops for edge in (loop.lower, loop.upper))
                    if not all(self._entries_inside(edge, known) for edge in edges):
                        return False
                case Read(tensor, places):
                    if not self._all_inside(places, self.shape_of(tensor), known):
                        return False
                case Count(value):
                    if not self._entries_inside(value, known):
                        return False
            pending.extend(parts(scalar))
        return True

    def _all_inside(
        self, places: tuple[Integer, ...], shape: Shape, ranges: dict[str, Range]
    ) -> bool:
        return all(
            inside(place, constant(0), size, ranges, self.below)
            and self._entries_inside(place, ranges)
            for place, size in zip(places, shape, strict=True)
        )

    def _entries_inside(self, value: Integer, ranges: dict[str, Range]) -> bool:
        """Whether the integer arrays that an index is made of are read in range themselves."""
        return all(
            self._all_inside(item.indices, self.shape_of(item.tensor), ranges)
            for item in value.atoms()
            if isinstance(item, Entry)
        )
