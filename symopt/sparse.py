"""Sparse matrices: where the values that native code computes stand in them.

A Jacobian by blocks is a dense array of values, row by row; a Hessian comes as patches. Where each
value belongs follows from index maps and integer data alone, so it is found once, when data is
bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symopt.derive.blocks import Block, Columns, Place, Shape
from symopt.derive.patches import Patch
from symopt.diagnostics import DataError, Diagnostic, Kind
from symopt.layout import Layout
from symopt.statements.evaluate import points
from symopt.types import evaluate

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Repeated:
    """Entries that are sums of several values: those at `order`, each from one of `firsts` on."""

    entries: Array
    order: Array
    firsts: Array


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """The structure of a CSR matrix, and how its entries come from the values computed.

    Entries are the values in their order, or else those at `order`; some are sums of several. Of a
    symmetric matrix these are the entries of one triangle, and `mirror` says which of them each
    entry of the matrix is.
    """

    shape: tuple[int, int]
    indptr: Array
    indices: Array
    order: Array | None = None
    repeated: Repeated | None = None
    mirror: Array | None = None

    def room(self, out: csr_array | None, dtype: np.dtype[Any]) -> Array | None:
        """Where to compute the values so that they need not be moved to an earlier matrix."""
        if out is not None and not (self.is_of(out) and out.dtype == dtype):
            raise DataError(_wrong_out(self.shape, dtype))
        return out.data if out is not None and self.order is None else None

    def matrix(self, values: Array, out: csr_array | None = None) -> csr_array:
        """The matrix with these values, which it keeps; or an earlier one with these values now.

        Of an earlier one, the values may already be in its `room`.
        """
        from scipy.sparse import csr_array  # not needed before somebody asks for a matrix

        fresh = out is None
        data = (
            (values if self.order is None else np.empty(len(self.indices), values.dtype))
            if fresh
            else out.data
        )
        if self.order is None:
            assert data is values, "computed in place"
        elif self.mirror is None:
            self._entries(values, data)
        else:
            triangle = np.empty(len(self.order))
            self._entries(values, triangle)
            np.take(triangle, self.mirror, out=data, mode="clip")
        if out is not None:
            return out
        found = csr_array((data, self.indices, self.indptr), shape=self.shape)
        found.has_canonical_format = True
        return found

    def _entries(self, values: Array, data: Array) -> None:
        """The values in order, and added up."""
        assert self.order is not None
        np.take(values, self.order, out=data, mode="clip")  # other modes need a copy
        if self.repeated is not None:
            several = self.repeated
            data[several.entries] = np.add.reduceat(values[several.order], several.firsts)

    def is_of(self, matrix: csr_array) -> bool:
        """Whether a matrix has this pattern's own index arrays."""
        indices = getattr(matrix, "indices", np.empty(0))
        same = len(indices) == len(self.indices) == len(matrix.data)
        shared = not len(indices) or np.may_share_memory(indices, self.indices)
        return matrix.shape == self.shape and same and shared


def _wrong_out(shape: tuple[int, int], dtype: np.dtype[Any]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "wrong-pattern",
        f"out must be an earlier sparse matrix of the same problem, of {dtype} with shape {shape}",
        help="leave `out` away once, and give that result as `out` from then on",
    )


def pattern_of(
    columns: Mapping[str, Columns],
    rows: Layout,
    params: Layout,
    dims: Mapping[str, int],
    arrays: Mapping[str, Array],
) -> Pattern:
    """The pattern of a Jacobian whose rows are the elements of some tensors, one after another.

    Two blocks of a row may have entries in common, as in `x[a[i]] - x[b[i]]` where a[i] = b[i]:
    these are added up. An entry at no place, as of `x[i - 1]` in row 0, has no value but 0.
    """
    known = {name: _Clipped(array) for name, array in arrays.items() if array.dtype.kind == "i"}
    flat_vector: Any = np.arange(params.size)
    entries = _Entries(params.arrays(flat_vector), dims, known)
    tables = [entries.of(columns[name], shape) for name, shape in rows.shapes.items()]
    widths = np.repeat([table.shape[1] for table in tables], [len(table) for table in tables])
    flat = np.concatenate([*(table.reshape(-1) for table in tables), np.zeros(0, np.int64)])
    shape = rows.size, params.size
    if all(map(_increasing, tables)):
        return _pattern(shape, widths, flat)
    return _put_in_order(shape, np.repeat(np.arange(rows.size), widths), flat)


