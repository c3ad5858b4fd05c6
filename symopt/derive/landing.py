"""Where entries that a statement reaches land among the columns of its target.

The statement names them in terms of its own loops; a block of the target has to do with the
target's indices alone. A loop that the target does not see becomes a loop of the block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symopt.derive.blocks import Block, Place, Shape, Side, axis, extent, own, own_loops
from symopt.statements.program import Statement
from symopt.types import Index, Integer, Range, constant, index

# Loops hidden inside index arrays that may join a block, as k does in x[neighbour[i, k]]: with each
# more, the width is multiplied, while all of a parameter is never more than its size.
_MOST_JOINED = 2


@dataclass(frozen=True, slots=True)
class Landing:
    """A block in the target's terms, and which of its entries each entry reached is.

    `own` has a value for every loop of the block, in terms of the statement's loops and of the
    loops of what is reached.
    """

    block: Block
    own: Place


@dataclass(frozen=True, slots=True)
class _Open:
    """Places in the target's terms as far as possible, and the loops that are left in each."""

    place: Place
    loops: tuple[frozenset[str], ...]
    ranges: Mapping[str, Range]  # of all loops, with bounds in the target's terms

    def closed(self, name: str) -> bool:
        """Whether a loop has the same bounds for every element of the target."""
        edges = (self.ranges[name].lower, self.ranges[name].upper)
        return not any(edge.indices or edge.tensors for edge in edges)

    def count(self, name: str) -> Integer:
        return self.ranges[name].upper - self.ranges[name].lower


def landing(
    statement: Statement, solved: Mapping[str, Integer], reached: Block, shape: Shape
) -> Landing:
    """Where a block in the statement's terms, of a parameter of some shape, lands.

    `solved` are the statement's loops in the target's terms, as far as `solved_loops` found them.
    """
    place = tuple(_in_target(part, statement, solved) for part in reached.place)
    hidden = {loop.index for loop in statement.loops}
    if not any(part.indices & hidden for part in place):
        every = tuple(own(number) for number in range(len(reached.extents)))
        return Landing(Block(reached.param, place, reached.extents), every)
    loops = (*statement.loops, *own_loops(reached.extents))
    ranges = {
        loop.index: Range(loop.index, loop.lower.substitute(solved), loop.upper.substitute(solved))
        for loop in loops
    }
    left = tuple(part.indices & ranges.keys() for part in place)
    return _gathered(reached, _Open(place, left, ranges), shape)


def solved_loops(statement: Statement) -> dict[str, Integer]:
    """The loops that are known from the target's indices: i = @0 - 1 for a target at i + 1."""
    loops = {loop.index for loop in statement.loops}
    solved: dict[str, Integer] = {}
    for number, part in enumerate(statement.map):
        unknown = (part.indices & loops) - solved.keys()
        if len(unknown) != 1:
            continue
        (name,) = unknown
        slope = dict(part.terms).get((Index(name),), 0)
        rest = part - slope * index(name)
        if slope in (1, -1) and name not in rest.indices:
            solved[name] = slope * (axis(number) - rest.substitute(solved))
    return solved


def _in_target(part: Integer, statement: Statement, solved: Mapping[str, Integer]) -> Integer:
    """A place in the target's terms, where it has any: total[cam[o]] sees cam[o] as its index."""
    loops = {loop.index for loop in statement.loops}
    found = part.substitute(solved)
    if found.indices & loops:
        for number, seen in enumerate(statement.map):
            further = part - seen
            if not further.indices & loops:
                return axis(number) + further
    return found


def _gathered(reached: Block, view: _Open, shape: Shape) -> Landing:
    """The block over all loops that the target does not see."""
    kinds = _kinds(view)
    place: list[Integer] = []
    extents: list[Integer] = []
    own_values: list[Integer] = []
    joined: dict[str, Integer] = {}

    def loop(size: Integer, value: Integer) -> Integer:
        extents.append(extent(size))
        own_values.append(value)
        return own(len(extents) - 1)

    for k, part in enumerate(view.place):
        match kinds[k]:
            case "point":
                place.append(part)
            case "all":
                place.append(loop(shape[k], reached.place[k]))
            case "along":
                side = _side(part, view)
                assert side.extent is not None
                first = _side(reached.place[k], view, view.loops[k]).start
                place.append(side.start + loop(side.extent, reached.place[k] - first))
            case _:
                for name in sorted(view.loops[k] - joined.keys()):
                    lower = view.ranges[name].lower
                    joined[name] = lower + loop(view.count(name), index(name) - lower)
                place.append(part.substitute(joined))
    return Landing(Block(reached.param, tuple(place), tuple(extents)), tuple(own_values))


def _kinds(view: _Open) -> list[str]:
    """For every axis: a `point`, a run `along` it, loops that are `joined`, or `all` of it."""
    kinds: list[str] = []
    for part, loops in zip(view.place, view.loops, strict=True):
        if not loops:
            kinds.append("point")
        elif not all(map(view.closed, loops)):
            kinds.append("all")
        elif _moves_by_one(part, loops):
            kinds.append("along")
        else:
            kinds.append("joined" if part.indices - loops else "all")
    # A loop that several axes share does not run along one of them alone.
    while several := [
        k for k, kind in enumerate(kinds) if kind == "along" and _shares(view, kinds, k)
    ]:
        for k in several:
            kinds[k] = "joined"
    joined = [loops for loops, kind in zip(view.loops, kinds, strict=True) if kind == "joined"]
    if len(frozenset[str]().union(*joined)) > _MOST_JOINED:
        kinds = ["all" if kind == "joined" else kind for kind in kinds]
    return kinds


def _shares(view: _Open, kinds: list[str], number: int) -> bool:
    """Whether another axis, of which not all is taken, has a loop of this one."""
    return any(
        view.loops[number] & loops
        for k, (loops, kind) in enumerate(zip(view.loops, kinds, strict=True))
        if k != number and kind in ("along", "joined")
    )


def _moves_by_one(part: Integer, loops: frozenset[str]) -> bool:
    """Whether each loop is added or subtracted, and occurs nowhere else."""
    terms = dict(part.terms)
    rest = part
    for name in loops:
        slope = terms.get((Index(name),), 0)
        if slope not in (1, -1):
            return False
        rest = rest - slope * index(name)
    return not rest.indices & loops


def _side(part: Integer, view: _Open, loops: frozenset[str] | None = None) -> Side:
    """From the least place that the loops reach, as far as they go together."""
    terms = dict(part.terms)
    names = part.indices & view.ranges.keys() if loops is None else loops
    start, steps = part, constant(0)
    for name in names:
        loop = view.ranges[name]
        least = loop.lower if terms[(Index(name),)] > 0 else loop.upper - 1
        start = start.substitute({name: least})
        steps = steps + view.count(name) - 1
    return Side(start, steps + 1)
