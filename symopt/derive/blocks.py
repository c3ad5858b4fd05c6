"""Compact columns: the entries of the flat vector that one element of a tensor can depend on.

Per parameter these are blocks, known from index maps alone. In a bundle adjustment, residual
`r[o, a]` depends on 9 entries of camera `cam[o]` and on 3 of point `pt[o]`, whatever these are: two
blocks and 12 columns for every residual, however many cameras and points there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from symopt.statements.program import Program
from symopt.typed.ranges import greatest, least, nonnegative
from symopt.types import Clamp, Integer, Range, atom, constant, index

Shape = tuple[Integer, ...]
Place = tuple[Integer, ...]


def axis(number: int) -> Integer:
    """An index of the tensor that has the columns: `@0`, `@1`, ..."""
    return index(f"@{number}")


def own(number: int) -> Integer:
    """A loop of a block: `$0`, `$1`, ..."""
    return index(f"${number}")


def own_loops(extents: Shape) -> tuple[Range, ...]:
    """The loops of a block."""
    return tuple(Range(f"${k}", constant(0), size) for k, size in enumerate(extents))


def extent(size: Integer) -> Integer:
    """How often a loop of this size runs: never less than 0 times."""
    return size if nonnegative(size) else atom(Clamp(size, size + 1))


@dataclass(frozen=True, slots=True)
class Side:
    """What a box takes of one axis: `extent` entries from `start` on, or only that one."""

    start: Integer
    extent: Integer | None = None

    def __str__(self) -> str:
        end = "" if self.extent is None else f":{self.start + self.extent}"
        return f"{self.start}{end}"


@dataclass(frozen=True, slots=True)
class Block:
    """Entries of one parameter: those at `place`, over the block's own loops `$0`, `$1`, ...

    `place` is in terms of the indices `@0`, `@1`, ... of the tensor that has the columns. The
    columns are in the row-major order of the loops.
    """

    param: str
    place: Place
    extents: Shape = ()

    @property
    def width(self) -> Integer:
        total = constant(1)
        for size in self.extents:
            total = total * size
        return total

    def seen_from(self, place: Place) -> Place:
        """The entries for the element of the tensor at `place`."""
        here = {f"@{k}": part for k, part in enumerate(place)}
        return tuple(part.substitute(here) for part in self.place)

    @property
    def box(self) -> tuple[Side, ...] | None:
        """A side per axis of the parameter, where every loop runs along an axis of its own."""
        sides: list[Side] = []
        loops = 0
        for part in self.place:
            start = part - own(loops)
            if loops < len(self.extents) and not _own(start):
                sides.append(Side(start, self.extents[loops]))
                loops += 1
            elif _own(part):
                return None
            else:
                sides.append(Side(part))
        return tuple(sides) if loops == len(self.extents) else None

    def __str__(self) -> str:
        """A box as a slice, `camera[cam[@0], 0:9]`; what is none with its loops."""
        sides = self.box
        if sides is None:
            loops = ", ".join(f"${k} < {size}" for k, size in enumerate(self.extents))
            return f"{self.param}[{', '.join(map(str, self.place))}] for {loops}"
        return f"{self.param}[{', '.join(map(str, sides))}]" if sides else self.param


def _own(value: Integer) -> frozenset[str]:
    return frozenset(name for name in value.indices if name.startswith("$"))


def box_of(param: str, sides: Iterable[Side]) -> Block:
    """The block that takes these sides of a parameter's axes."""
    place: list[Integer] = []
    extents: list[Integer] = []
    for side in sides:
        if side.extent is None:
            place.append(side.start)
        else:
            place.append(side.start + own(len(extents)))
            extents.append(side.extent)
    return Block(param, tuple(place), tuple(extents))


@dataclass(frozen=True)
class Columns:
    """The blocks of a tensor, in the order of its columns."""

    blocks: tuple[Block, ...]

    @cached_property
    def starts(self) -> tuple[Integer, ...]:
        """The first column of every block."""
        found, total = [], constant(0)
        for block in self.blocks:
            found.append(total)
            total = total + block.width
        return tuple(found)

    @property
    def width(self) -> Integer:
        """How many columns there are."""
        return sum((block.width for block in self.blocks), constant(0))


