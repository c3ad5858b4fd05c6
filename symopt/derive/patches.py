"""Patches of a symmetric matrix: arrays of its entries, and where in the matrix these stand.

A patch has one block of entries for every place that the loops of a statement reach. In a bundle
adjustment, an observation o adds to the block of camera `cam[o]` with itself, of which there are as
many as cameras, and to that of `cam[o]` with point `pt[o]`, of which there are as many as
observations. Index maps tell which; how the entries make up a matrix is found when data is bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

from symopt.derive.blocks import Block, Place, Shape, Side, extent, own_loops
from symopt.statements.program import Statement
from symopt.typed.ranges import greatest, least, nonnegative
from symopt.types import Entry, Index, Integer, Range, constant, depends_on, flat_place, index


@dataclass(frozen=True, slots=True)
class Patch:
    """Entries of a matrix: at every point of the loops `@0`, `@1`, ... those of a block.

    Points where the `axes` agree have the same block. With `triangle`, only what is on or below
    the diagonal of the block is there.
    """

    loops: tuple[Range, ...]
    axes: Place
    extents: Shape  # how far the axes go
    rows: Block
    columns: Block
    triangle: bool

    @property
    def shape(self) -> Shape:
        """The axes, then the rows and columns of the block."""
        return (*self.extents, self.rows.width, self.columns.width)


def patch_at(
    statement: Statement, rows: Block, columns: Block, sizes: Mapping[str, Integer]
) -> tuple[Patch, Mapping[str, Integer]]:
    """The patch that a statement adds a block to, and its loops in terms of the statement's.

    The blocks are in these terms; `sizes` gives, per index array, the size that it indexes.
    """
    ranges = {loop.index: loop for loop in statement.loops}
    groups = _groups((*rows.place, *columns.place), ranges)
    axes = tuple(
        _from_zero(axis, ranges, sizes) for group in groups for axis in group.axes(statement.loops)
    )
    mentioned = frozenset[str]().union(*(group.loops for group in groups))
    loops = tuple(loop for loop in statement.loops if loop.index in mentioned)
    names = {loop.index: index(f"@{number}") for number, loop in enumerate(loops)}
    patch = Patch(
        tuple(
            Range(f"@{number}", loop.lower.substitute(names), loop.upper.substitute(names))
            for number, loop in enumerate(loops)
        ),
        tuple(axis.substitute(names) for axis in axes),
        tuple(greatest(axis, ranges, sizes) + 1 for axis in axes),
        _moved(rows, names),
        _moved(columns, names),
        rows == columns and rows.box is not None,
    )
    return patch, {f"@{number}": index(loop.index) for number, loop in enumerate(loops)}


def _from_zero(axis: Integer, ranges: Mapping[str, Range], sizes: Mapping[str, Integer]) -> Integer:
    """The axis, moved where it may begin below 0."""
    first = least(axis, ranges, sizes)
    return axis if nonnegative(first) else axis - first


def above_diagonal(
    statement: Statement, rows: Block, columns: Block, params: tuple[str, ...]
) -> bool:
    """Whether all entries are certain to be above the diagonal, where symmetry gives them.

    The blocks are in terms of the statement's loops.
    """
    if rows.param != columns.param:
        return params.index(rows.param) < params.index(columns.param)
    ranges = {loop.index: loop for loop in (*statement.loops, *own_loops(rows.extents))}
    apart = {f"${k}": index(f"${k}'") for k in range(len(columns.extents))}
    for loop in own_loops(columns.extents):
        ranges[f"{loop.index}'"] = loop
    for here, there in zip(rows.place, columns.place, strict=True):
        ahead = here - there.substitute(apart)
        if ahead != constant(0):
            return nonnegative(-greatest(ahead, ranges, {}) - 1)
    return False


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the entries of one patch are in another: in its loops, rows and columns.

    All is in terms of the loops of the first, `@0`, ..., rows and columns also in those of its
    blocks, `$0`, ....
    """

    loops: Mapping[str, Integer]
    row: Integer
    column: Integer


def itself(patch: Patch) -> Placement:
    """Where a patch is in itself."""
    loops = {loop.index: index(loop.index) for loop in patch.loops}
    row, column = (
        flat_place([index(loop.index) for loop in own_loops(extents)], extents)
        for extents in (patch.rows.extents, patch.columns.extents)
    )
    return Placement(loops, row, column)


