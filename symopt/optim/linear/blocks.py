"""Unknowns that can be eliminated first, found from where a sparse symmetric matrix has entries.

An array such as `point[p, 3]`, whose entries meet each other only within one point, makes a block
diagonal part of the matrix: its blocks are inverted one by one, and what is left is a system of
the other unknowns alone. Values are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symopt.optim.problem import Mask, Sparse, Vector, parameter_of

Places: TypeAlias = NDArray[np.intp]

_LARGEST_BLOCK = 32
_PANEL_ROWS = 768  # few enough to stay in cache, many enough for matrix products
_MOST_ARRAYS = 8  # that are tried, the largest first


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Entries of a matrix that go to flat places of a dense array."""

    sources: Places  # in the data of the matrix
    places: Places

    def put(self, values: Vector, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """The dense array, 0 where nothing goes to."""
        array = np.zeros(shape)
        array.ravel()[self.places] = values[self.sources]
        return array


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """The rows of some blocks, in all columns of the other unknowns that any of them has."""

    first: int  # the blocks are those of their group from here on
    last: int
    columns: Places  # among the reduced unknowns
    entries: Taken


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """All blocks of one size."""

    unknowns: Places  # (blocks, size)
    entries: Taken
    panels: tuple[Panel, ...]

    @property
    def size(self) -> int:
        return self.unknowns.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Elimination:
    """Which unknowns to eliminate in blocks, and where their entries are in the matrix."""

    arrays: tuple[str, ...]  # the parameters that these unknowns are
    groups: tuple[Group, ...]
    reduced: Places  # the other unknowns
    corner: Taken  # the entries of the reduced unknowns among themselves
    coupled: int  # entries that the reduced matrix can have

    @property
    def blocks(self) -> int:
        return sum(len(group.unknowns) for group in self.groups)

    @property
    def summary(self) -> str:
        """Such as `block elimination of point (7776 blocks of 3), reduced system 441`."""
        sizes = [group.size for group in self.groups]
        size = f"{sizes[0]}" if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
        return (
            f"block elimination of {', '.join(self.arrays)} ({self.blocks} blocks of {size}),"
            f" reduced system {len(self.reduced)}"
        )


def find_elimination(matrix: Sparse, names: Sequence[str]) -> Elimination | None:
    """The most unknowns that can be eliminated in small blocks; None if there are none.

    `matrix` is in CSR form and symmetric, `names` are of its unknowns. Whole arrays are taken, the
    largest first, for as long as the blocks stay small.
    """
    pattern = _Pattern.of(matrix, names)
    chosen, labels = _choose(pattern)
    return _elimination(pattern, chosen, labels) if chosen else None


def diagonal_blocks(matrix: Sparse, names: Sequence[str]) -> Places:
    """For each unknown a label, the same for those of one array that meet each other.

    Where too many do, each has a label of its own.
    """
    pattern = _Pattern.of(matrix, names)
    labels = pattern.components(pattern.arrays[pattern.rows] == pattern.arrays[pattern.columns])
    large = np.bincount(labels)[labels] > _LARGEST_BLOCK
    labels = np.where(large, len(labels) + np.arange(len(labels)), labels)
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class _Pattern:
    """Where a matrix has entries, and which array each unknown belongs to."""

    size: int
    rows: Places
    columns: Places
    arrays: Places  # by unknown
    titles: tuple[str, ...]

    @staticmethod
    def of(matrix: Sparse, names: Sequence[str]) -> _Pattern:
        numbers: dict[str, int] = {}
        arrays = [numbers.setdefault(parameter_of(name), len(numbers)) for name in names]
        rows = np.repeat(np.arange(len(names)), np.diff(matrix.indptr))
        columns = np.asarray(matrix.indices, np.intp)
        return _Pattern(len(names), rows, columns, np.array(arrays, np.intp), tuple(numbers))

    def components(self, kept: Mask) -> Places:
        """Labels of the unknowns that hang together by the entries that are kept."""
        from scipy import sparse  # pyright: ignore[reportMissingTypeStubs]: has none
        from scipy.sparse import csgraph  # pyright: ignore[reportMissingTypeStubs]: has none

        edges = (self.rows[kept], self.columns[kept])
        graph = sparse.coo_array(
            (np.ones(len(edges[0]), bool), edges), shape=(self.size, self.size)
        )
        graphs: Any = csgraph
        found: Any = graphs.connected_components(graph.tocsr(), directed=False)
        return np.asarray(found[1], np.intp)


def _choose(pattern: _Pattern) -> tuple[tuple[int, ...], Places]:
    """The arrays to eliminate, and labels of the blocks of their unknowns."""
    among = pattern.arrays[pattern.rows], pattern.arrays[pattern.columns]
    labels = pattern.components(among[0] == among[1])
    block_sizes = np.bincount(labels)[labels]
    sizes = np.bincount(pattern.arrays, minlength=len(pattern.titles))
    largest = np.zeros(len(sizes), np.intp)
    np.maximum.at(largest, pattern.arrays, block_sizes)
    candidates = np.flatnonzero((largest <= _LARGEST_BLOCK) & (sizes > largest))
    candidates = candidates[np.argsort(-sizes[candidates], kind="stable")][:_MOST_ARRAYS]
    chosen = np.zeros(len(sizes), bool)
    found = labels
    for candidate in candidates:
        trial = chosen.copy()
        trial[candidate] = True
        labels = pattern.components(trial[among[0]] & trial[among[1]])
        if np.bincount(labels).max() <= _LARGEST_BLOCK:
            chosen, found = trial, labels
    return tuple(int(array) for array in np.flatnonzero(chosen)), found


def _elimination(pattern: _Pattern, chosen: tuple[int, ...], labels: Places) -> Elimination:
    out = np.isin(pattern.arrays, chosen)
    eliminated, reduced = np.flatnonzero(out), np.flatnonzero(~out)
    place = np.zeros(pattern.size, np.intp)
    place[reduced] = np.arange(len(reduced))
    row_out, column_out = out[pattern.rows], out[pattern.columns]
    corner = np.flatnonzero(~row_out & ~column_out)
    rows, columns = place[pattern.rows[corner]], place[pattern.columns[corner]]
    blocks = np.unique(labels[eliminated], return_inverse=True)[1]
    of = np.full(pattern.size, -1)
    of[eliminated] = blocks
    aside = np.flatnonzero(row_out & ~column_out)
    touched = _touched(of[pattern.rows[aside]], place[pattern.columns[aside]], len(reduced))
    finder = _Finder(
        pattern, of, np.bincount(blocks), place, aside, np.flatnonzero(row_out & column_out)
    )
    return Elimination(
        tuple(pattern.titles[array] for array in chosen),
        tuple(finder.groups(*_span(touched, int(blocks.max()) + 1))),
        reduced,
        Taken(corner, rows * len(reduced) + columns),
        _count_coupled(touched, rows, columns, len(reduced)),
    )


def _touched(blocks: Places, columns: Places, width: int) -> tuple[Places, Places]:
    """The pairs of a block and a reduced unknown that it meets, each once and in order."""
    pairs = np.sort(blocks * max(width, 1) + columns, kind="stable")  # nearly in order already
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    found = np.divmod(pairs, max(width, 1))
    return found[0], found[1]


def _span(touched: tuple[Places, Places], count: int) -> tuple[Places, Places]:
    """The first and the last reduced unknown that each block meets; -1 for none."""
    blocks, columns = touched
    lasts = np.searchsorted(blocks, np.arange(count), side="right")
    firsts = np.searchsorted(blocks, np.arange(count), side="left")
    none = firsts == lasts
    padded = np.append(columns, -1)
    return np.where(none, -1, padded[firsts]), np.where(none, -1, padded[lasts - 1])


def _count_coupled(
    touched: tuple[Places, Places], rows: Places, columns: Places, width: int
) -> int:
    """How many entries the reduced matrix can have."""
    from scipy.sparse import csr_array  # pyright: ignore[reportMissingTypeStubs]: has none

    blocks, met = touched
    count = int(blocks[-1]) + 1 if len(blocks) else 1
    if np.sum(np.bincount(blocks, minlength=1).astype(float) ** 2) > 1e9:
        return width * width  # too many to count, and hardly sparse
    meets: Sparse = csr_array((np.ones(len(blocks), np.int32), (blocks, met)), shape=(count, width))
    corner: Sparse = csr_array(
        (np.ones(len(rows), np.int32), (rows, columns)), shape=(width, width)
    )
    return int((meets.T @ meets + corner).nnz)


@dataclass(frozen=True, slots=True, eq=False)
class _Finder:
    """Sorts the entries of a matrix into the groups and panels of an elimination."""

    pattern: _Pattern
    block: Places  # of each unknown; -1 where that is not eliminated
    sizes: Places  # of the blocks
    place: Places  # of each unknown among the reduced ones
    aside: Places  # the entries of eliminated rows and reduced columns
    within: Places  # those of eliminated rows and columns

    def groups(self, firsts: Places, lasts: Places) -> Iterator[Group]:
        """The groups, their blocks in an order that has those together which meet the same."""
        unknowns = np.flatnonzero(self.block >= 0)
        ordered = unknowns[np.argsort(self.block[unknowns], kind="stable")]
        starts = np.cumsum(self.sizes) - self.sizes
        local = np.zeros(self.pattern.size, np.intp)
        local[ordered] = np.arange(len(ordered)) - np.repeat(starts, self.sizes)
        for size in np.unique(self.sizes):
            members = np.flatnonzero(self.sizes == size)
            members = members[np.lexsort((lasts[members], firsts[members]))]
            number = np.full(len(self.sizes), -1)
            number[members] = np.arange(len(members))
            # By row of the stacked blocks; negative for unknowns of other groups.
            numbers = np.append(number, -1)[self.block]
            row = np.where(numbers >= 0, numbers * size + local, -1)
            yield Group(
                ordered[starts[members][:, None] + np.arange(size)],
                self._diagonal(row, local, int(size)),
                tuple(self._panels(row, int(size), len(members))),
            )

    def _diagonal(self, row: Places, local: Places, size: int) -> Taken:
        rows, columns = self.pattern.rows[self.within], self.pattern.columns[self.within]
        kept = row[rows] >= 0
        return Taken(self.within[kept], row[rows[kept]] * size + local[columns[kept]])

    def _panels(self, row: Places, size: int, count: int) -> Iterator[Panel]:
        rows = row[self.pattern.rows[self.aside]]
        order = np.argsort(rows, kind="stable")
        order = order[np.count_nonzero(rows < 0) :]
        rows, sources = rows[order], self.aside[order]
        columns = self.place[self.pattern.columns[sources]]
        step = max(_PANEL_ROWS // size, 1)
        edges = np.searchsorted(rows, np.arange(0, count + step, step) * size)
        for number, (start, end) in enumerate(pairwise(edges)):
            first, last = number * step, min((number + 1) * step, count)
            met, there = np.unique(columns[start:end], return_inverse=True)
            if first < last and len(met):
                places = (rows[start:end] - first * size) * len(met) + there
                yield Panel(first, last, met, Taken(sources[start:end], places))
