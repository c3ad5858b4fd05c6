"""Proofs that what is hoisted reads inside its tensors, also where the original never ran.

A program may read `x[0]` in a loop that never runs because `x` is empty: bind checks reads only
where the loops run. Over fewer loops, or over all values of an index array instead of its entries,
the reads have to be certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from symopt.statements.hoist.program import Hoisting
from symopt.statements.program import Read, Tensor
from symopt.typed.ranges import inside
from symopt.types import Clamp, Dim, Entry, Integer, Quotient, Range, Remainder, constant


@dataclass(frozen=True, slots=True)
class Reach:
    """The loops of a hoisted value, and what is known of tensors."""

    loops: tuple[Range, ...]
    tensors: Mapping[str, Tensor]
    below: Mapping[str, Integer]

    def certain(self, reads: Iterable[Read]) -> bool:
        """Whether all reads are inside at every point of the loops, and the bounds of these."""
        edges = (edge for loop in self.loops for edge in (loop.lower, loop.upper))
        return all(map(self._sound, edges)) and all(map(self._read_inside, reads))

    def _read_inside(self, read: Read) -> bool:
        if read.tensor is None:
            return self._sound(read.map[0])
        return self._places_inside(read.map, self.tensors[read.tensor].shape)

    def _places_inside(self, places: tuple[Integer, ...], shape: tuple[Integer, ...]) -> bool:
        ranges = {loop.index: loop for loop in self.loops}
        return all(
            inside(place, constant(0), size, ranges, self.below) and self._sound(place)
            for place, size in zip(places, shape, strict=True)
        )

    def _sound(self, value: Integer) -> bool:
        """Whether an integer can be computed: entries inside, no divisor 0, no empty axis."""
        for part in value.atoms():
            match part:
                case Entry(tensor, places):
                    if not self._places_inside(places, self.tensors[tensor].shape):
                        return False
                case Quotient(_, divisor) | Remainder(_, divisor):
                    if (divisor.value or 0) <= 0:
                        return False
                case Clamp(_, extent):
                    if (extent.value or 0) <= 0 and not self._runs_over(extent):
                        return False
                case _:
                    pass
        return True

    def _runs_over(self, extent: Integer) -> bool:
        """Whether a loop runs over an axis, so that the axis is not empty where anything runs."""
        return any(loop.lower.value == 0 and loop.upper == extent for loop in self.loops)


def runs(loop: Range, options: Hoisting) -> bool:
    """Whether a loop is certain to run at least once."""
    if loop.lower.value is None:
        return False
    if loop.upper.value is not None:
        return loop.lower.value < loop.upper.value
    return loop.lower.value == 0 and loop.upper in map(_size, sorted(options.filled))


def _size(name: str) -> Integer:
    return Integer((((Dim(name),), 1),))
