"""Functions of whatever NumPy converts: by way of vectors of their own, into arrays of the caller.

Native methods take plain arrays as they lie, and come here with everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.call_errors import not_real, out_of_number, wrong_out, wrong_vector
from symopt.diagnostics import DataError
from symopt.native.function import NativeFunction

Shape = tuple[int, ...]
WIDTH = 8  # vectors side by side in one run
_FEW = 2  # for which that many runs are quicker


class Function:
    """A function bound to data, and the parts of its result that are returned."""

    def __init__(self, native: NativeFunction, shapes: Sequence[Shape], symmetric: bool) -> None:
        self.native = native
        self._shapes = shapes
        self._symmetric = symmetric
        self._parts = native.cut(shapes)

    def slowly(self, *given: Any, out: Any = None) -> Any:
        """The results for anything that NumPy converts, by way of vectors of our own."""
        arrays = converted(self.native, given)  # which may call anything, even this function
        with self.native.lock:
            run(self.native, arrays)
            parts = self._parts
            if self._symmetric:
                lower, *others = parts
                parts = (np.tril(lower) + np.tril(lower, -1).T, *others)
            return handed_out(parts, out)

    def built_in(self, fallback: MethodType) -> Callable[..., Any] | None:
        """The function that uses arrays as they are, or falls back; None where it cannot be."""
        return self.native.method(self._shapes, fallback, symmetric=self._symmetric)


class Product:
    """A product with one vector, or with many side by side: (n,) or (n, k)."""

    def __init__(self, one: Function, panel: Callable[[], NativeFunction]) -> None:
        self._one = one
        self._panel = panel
        self._wide: NativeFunction | None = None

    def slowly(self, p: Any, v: Any, *, out: Any = None) -> Any:
        """The product with anything that NumPy converts."""
        native = self._one.native
        _, vector_room = native.inputs.values()
        vectors = floats(v)
        if vectors.ndim != 2 or len(vectors) != len(vector_room):
            return self._one.slowly(p, vectors, out=out)
        point = floats(p)
        shape = sum(native.sizes), vectors.shape[1]
        room = None if out is None else fitting(out, shape, native.dtype)
        shared = room is not None and any(np.may_share_memory(room, a) for a in (point, vectors))
        into = np.empty(shape, native.dtype) if room is None or shared else room
        self._fill(point, vectors, into)
        return handed_out((into,), out) if shared else into

    def _fill(self, point: NDArray[Any], vectors: NDArray[Any], into: NDArray[Any]) -> None:
        """Column by column the products, most of them several at once."""
        many = vectors.shape[1]
        wide = many - (many % WIDTH if many % WIDTH <= _FEW else 0)
        if wide:
            self._fill_wide(point, vectors[:, :wide], into[:, :wide])
        for column in range(wide, many):
            into[:, column] = self._one.slowly(point, vectors[:, column])

    def _fill_wide(self, point: NDArray[Any], vectors: NDArray[Any], into: NDArray[Any]) -> None:
        native = self._wide = self._wide or self._panel()
        (name, room), (_, block) = native.inputs.items()
        block = block.reshape(-1, WIDTH)
        result = native.result[: sum(native.sizes)].reshape(-1, WIDTH)
        with native.lock:
            room[...] = rounded(vector(name, point, len(room)), native.dtype)
            for start in range(0, vectors.shape[1], WIDTH):
                part = vectors[:, start : start + WIDTH]
                block[:, : part.shape[1]] = rounded(part, native.dtype)
                block[:, part.shape[1] :] = 0.0
                native.run()
                into[:, start : start + WIDTH] = result[:, : part.shape[1]]


def floats(value: Any) -> NDArray[np.float64]:
    """An array of doubles; what NumPy cannot convert it says itself."""
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise DataError(not_real(array))
    return np.asarray(array, dtype=np.float64)


def vector(name: str, value: Any, size: int) -> NDArray[np.float64]:
    """A vector of doubles; a DataError if it has another length."""
    array = floats(value)
    if array.shape != (size,):
        raise DataError(wrong_vector(name, size, array.shape))
    return array


def rounded(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The array in a precision, what is too large for it infinite."""
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=False)


def converted(native: NativeFunction, given: tuple[Any, ...]) -> list[NDArray[Any]]:
    """The inputs of a function as vectors of its precision."""
    return [
        rounded(vector(name, value, len(room)), native.dtype)
        for (name, room), value in zip(native.inputs.items(), given, strict=True)
    ]


def run(native: NativeFunction, arrays: Sequence[NDArray[Any]]) -> None:
    """Run on copies of the inputs. Hold the lock."""
    for room, array in zip(native.inputs.values(), arrays, strict=True):
        room[...] = array
    native.run()


def handed_out(parts: tuple[NDArray[Any], ...], out: Any, *, fresh: bool = False) -> Any:
    """Floats and arrays as the caller wants them: in arrays of its own, or in fresh ones.

    Parts that are `fresh` need no copy.
    """
    arrays = [part for part in parts if part.ndim]
    if out is None:
        taken: list[Any] = arrays if fresh else [array.copy() for array in arrays]
    elif not arrays:
        raise DataError(out_of_number())
    else:
        several = len(arrays) > 1 and isinstance(out, (tuple, list))
        taken = list(out) if several else [out]
        pairs = zip(arrays, taken, strict=False)
        fit = all(_fits(array.shape, array.dtype, target) for array, target in pairs)
        if len(taken) != len(arrays) or not fit:
            raise DataError(wrong_out(arrays, taken))
        for array, target in zip(arrays, taken, strict=True):
            np.copyto(target, array)
    following = iter(taken)
    results = tuple(next(following) if part.ndim else part.item() for part in parts)
    first, *others = results
    return results if others else first


def fitting(out: Any, shape: Shape, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The caller's array, if results of this shape can be written to it."""
    if not _fits(shape, dtype, out):
        raise DataError(wrong_out([np.broadcast_to(np.zeros((), dtype), shape)], [out]))
    return out


def _fits(shape: Shape, dtype: Any, out: Any) -> bool:
    return (
        isinstance(out, np.ndarray)
        and out.shape == shape
        and out.dtype == dtype
        and out.flags.writeable
    )
