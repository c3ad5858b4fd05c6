"""Binding: data meets the program's declarations, dims get their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.artifacts.python.runtime.data_errors import (
    beyond_single,
    compiled_size,
    dim_unknown,
    extra_data,
    index_beyond,
    missing_data,
    missing_entries,
    negative_size,
    not_integers,
    not_numeric,
    nothing_below,
    size_unsolved,
    wrong_rank,
    wrong_size,
)
from symopt.artifacts.python.runtime.errors import Mistake, data_error, stop_if_any
from symopt.artifacts.python.runtime.specification import (
    Data,
    Size,
    Sizes,
    Specification,
)

Array = NDArray[Any]
Shape = tuple[int, ...]
Axis = tuple[Data, int, Size, int]  # a size as declared, and as found


@dataclass(frozen=True, slots=True)
class Bound:
    """Sizes and arrays: everything given or by default, of the right type, contiguous, in range."""

    dims: Mapping[str, int]
    arrays: Mapping[str, Array]


def bind_data(
    loss: Specification,
    given: Mapping[str, Any],
    sizes: Mapping[str, int],
    computed: Callable[[Bound, Data], Array],
) -> Bound:
    """Check what is given against the declarations; raises every mismatch found.

    `computed` are defaults that take more than a number.
    """
    mistakes: list[Mistake] = []
    known = {data.name for data in loss.data}
    mistakes += [extra_data(name, loss) for name in sorted(given.keys() - known)]
    arrays: dict[str, Array] = {}
    for data in loss.data:
        if data.name in given:
            array = numbers(data, given[data.name], mistakes, np.dtype(loss.dtype))
            if array is not None:
                arrays[data.name] = array
        elif data.default is None:
            mistakes.append(missing_data(data))
        elif isinstance(data.default, tuple):
            # An array written out has a size of its own, from which dims can be read off.
            arrays[data.name] = np.array(data.default, dtype=loss.dtype)
    stop_if_any(mistakes)
    dims = _dims(loss, arrays, sizes, mistakes)
    stop_if_any(mistakes)
    _check_packed(loss, dims, mistakes)
    for data in loss.data:
        if data.name not in arrays:
            arrays[data.name] = _default(data, Bound(dims, arrays), loss, computed)
        if data.below is not None:
            arrays[data.name] = _indices(data, data.below, arrays[data.name], dims, mistakes)
    stop_if_any(mistakes)
    return Bound(dims, arrays)


def in_numbers(shape: Sizes, dims: Mapping[str, int]) -> Shape:
    """A shape for some sizes; what would be negative is 0."""
    return tuple(max(size.of(dims), 0) for size in shape)


def numbers(data: Data, value: Any, mistakes: list[Mistake], dtype: np.dtype[Any]) -> Array | None:
    """The value as a contiguous array of reals, without a copy where it is one."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        masked = np.ma.getmaskarray(value)
        mistakes.append(missing_entries(data, "masked", _first(masked), int(masked.sum())))
        return None
    try:
        array = np.asarray(value)
    except ValueError:
        mistakes.append(not_numeric(data, "rows of different lengths"))
        return None
    bad = _first_bad(array) if array.dtype.kind not in "biuf" else None
    if bad is not None:
        mistakes.append(not_numeric(data, *bad))
        return None
    if array.ndim != len(data.shape):
        mistakes.append(wrong_rank(data, array.shape))
        return None
    if array.dtype.kind == "i" and data.below is not None:
        return np.require(array, np.int64, ["C", "ALIGNED"])
    if data.below is not None:
        dtype = np.dtype(np.float64)  # a float has no whole numbers beyond 2^24
    return _rounded_data(data, array, mistakes, dtype)


def _rounded_data(
    data: Data, array: Array, mistakes: list[Mistake], dtype: np.dtype[Any]
) -> Array | None:
    with np.errstate(over="ignore"):
        rounded = np.require(array, dtype, ["C", "ALIGNED"])
    if dtype != array.dtype and dtype == np.float32:
        beyond = np.isinf(rounded) & ~np.isinf(array)
        if beyond.any():
            mistakes.append(beyond_single(data, _first(beyond), array[_first(beyond)]))
    if rounded.size and np.isnan(rounded.min()):
        missing = np.isnan(rounded)
        mistakes.append(missing_entries(data, "nan", _first(missing), int(missing.sum())))
        return None
    return rounded


def _first(mask: Array) -> Shape:
    """The place of the first true entry."""
    return tuple(int(k) for k in np.unravel_index(int(np.argmax(mask)), mask.shape))


def _first_bad(array: Array) -> tuple[str, Shape] | None:
    """What is no real number in an array of another kind, and where; None if all are."""
    if array.dtype.kind == "c":
        return "complex numbers", ()
    for place, item in np.ndenumerate(array):
        plain = item.item() if isinstance(item, np.generic) else item
        try:
            if not isinstance(plain, str | bytes):
                float(plain)
                continue
        except (TypeError, ValueError, OverflowError):
            pass
        text = repr(plain)
        return text if len(text) <= 40 else text[:37] + "...", place
    return None


# ── sizes ────────────────────────────────────────────────────────────────────────────────────────


