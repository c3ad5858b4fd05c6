"""Functions of flat vectors: what is given is looked at and converted, results are fresh or `out`.

A function keeps the memory of a call for the next one; calls at the same time have their own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.artifacts.python.runtime.binding import Shape, in_numbers
from symopt.artifacts.python.runtime.errors import data_error
from symopt.artifacts.python.runtime.library import OVERLAP, Native
from symopt.artifacts.python.runtime.specification import Entry

_LINE = 64  # bytes that a workspace is aligned to


class Room:
    """The memory of one call: copies of what is given, a number, and a workspace.

    `first` and `last` are the arguments before and after the arrays with results.
    """

    def __init__(
        self, native: Native, vectors: Sequence[NDArray[Any]], bytes_of_work: int, *, number: bool
    ) -> None:
        self.vectors = vectors
        self.number = ctypes.c_double()
        self._work = np.empty(bytes_of_work + _LINE, np.uint8)
        start = self._work.ctypes.data
        addresses = [ctypes.c_void_p(vector.ctypes.data) for vector in vectors]
        self.first = [native.data, *addresses, *([ctypes.byref(self.number)] if number else [])]
        self.last = [ctypes.c_void_p(start + -start % _LINE), ctypes.c_int64(bytes_of_work)]


class Function:
    """A function of the library, with data: its results are a number, arrays, or both."""

    def __init__(self, native: Native, entry: Entry, dims: Mapping[str, int], dtype: Any) -> None:
        self._native = native
        self._function = native.function(entry.name)
        self._bytes_of_work = native.workspace(entry.name)
        self.dtype = np.dtype(dtype)
        self._inputs = tuple(name for name, _ in entry.inputs)
        self.sizes = tuple(max(size.of(dims), 0) for _, size in entry.inputs)
        self._number = entry.results[0].number
        arrays = entry.results[1:] if self._number else entry.results
        assert not any(result.number for result in arrays), "a number comes before all arrays"
        self.shapes = [in_numbers(result.shape, dims) for result in arrays]
        self._rooms: list[Room] = []

    def __call__(self, *given: Any, out: Any = None) -> Any:
        """The results, arrays fresh or those of `out`."""
        try:
            room = self._rooms.pop()
        except IndexError:
            room = self._new_room()
        try:
            for input, value, vector in zip(self._inputs, given, room.vectors, strict=True):
                if (
                    type(value) is np.ndarray
                    and value.dtype is self.dtype
                    and value.shape == vector.shape
                ):
                    vector[...] = value
                else:
                    vector[...] = rounded(checked_vector(input, value, len(vector)), self.dtype)
            arrays = self._computed(room) if out is None else self._computed_into(room, out)
            results = [room.number.value, *arrays] if self._number else arrays
            return results[0] if len(results) == 1 else tuple(results)
        finally:
            self._rooms.append(room)

    def _new_room(self) -> Room:
        vectors = [np.zeros(size, self.dtype) for size in self.sizes]
        return Room(self._native, vectors, self._bytes_of_work, number=self._number)

    def _computed(self, room: Room) -> list[NDArray[Any]]:
        """Fresh arrays with results."""
        arrays = [np.empty(shape, self.dtype) for shape in self.shapes]
        status = self._run(room, arrays)
        if status:
            self._native.succeed(status)
        return arrays

    def _computed_into(self, room: Room, out: Any) -> list[NDArray[Any]]:
        """The arrays of a caller, with results; by way of others where that is needed."""
        targets = targets_of(out, self.shapes, self.dtype)
        status = OVERLAP
        if all(target.flags.carray for target in targets):
            status = self._run(room, targets)
        if status == OVERLAP:
            found = self._computed(room)
            return [copied(array, to) for array, to in zip(found, targets, strict=True)]
        if status:
            self._native.succeed(status)
        return targets

    def _run(self, room: Room, arrays: Sequence[Any]) -> int:
        """Fill contiguous arrays; what the library says of that."""
        # There is no address of nothing: that of the workspace will do.
        addresses = [
            _BY_REFERENCE(_BYTE(array)) if array.size else room.last[0] for array in arrays
        ]
        return self._function(*room.first, *addresses, *room.last)


# Looked up once, they take half the time.
_BY_REFERENCE = ctypes.byref
_BYTE = ctypes.c_char.from_buffer


def targets_of(out: Any, shapes: Sequence[Shape], dtype: np.dtype[Any]) -> list[NDArray[Any]]:
    """The caller's arrays, if results of these shapes can be written to them."""
    if not shapes:
        raise data_error("out is of no use for a single number")
    targets = list(out) if len(shapes) > 1 and isinstance(out, tuple | list) else [out]
    pairs = zip(shapes, targets, strict=False)
    if len(targets) == len(shapes) and all(_fits(shape, dtype, one) for shape, one in pairs):
        return targets
    wanted = " and ".join(f"an array of {dtype} with shape {shape}" for shape in shapes)
    found = " and ".join(map(_described, targets)) or "nothing"
    raise data_error(f"out must be {wanted}, found {found}")


def handed_out(parts: Sequence[Any], out: Any) -> list[Any]:
    """Numbers and fresh arrays as they are, or with the arrays in those of `out`."""
    if out is None:
        return list(parts)
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    dtype = arrays[0].dtype if arrays else np.dtype(float)
    targets = targets_of(out, [array.shape for array in arrays], dtype)
    following = (copied(array, to) for array, to in zip(arrays, targets, strict=True))
    return [next(following) if isinstance(part, np.ndarray) else part for part in parts]


def times_columns(function: Function, p: Any, v: Any, out: Any = None) -> Any:
    """A product with one vector, or with the columns of a matrix."""
    if type(v) is np.ndarray and v.ndim == 1:
        return function(p, v, out=out)
    vectors = floats(v)
    if vectors.ndim != 2 or len(vectors) != function.sizes[1]:
        return function(p, vectors, out=out)
    point, shape = floats(p), (*function.shapes[0], vectors.shape[1])
    targets = [] if out is None else targets_of(out, [shape], function.dtype)
    found = np.empty(shape, function.dtype)
    for column in range(vectors.shape[1]):
        found[:, column] = function(point, vectors[:, column])
    return copied(found, targets[0]) if targets else found


def copied(found: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    """The target, with what was found."""
    np.copyto(target, found)
    return target


def floats(value: Any) -> NDArray[np.float64]:
    """An array of doubles; what NumPy cannot convert it says itself."""
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise data_error(f"points and vectors are of real numbers, found {array.dtype}")
    return np.asarray(array, dtype=np.float64)


def checked_vector(name: str, value: Any, size: int) -> NDArray[np.float64]:
    """A vector of doubles; a DataError if it has another length."""
    array = floats(value)
    if array.shape != (size,):
        help = "`problem.pack({...})` makes the flat vector from parameters by name"
        if name != "p":
            help = f"or several vectors at once, as the columns of ({size}, k)"
        raise data_error(f"{name} must have shape ({size},), found {array.shape}", help)
    return array


def rounded(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """The array in a precision, what is too large for it infinite."""
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=False)


def _fits(shape: Shape, dtype: Any, out: Any) -> bool:
    return (
        isinstance(out, np.ndarray)
        and out.shape == shape
        and out.dtype == dtype
        and out.flags.writeable
    )


def _described(out: Any) -> str:
    if not isinstance(out, np.ndarray):
        return type(out).__name__
    what = f"{out.dtype} with shape {out.shape}"
    return what if out.flags.writeable else f"{what}, read-only"