def point_axes(patch: Patch, sizes: Mapping[str, Integer]) -> tuple[Place, Shape]:
    """An axis for each loop of a patch, and how far they go."""
    ranges = {loop.index: loop for loop in patch.loops}
    axes = tuple(_from_zero(index(loop.index), ranges, sizes) for loop in patch.loops)
    return axes, tuple(greatest(axis, ranges, sizes) + 1 for axis in axes)


def placement(
    inner: Patch, outer: Patch, shapes: Mapping[str, Shape], sizes: Mapping[str, Integer]
) -> Placement | None:
    """Where a patch is in another, if that is certain to have all of its entries.

    `shapes` are those of the parameters.
    """
    if (inner.rows.param, inner.columns.param) != (outer.rows.param, outer.columns.param):
        return None
    for loops in _matches(outer.loops, inner.loops):
        row = _within(inner.rows, _moved(outer.rows, loops), inner.loops, shapes, sizes)
        if row is None:
            continue
        column = _within(inner.columns, _moved(outer.columns, loops), inner.loops, shapes, sizes)
        if column is not None:
            return Placement(loops, row, column)
    return None


def _matches(outer: tuple[Range, ...], inner: tuple[Range, ...]) -> Iterator[Mapping[str, Integer]]:
    """Ways to take some loops for others that run alike."""
    for chosen in permutations(inner, len(outer)):
        names = {a.index: index(b.index) for a, b in zip(outer, chosen, strict=True)}
        if all(
            (a.lower.substitute(names), a.upper.substitute(names)) == (b.lower, b.upper)
            for a, b in zip(outer, chosen, strict=True)
        ):
            yield names


def _within(
    block: Block,
    box: Block,
    loops: tuple[Range, ...],
    shapes: Mapping[str, Shape],
    sizes: Mapping[str, Integer],
) -> Integer | None:
    """Which entry of a box each entry of a block is, if the box has them all."""
    sides = box.box
    if sides is None:
        return None
    ranges = {loop.index: loop for loop in (*loops, *own_loops(block.extents))}
    found: list[Integer] = []
    for part, side, size in zip(block.place, sides, shapes[box.param], strict=True):
        ahead = part - side.start
        if side.extent is None:
            if ahead != constant(0):
                return None
            continue
        last = side.extent - 1 - greatest(ahead, ranges, sizes)
        inside = nonnegative(least(ahead, ranges, sizes)) and nonnegative(last)
        if not inside and side != Side(constant(0), extent(size)):
            return None
        found.append(ahead)
    return flat_place(found, box.extents)


def _moved(block: Block, names: Mapping[str, Integer]) -> Block:
    place = tuple(part.substitute(names) for part in block.place)
    return Block(block.param, place, tuple(size.substitute(names) for size in block.extents))


@dataclass(frozen=True, slots=True)
class _Group:
    """Loops that move places together, and the parts of places that they move.

    With `whole`, more than these parts depends on the loops.
    """

    loops: frozenset[str]
    moving: tuple[Integer, ...]
    whole: bool = False

    def axes(self, loops: tuple[Range, ...]) -> Iterator[Integer]:
        """What tells the group's places apart: their one moving part, or every loop."""
        if len(self.moving) == 1 and not self.whole and _can_be_an_axis(self.moving[0]):
            yield self.moving[0]
            return
        yield from (index(loop.index) for loop in loops if loop.index in self.loops)

    def joined(self, other: _Group) -> _Group:
        moving = tuple(dict.fromkeys((*self.moving, *other.moving)))
        return _Group(self.loops | other.loops, moving, self.whole or other.whole)


def _groups(place: Place, ranges: Mapping[str, Range]) -> list[_Group]:
    """Groups without a loop in common."""
    groups: list[_Group] = []
    for part in place:
        moving = _moving(part, ranges)
        if moving == constant(0):
            continue
        loops = depends_on(moving.indices & ranges.keys(), ranges)
        group = _Group(loops, (moving,), whole=bool(moving.indices - ranges.keys()))
        apart = [other for other in groups if not other.loops & group.loops]
        for other in groups:
            if other.loops & group.loops:
                group = other.joined(group)
        groups = [*apart, group]
    return groups


def _moving(part: Integer, ranges: Mapping[str, Range]) -> Integer:
    """The terms that depend on loops of the statement."""
    terms = (Integer((term,)) for term in part.terms)
    return sum((term for term in terms if term.indices & ranges.keys()), constant(0))


def _can_be_an_axis(moving: Integer) -> bool:
    """Whether this is a loop, an entry of integer data, or a sum of such."""
    return all(
        coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], (Index, Entry))
        for monomial, coefficient in moving.terms
    )
