"""Sparse Jacobians: where the values that native code computes stand in the matrix.

A Jacobian by blocks is a dense array of values, row by row. Which column each of them belongs to
follows from index maps and integer data alone, so it is found once, when data is bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symopt.derive.blocks import Block, Columns, Place
from symopt.diagnostics import DataError, Diagnostic, Kind
from symopt.layout import Layout
from symopt.types import evaluate

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """The structure of a CSR matrix, and how its entries come from the values computed.

    Entries are the values in their order, or else those at `order`, of which several in a row may
    belong to one entry: `firsts` then says where each entry begins.
    """

    shape: tuple[int, int]
    indptr: Array
    indices: Array
    order: Array | None = None
    firsts: Array | None = None

    def room(self, out: csr_array | None) -> Array | None:
        """Where to compute the values so that they need not be moved to an earlier matrix."""
        if out is not None and not self.is_of(out):
            raise DataError(_wrong_out(self.shape))
        return out.data if out is not None and self.order is None else None

    def matrix(self, values: Array, out: csr_array | None = None) -> csr_array:
        """The matrix with these values, which it keeps; or an earlier one with these values now.

        Of an earlier one, the values may already be in its `room`.
        """
        from scipy.sparse import csr_array  # not needed before somebody asks for a matrix

        fresh = out is None
        data = (
            (values if self.order is None else np.empty(len(self.indices))) if fresh else out.data
        )
        if self.order is None:
            assert data is values, "computed in place"
        elif self.firsts is None:
            np.take(values, self.order, out=data, mode="clip")  # other modes need a copy
        else:
            np.add.reduceat(values[self.order], self.firsts, out=data)
        if out is not None:
            return out
        found = csr_array((data, self.indices, self.indptr), shape=self.shape)
        found.has_canonical_format = True
        return found

    def is_of(self, matrix: csr_array) -> bool:
        """Whether a matrix has this pattern's own index arrays."""
        indices = getattr(matrix, "indices", np.empty(0))
        same = len(indices) == len(self.indices) == len(matrix.data)
        shared = not len(indices) or np.may_share_memory(indices, self.indices)
        return matrix.shape == self.shape and same and shared


def _wrong_out(shape: tuple[int, int]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "wrong-pattern",
        f"out must be an earlier sparse Jacobian of the same problem, of shape {shape}",
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
    return _pattern(
        shape, widths, flat[entries], order, firsts if len(firsts) < len(order) else None
    )


def _pattern(
    shape: tuple[int, int],
    widths: Array,
    indices: Array,
    order: Array | None = None,
    firsts: Array | None = None,
) -> Pattern:
    """A pattern with the smallest integers that SciPy has, which all its matrices may share."""
    few = max(*shape, len(indices)) <= np.iinfo(np.int32).max
    kind = np.int32 if few else np.int64
    indptr = np.concatenate([[0], np.cumsum(widths)]).astype(kind)
    indices = indices.astype(kind)
    for array in (indptr, indices):
        array.flags.writeable = False
    return Pattern(shape, indptr, indices, order, firsts)


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

    def _block(self, block: Block, shape: tuple[int, ...], count: int) -> Array:
        """The entries of one block, (count, width)."""
        extents = tuple(max(int(evaluate(size, self.dims, {}, {})), 0) for size in block.extents)
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