def _put_in_order(shape: tuple[int, int], rows: Array, flat: Array) -> Pattern:
    """The pattern where entries have to be put in order, added up or left out."""
    places = np.where(flat < 0, -1, rows * shape[1] + flat)
    order = np.argsort(places, kind="stable")
    order = order[np.count_nonzero(flat < 0) :]
    firsts = np.flatnonzero(np.diff(places[order], prepend=-1))
    entries = order[firsts]
    widths = np.bincount(rows[entries], minlength=shape[0])
    return _pattern(shape, widths, flat[entries], entries, _repeated(order, firsts))


def _repeated(order: Array, firsts: Array) -> Repeated | None:
    """The entries that have several of the values at `order`, each entry those from a first on."""
    counts = np.diff(firsts, append=len(order))
    several = counts > 1
    if not several.any():
        return None
    ends = np.cumsum(counts[several])
    return Repeated(
        np.flatnonzero(several), order[np.repeat(several, counts)], ends - counts[several]
    )


def _pattern(
    shape: tuple[int, int],
    widths: Array,
    indices: Array,
    order: Array | None = None,
    repeated: Repeated | None = None,
    mirror: Array | None = None,
) -> Pattern:
    """A pattern with the smallest integers that SciPy has, which all its matrices may share."""
    few = max(*shape, len(indices)) <= np.iinfo(np.int32).max
    kind = np.int32 if few else np.int64
    indptr = np.concatenate([[0], np.cumsum(widths)]).astype(kind)
    indices = indices.astype(kind)
    for array in (indptr, indices):
        array.flags.writeable = False
    return Pattern(shape, indptr, indices, order, repeated, mirror)


def count_of_entries(
    columns: Mapping[str, Columns], rows: Layout, dims: Mapping[str, int]
) -> list[tuple[int, int]]:
    """For each tensor of a Jacobian's rows, how many there are and how many entries each has.

    At most: entries at no place, and those of several blocks, are counted.
    """
    return [
        (
            math.prod(shape),
            sum(math.prod(_sizes(block.extents, dims)) for block in columns[name].blocks),
        )
        for name, shape in rows.shapes.items()
    ]


def count_of_patches(found: Sequence[Patch], dims: Mapping[str, int]) -> int:
    """How many entries the patches of a symmetric matrix stand for, at most."""
    return 2 * sum(math.prod(_sizes(patch.shape, dims)) for patch in found)


