"""Batches: the same problem on some of its samples, or on others, without compiling it again.

A batch has its rows in arrays of its own, to which its native functions are bound. These go back
when the batch does, for the next one of the same size.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.binding import check_reads, indices, numbers
from symopt.calls import Calls
from symopt.diagnostics import DataError, Diagnostic, Kind, Report, SymoptError
from symopt.samples import Samples, samples_of
from symopt.types import evaluate

_KEPT = 4  # sets of arrays that no batch uses


class Lease:
    """The calls of one batch, for as long as it lives."""

    __slots__ = ("_batches", "calls")

    def __init__(self, batches: Batches, calls: Calls) -> None:
        self._batches = batches
        self.calls = calls

    def __del__(self) -> None:
        self._batches.take_back(self.calls)


class Batches:
    """Makes the batches of one bound problem."""

    def __init__(self, calls: Calls) -> None:
        stages = calls.kernels.model.stages
        self._samples: Samples = samples_of(stages.program, stages.task.program)
        self._calls = calls
        self.size = calls.kernels.bound.dims[self._samples.dim]
        self._free: list[Calls] = []
        self._lock = threading.Lock()

    def of(self, indices: Any) -> Lease:
        """The calls of the batch of some samples: whole numbers, a slice or a mask."""
        rows = self._rows(indices)
        calls = self._taken(len(rows)) or self._made(len(rows))
        whole = self._calls.kernels.bound.arrays
        for name, axes in self._samples.axes.items():
            _take(whole[name], rows, axes, calls.kernels.bound.arrays[name])
        return Lease(self, calls)

    def of_data(self, given: Mapping[str, Any]) -> Lease | None:
        """The calls of a batch of other samples; None where binding has to look at them all.

        That is where not just what belongs to samples is given, where shapes do not fit, or where
        reads depend on the entries of index arrays in more ways than their declared ranges tell.
        """
        if given.keys() != self._samples.axes.keys() or not self._ranges_tell:
            return None
        bound, report = self._calls.kernels.bound, Report()
        arrays: dict[str, NDArray[Any]] = {}
        for name, value in given.items():
            data = self._calls.kernels.model.stages.program.data[name]
            array = numbers(data, value, report, bound.dtype)
            if array is not None and data.index_of is not None:
                array = indices(data, array, bound.dims, report)
            if array is not None:
                arrays[name] = array
        report.stop_if_errors()
        count = self._count(arrays)
        if count is None:
            return None
        calls = self._taken(count) or self._made(count)
        for name, array in arrays.items():
            np.copyto(calls.kernels.bound.arrays[name], array)
        return Lease(self, calls)

    def _count(self, arrays: Mapping[str, NDArray[Any]]) -> int | None:
        """How many samples arrays are of; None if they are not of the same, or of another shape."""
        counts: set[int] = set()
        for name, axes in self._samples.axes.items():
            shape, whole = list(arrays[name].shape), self._calls.kernels.bound.arrays[name].shape
            for axis in axes:
                counts.add(shape[axis])
                shape[axis] = whole[axis]
            if tuple(shape) != whole:
                return None
        return counts.pop() if len(counts) == 1 and 0 not in counts else None

    @cached_property
    def _ranges_tell(self) -> bool:
        """Whether every read is in range for whatever index arrays of samples may hold."""
        stages, bound = self._calls.kernels.model.stages, self._calls.kernels.bound
        arrays = dict(bound.arrays)
        # What a recurrence reads by index arrays is as it was if none of them is of samples.
        indexed = any(arrays[name].dtype.kind == "i" for name in self._samples.axes)
        if indexed and any(definition.earlier for definition in stages.program.definitions):
            return False
        dims = {**bound.dims, self._samples.dim: 2}
        for name, axes in self._samples.axes.items():
            data = stages.program.data[name]
            shape = [2 if axis in axes else size for axis, size in enumerate(arrays[name].shape)]
            arrays[name] = np.zeros(shape, arrays[name].dtype)
            if data.index_of is not None:
                extent = int(evaluate(data.index_of, dims, {}, {}))
                arrays[name].flat[-1] = max(extent - 1, 0)
        try:
            check_reads(stages.task.program, replace(bound, dims=dims, arrays=arrays))
        except SymoptError:
            return False
        return True

    def take_back(self, calls: Calls) -> None:
        """Keep what a batch used for another one."""
        calls.forget_entries()
        with self._lock:
            self._free.append(calls)
            del self._free[:-_KEPT]

    def _taken(self, count: int) -> Calls | None:
        sample = self._samples.dim
        with self._lock:
            for number, calls in enumerate(self._free):
                if calls.kernels.bound.dims[sample] == count:
                    return self._free.pop(number)
        return None

    def _made(self, count: int) -> Calls:
        dims = {**self._calls.kernels.bound.dims, self._samples.dim: count}
        arrays = dict(self._calls.kernels.bound.arrays)
        for name, axes in self._samples.axes.items():
            shape = list(arrays[name].shape)
            for axis in axes:
                shape[axis] = count
            arrays[name] = np.empty(shape, arrays[name].dtype)
        kernels = self._calls.kernels
        return Calls(kernels.on(replace(kernels.bound, dims=dims, arrays=arrays)))

    def _rows(self, indices: Any) -> NDArray[np.intp]:
        """The numbers of the samples, in range."""
        if isinstance(indices, slice):
            rows = np.arange(*indices.indices(self.size), dtype=np.intp)
        else:
            given = np.asarray(indices)
            if given.dtype == np.bool_:
                if given.shape != (self.size,):
                    raise DataError(_wrong_mask(self.size, given.shape))
                rows = np.flatnonzero(given)
            elif given.ndim != 1 or (given.dtype.kind not in "iu" and given.size):
                raise DataError(_no_indices(given))
            else:
                rows = given.astype(np.intp, copy=False)
        if not len(rows):
            raise DataError(_empty())
        # As unsigned numbers, negative ones are beyond the end, too.
        if rows.view(np.uintp).max() >= self.size:
            raise DataError(_outside(rows, self.size))
        return rows


def _take(
    array: NDArray[Any], rows: NDArray[np.intp], axes: tuple[int, ...], into: NDArray[Any]
) -> None:
    """Rows of an array along all of some axes. In range; another mode would need a copy."""
    *others, last = axes
    for axis in others:
        array = array.take(rows, axis)
    array.take(rows, last, out=into, mode="clip")


# ── diagnostics ──────────────────────────────────────────────────────────────────────────────────


def _wrong_mask(size: int, found: tuple[int, ...]) -> Diagnostic:
    message = f"a mask of samples must have shape ({size},), found {found}"
    return Diagnostic(Kind.DATA, "wrong-shape", message)


def _no_indices(found: NDArray[Any]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "no-indices",
        "samples are given by a vector of whole numbers, a slice or a mask, "
        f"found {found.dtype} with shape {found.shape}",
    )


def _empty() -> Diagnostic:
    return Diagnostic(Kind.DATA, "no-samples", "a batch needs at least one sample")


def _outside(rows: NDArray[np.intp], size: int) -> Diagnostic:
    place = int(np.argmax((rows < 0) | (rows >= size)))
    return Diagnostic(
        Kind.DATA,
        "index-outside",
        f"sample {rows[place]} at place {place} is outside of 0 to {size - 1}",
        help="samples are counted from 0, and negative numbers do not count from the end",
    )
