"""Batches: the same problem on some of its samples, without compiling or checking again.

A batch has its rows in arrays of its own, to which its native functions are bound. These go back
when the batch does, for the next one of the same size.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.calls import Calls
from symopt.diagnostics import DataError, Diagnostic, Kind
from symopt.samples import Samples, samples_of

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