def _sizes(extents: Shape, dims: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(max(int(evaluate(size, dims, {}, {})), 0) for size in extents)


def symmetric_pattern_of(
    patches: Sequence[Patch],
    params: Layout,
    dims: Mapping[str, int],
    arrays: Mapping[str, Array],
) -> Pattern:
    """The pattern of a symmetric matrix whose entries are those of patches, one after another.

    Patches have all that is on or below the diagonal, and what is there several times is added
    up; what they have above it is not looked at.
    """
    known = {name: _Clipped(array) for name, array in arrays.items() if array.dtype.kind == "i"}
    flat_vector: Any = np.arange(params.size)
    entries = _Entries(params.arrays(flat_vector), dims, known)
    found, start = [np.zeros((3, 0), np.int64)], 0
    for patch in patches:
        found.append(entries.lower_triangle(patch, start))
        start += math.prod(entries.sizes(patch.shape))
    values, rows, columns = np.concatenate(found, axis=1)
    size = params.size
    places = rows * size + columns
    order = np.argsort(places, kind="stable")
    firsts = np.flatnonzero(np.diff(places[order], prepend=-1))
    return _mirrored(size, values[order], firsts, places[order][firsts])


def _mirrored(size: int, order: Array, firsts: Array, places: Array) -> Pattern:
    """The pattern of both triangles, from the places of one in order."""
    rows, columns = np.divmod(places, max(size, 1))
    below = np.flatnonzero(rows != columns)
    both = np.concatenate([places, columns[below] * size + rows[below]])
    mirror = np.concatenate([np.arange(len(places)), below])
    sorting = np.argsort(both, kind="stable")
    rows, columns = np.divmod(both[sorting], max(size, 1))
    mirror = mirror[sorting]
    widths = np.bincount(rows, minlength=size)
    repeated, first = _repeated(order, firsts), order[firsts]
    if repeated is None:
        return _pattern((size, size), widths, columns, first[mirror])
    return _pattern((size, size), widths, columns, first, repeated, mirror)


@dataclass(frozen=True, slots=True)
class _Clipped:
    """Integer data, read in range: a row that is never computed may have no entry in it."""

    array: Array

    def __getitem__(self, place: tuple[Any, ...]) -> Array:
        if not self.array.size:
            return np.zeros(np.broadcast_shapes(*map(np.shape, place)), dtype=np.int64)
        shape = self.array.shape
        clipped = (np.clip(part, 0, size - 1) for part, size in zip(place, shape, strict=True))
        return self.array[tuple(clipped)]


@dataclass(frozen=True, slots=True)
class _Entries:
    """Finds the flat places of the entries of blocks; -1 where there is none."""

    params: Mapping[str, Array]  # every parameter's entries, as places in the flat vector
    dims: Mapping[str, int]
    arrays: Mapping[str, _Clipped]

    def of(self, columns: Columns, shape: tuple[int, ...]) -> Array:
        """A row of entries for every element of a tensor of some shape."""
        count = int(np.prod(shape, dtype=np.int64))
        found = [self._block(block, shape, count) for block in columns.blocks]
        return np.concatenate([*found, np.zeros((count, 0), np.int64)], axis=1)

    def sizes(self, extents: Shape) -> tuple[int, ...]:
        """Extents as numbers."""
        return _sizes(extents, self.dims)

    def lower_triangle(self, patch: Patch, start: int) -> Array:
        """The numbers of a patch's values, from `start` on, and their rows and columns, (3, count).

        Those that are on or below the diagonal, each once.
        """
        arrays: Any = self.arrays  # which are read like arrays
        indices, count = points(patch.loops, self.dims, arrays)
        axes = [
            np.broadcast_to(evaluate(part, self.dims, indices, self.arrays), count)
            for part in patch.axes
        ]
        *extents, height, width = self.sizes(patch.shape)
        flat = np.ravel_multi_index(axes, extents) if axes else np.zeros(min(count, 1), np.int64)
        flat, first = np.unique(flat, return_index=True)
        here = {name: array[first, None] for name, array in indices.items()}
        rows = self._running(patch.rows, here, len(flat))[:, :, None]
        columns = self._running(patch.columns, here, len(flat))[:, None, :]
        kept = (columns >= 0) & (rows >= columns)
        if patch.triangle:
            kept &= np.tri(height, width, dtype=bool)
        block, row, column = np.nonzero(kept)
        values = start + (flat[block] * height + row) * width + column
        return np.stack([values, rows[block, row, 0], columns[block, 0, column]])

    def _running(self, block: Block, indices: Mapping[str, Array], count: int) -> Array:
        """The entries of a block at some points, (count, width)."""
        extents = self.sizes(block.extents)
        own = {f"${k}": g.reshape(1, -1) for k, g in enumerate(np.indices(extents))}
        found = self._entries(self.params[block.param], block.place, {**indices, **own})
        return np.broadcast_to(found, (count, math.prod(extents)))

    def _block(self, block: Block, shape: tuple[int, ...], count: int) -> Array:
        """The entries of one block, (count, width)."""
        extents = self.sizes(block.extents)
        names = [f"@{k}" for k in range(len(shape))] + [f"${k}" for k in range(len(extents))]
        grid = np.indices((*shape, *extents), sparse=True)
        entries = self._entries(
            self.params[block.param], block.place, dict(zip(names, grid, strict=True))
        )
        width = int(np.prod(extents, dtype=np.int64))
        return np.broadcast_to(entries, (*shape, *extents)).reshape(count, width)

    def _entries(self, param: Array, place: Place, running: Mapping[str, Array]) -> Array:
        """The parameter's entries at a place, as far as it has them."""
        parts = [np.asarray(evaluate(part, self.dims, running, self.arrays)) for part in place]
        inside = np.asarray(True)
        for part, size in zip(parts, param.shape, strict=True):
            inside = inside & (part >= 0) & (part < size)
        if inside.all():
            return param[tuple(parts)]
        if not param.size:
            return np.full(inside.shape, -1)
        clipped = (
            np.clip(part, 0, size - 1) for part, size in zip(parts, param.shape, strict=True)
        )
        return np.where(inside, param[tuple(clipped)], -1)


def _increasing(table: Array) -> bool:
    """Whether in every row all entries are there, distinct and in order."""
    there = not table.size or table.min() >= 0
    return bool(there and (table[:, 1:] > table[:, :-1]).all())