# ── blocks that share entries become one ─────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Gathering:
    """Brings the blocks of one tensor together, where one is sure to hold the entries of another.

    `shape` is that of the tensor: how far its indices run.
    """

    program: Program
    params: tuple[str, ...]
    shape: Shape

    def columns(self, blocks: Iterable[Block]) -> tuple[Columns, Mapping[Block, int]]:
        """The columns, and for each block that went in the number of the one that holds it."""
        found: list[tuple[Block, tuple[Block, ...]]] = []
        for block in blocks:
            members: tuple[Block, ...] = (block,)
            joined = self._join(found, block)
            while joined is not None:
                block, number = joined
                members += found.pop(number)[1]
                joined = self._join(found, block)
            found.append((block, members))
        found.sort(key=lambda pair: self._order(pair[0]))
        homes = {member: k for k, (_, members) in enumerate(found) for member in members}
        return Columns(tuple(block for block, _ in found)), homes

    def _join(
        self, found: list[tuple[Block, tuple[Block, ...]]], block: Block
    ) -> tuple[Block, int] | None:
        """The first that the block can be one with, and both as one."""
        for number, (other, _) in enumerate(found):
            if other.param == block.param:
                both = self._union(other, block)
                if both is not None:
                    return both, number
        return None

    def _union(self, a: Block, b: Block) -> Block | None:
        """One block for two, where it holds nothing that neither of them holds."""
        if a == b or self._covers(a, b):
            return a
        return b if self._covers(b, a) else _hull(a, b)

    def _covers(self, a: Block, b: Block) -> bool:
        """Whether `a`, a box, is certain to hold every entry of `b`."""
        sides = a.box
        if sides is None:
            return False
        full = self.program.tensors[a.param].shape
        return all(
            part == side.start
            if side.extent is None
            else side == Side(constant(0), extent(size)) or self._inside(part, side, b)
            for part, side, size in zip(b.place, sides, full, strict=True)
        )

    def _inside(self, place: Integer, side: Side, block: Block) -> bool:
        assert side.extent is not None
        run = {f"@{k}": Range(f"@{k}", constant(0), size) for k, size in enumerate(self.shape)}
        run |= {loop.index: loop for loop in own_loops(block.extents)}
        sizes = {t.name: t.below for t in self.program.tensors.values() if t.below is not None}
        ahead = place - side.start
        before = least(ahead, run, sizes)
        after = side.extent - 1 - greatest(ahead, run, sizes)
        return nonnegative(before) and nonnegative(after)

    def _order(self, block: Block) -> tuple[object, ...]:
        """In the order of the flat vector, as far as that can be told."""
        key: list[tuple[str, int]] = []
        for part in block.place:
            fixed = dict(part.terms).get((), 0)
            key.append((str(part - fixed), fixed))
        return self.params.index(block.param), key


def _hull(a: Block, b: Block) -> Block | None:
    """Two boxes, one of which goes on along one axis where the other ends, as one."""
    left, right = a.box, b.box
    if left is None or right is None:
        return None
    differing = [k for k, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1]]
    if len(differing) != 1:
        return None
    (k,) = differing
    side = _end_to_end(left[k], right[k]) or _end_to_end(right[k], left[k])
    return None if side is None else box_of(a.param, (*left[:k], side, *left[k + 1 :]))


def _end_to_end(a: Side, b: Side) -> Side | None:
    """Both sides, if `b` starts inside of `a` or right behind it."""
    first, second = (side.extent or constant(1) for side in (a, b))
    ahead = b.start - a.start
    if ahead == first:
        return Side(a.start, first + second)
    if ahead.value == 1 and first == second:
        return Side(a.start, first + 1)  # as in windows of a length known later
    if ahead.value is None or first.value is None or second.value is None:
        return None
    if not 0 <= ahead.value <= first.value:
        return None
    return Side(a.start, constant(max(first.value, ahead.value + second.value)))