def _dims(
    loss: Specification,
    arrays: Mapping[str, Array],
    sizes: Mapping[str, int],
    mistakes: list[Mistake],
) -> dict[str, int]:
    """The value of every dim: compiled in, from the caller, from shapes, or its default."""
    dims, origin = _told(loss, sizes, mistakes)
    pending: list[Axis] = [
        (data, axis, size, arrays[data.name].shape[axis])
        for data in loss.data
        if data.name in arrays
        for axis, size in enumerate(data.shape)
    ]
    while pending:
        left = [item for item in pending if not _settle(item, dims, origin, mistakes)]
        if len(left) == len(pending):
            missing = {name for _, _, size, _ in left for name in size.dims}
            known = {
                dim.name: dim.default
                for dim in sorted(loss.dims, key=lambda dim: dim.name)
                if dim.name in missing and dim.name not in dims and dim.default is not None
            }
            if not known:
                for data, axis, size, found in left:
                    unknown = [name for name in size.dims if name not in dims]
                    mistakes.append(size_unsolved(data, axis, size, found, unknown))
                return dims
            dims |= known
            origin |= dict.fromkeys(known, "its default")
        pending = left
    for dim in loss.dims:
        if dim.name not in dims and dim.default is not None:
            dims[dim.name] = dim.default
        if dim.name not in dims:
            mistakes.append(dim_unknown(dim))
        elif dims[dim.name] < 0:
            mistakes.append(negative_size(dim, dims[dim.name]))
    return dims


def _told(
    loss: Specification, sizes: Mapping[str, int], mistakes: list[Mistake]
) -> tuple[dict[str, int], dict[str, str]]:
    """Dims that are known before data is looked at, and from where."""
    declared = {dim.name: dim for dim in loss.dims}
    dims = {dim.name: dim.compiled for dim in loss.dims if dim.compiled is not None}
    origin = dict.fromkeys(dims, "`symopt compile`")
    for name, value in sizes.items():
        if dims.get(name, value) != value:
            mistakes.append(compiled_size(declared[name], value, loss))
        elif name not in dims:
            dims[name], origin[name] = value, "the caller"
    return dims, origin


def _settle(
    item: Axis, dims: dict[str, int], origin: dict[str, str], mistakes: list[Mistake]
) -> bool:
    """Learn a dim from one axis, or check the axis; False if more than one dim is unknown."""
    data, axis, size, found = item
    unknown = [name for name in size.dims if name not in dims]
    if len(unknown) > 1:
        return False
    if unknown:
        solved = _solve(size, unknown[0], found, dims)
        if solved is None:
            return False
        dims[unknown[0]] = solved
        origin[unknown[0]] = f"axis {axis} of `{data.name}`"
        return True
    expected = size.of(dims)
    if expected != found:
        reasons = [f"{name} = {dims[name]} from {origin[name]}" for name in size.dims]
        mistakes.append(wrong_size(data, axis, size, expected, found, reasons))
    return True


def _solve(size: Size, name: str, found: int, dims: Mapping[str, int]) -> int | None:
    """The dim for which the size is `found`, if the size is linear in it and that is whole."""
    try:
        at = [size.of({**dims, name: value}) for value in (0, 1, 2)]
    except ZeroDivisionError:
        return None
    slope = at[1] - at[0]
    if slope == 0 or at[2] - at[1] != slope or (found - at[0]) % slope:
        return None
    return (found - at[0]) // slope


def whole_size(name: str, value: Any) -> int:
    """A size that a caller gives; raises DataError for what is none."""
    try:
        number = int(value)
        whole = bool(number == value)
    except (TypeError, ValueError, OverflowError):
        number, whole = -1, False
    if not whole or number < 0:
        raise data_error(f"dim `{name}` must be a whole number, found {value!r}")
    return number


def _check_packed(loss: Specification, dims: Mapping[str, int], mistakes: list[Mistake]) -> None:
    for param in loss.params:
        if param.packing == "strict lower" and param.shape[-1].of(dims) == 1:
            mistakes.append(nothing_below(param))


# ── what is not given, and indices ───────────────────────────────────────────────────────────────


def _default(
    data: Data, bound: Bound, loss: Specification, computed: Callable[[Bound, Data], Array]
) -> Array:
    if isinstance(data.default, str):
        return computed(bound, data)
    return np.full(in_numbers(data.shape, bound.dims), data.default, dtype=loss.dtype)


def _indices(
    data: Data, below: Size, array: Array, dims: Mapping[str, int], mistakes: list[Mistake]
) -> NDArray[np.int64]:
    """Integer data, each entry checked against the size it indexes."""
    whole = array if array.dtype.kind == "i" else np.rint(array)
    broken = np.zeros(array.shape, dtype=bool)
    if array.dtype.kind != "i":
        broken = (whole != array) | ~np.isfinite(array)
    if broken.any():
        place = _first(broken)
        mistakes.append(not_integers(data, below, place, float(array[place])))
        return np.zeros(array.shape, dtype=np.int64)
    size = below.of(dims)
    outside = (whole < 0) | (whole >= size)
    if outside.any():
        place = _first(outside)
        ends = int(whole.min()), int(whole.max())
        mistakes.append(index_beyond(data, below, place, int(whole[place]), size, ends))
        return np.zeros(array.shape, dtype=np.int64)
    # A copy of our own: native code trusts these entries, and a caller may change its array.
    return np.array(whole, dtype=np.int64, order="C")
