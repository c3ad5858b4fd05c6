"""Named arrays in one flat vector, one after another, row-major.

Of a packed array, the vector has the unknowns alone; people give and get the full array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.artifacts.python.runtime.binding import Shape, in_numbers
from symopt.artifacts.python.runtime.errors import data_error, nearest
from symopt.artifacts.python.runtime.specification import Packing, Param


@dataclass(frozen=True, slots=True)
class Pattern:
    """The unknown entries of square matrices with `side` rows, row by row of the lower triangle."""

    packing: Packing
    side: int

    @property
    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The row and the column of each unknown."""
        return np.tril_indices(self.side, -1 if self.packing == "strict lower" else 0)

    def packed(self, full: NDArray[Any]) -> NDArray[Any]:
        """The unknowns of arrays (..., side, side)."""
        rows, columns = self.places
        return full[..., rows, columns]

    def unpacked(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The full arrays: zero outside of the pattern, or mirrored."""
        rows, columns = self.places
        full = np.zeros((*stored.shape[:-1], self.side, self.side), dtype=stored.dtype)
        full[..., rows, columns] = stored
        if self.packing == "symmetric":
            full[..., columns, rows] = stored
        return full

    def stray(self, full: NDArray[Any]) -> Shape | None:
        """The first entry that such an array cannot have there, if any.

        A symmetric array may differ from its transpose by the rounding of a matrix product.
        """
        wanted = self.unpacked(self.packed(full))
        rounding = 1e-12 * np.abs(full).max(initial=0.0) if self.packing == "symmetric" else 0.0
        with np.errstate(invalid="ignore"):
            differing = ~((np.abs(full - wanted) <= rounding) | (full == wanted))
        differing &= ~(np.isnan(full) & np.isnan(wanted))
        places = np.argwhere(differing)
        return tuple(int(part) for part in places[0]) if len(places) else None


class Layout:
    """Which part of a flat vector belongs to which parameter.

    `shapes` are those of what is stored, `patterns` say which entries of full arrays that is.
    """

    def __init__(self, params: tuple[Param, ...], dims: Mapping[str, int]) -> None:
        self.shapes = {param.name: in_numbers(param.stored, dims) for param in params}
        self.patterns = {
            param.name: Pattern(param.packing, in_numbers(param.shape, dims)[-1])
            for param in params
            if param.packing is not None
        }
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in self.shapes.values()]
        self.size = sum(sizes)
        ends = np.cumsum(sizes, dtype=np.int64).tolist()
        self._parts = {
            name: slice(end - size, end)
            for name, size, end in zip(self.shapes, sizes, ends, strict=True)
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for every entry: `b`, `w[3]`, `W[0, 2]`; by its place in the full array."""
        found: list[str] = []
        for name, shape in self.shapes.items():
            if not shape:
                found.append(name)
                continue
            found.extend(f"{name}[{', '.join(map(str, place))}]" for place in self._places(name))
        return tuple(found)

    def _places(self, name: str) -> Iterator[Shape]:
        """Where each entry of a name is in its full array."""
        pattern, shape = self.patterns.get(name), self.shapes[name]
        if pattern is None:
            yield from np.ndindex(shape)
            return
        rows, columns = pattern.places
        unknowns = list(zip(rows.tolist(), columns.tolist(), strict=True))
        for batch in np.ndindex(shape[:-1]):
            yield from ((*batch, *place) for place in unknowns)

    def arrays(self, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The arrays, of packed ones the unknowns alone, as views of a flat vector."""
        return {name: flat[self._parts[name]].reshape(s) for name, s in self.shapes.items()}

    def unpack(self, flat: NDArray[Any]) -> dict[str, Any]:
        """The full arrays, copied; scalars as floats."""
        found: dict[str, Any] = {}
        for name, view in self.arrays(flat).items():
            if name in self.patterns:
                found[name] = self.patterns[name].unpacked(view)
            else:
                found[name] = view.copy() if view.ndim else float(view)
        return found

    def pack(self, values: Mapping[str, Any]) -> NDArray[np.float64]:
        """The flat vector; a number fills an array. Raises DataError for what does not fit.

        Of a packed array, `values` may have the full one or the unknowns alone.
        """
        for name in values:
            if name not in self.shapes:
                known = f"the parameters are {', '.join(self.shapes)}"
                help = nearest(name, self.shapes) or known
                raise data_error(f"there is no parameter `{name}`", help)
        flat = np.empty(self.size)
        for name, view in self.arrays(flat).items():
            if name not in values:
                raise data_error(f"no value given for parameter `{name}`")
            try:
                value = self._unknowns(name, np.asarray(values[name], dtype=np.float64))
                view[...] = value
            except (TypeError, ValueError):
                raise data_error(self._unfit(name, values[name])) from None
            if value.ndim and value.shape != view.shape:
                raise data_error(self._unfit(name, values[name]))
        return flat

    def _unknowns(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """What is stored of an array; anything but a full one as it is."""
        pattern = self.patterns.get(name)
        if pattern is None or not value.ndim or value.shape != self._full_shape(name):
            return value
        stray = pattern.stray(value)
        if stray is not None:
            raise data_error(*_stray_text(name, pattern, value, stray))
        return pattern.packed(value)

    def _full_shape(self, name: str) -> Shape:
        """The shape of the array that people give and get."""
        pattern, shape = self.patterns.get(name), self.shapes[name]
        return shape if pattern is None else (*shape[:-1], pattern.side, pattern.side)

    def _unfit(self, name: str, value: Any) -> str:
        stored, full = self.shapes[name], self._full_shape(name)
        also = f", or {stored} for its unknowns alone" if stored != full else ""
        found = np.shape(value) if not isinstance(value, str) else repr(value)
        return f"parameter `{name}` must have shape {full}{also}, found {found}"


def _stray_text(name: str, pattern: Pattern, value: NDArray[Any], place: Shape) -> tuple[str, str]:
    """What is wrong with a full array, and what to do."""
    at, number = ", ".join(map(str, place)), float(value[place])
    if pattern.packing == "symmetric":
        mirrored = (*place[:-2], place[-1], place[-2])
        there = f"{name}[{', '.join(map(str, mirrored))}] = {float(value[mirrored])!r}"
        message = f"`{name}` is symmetric, but {name}[{at}] = {number!r} and {there}"
        return message, "give one with equal halves, such as (A + A.T)/2"
    message = f"`{name}` is {pattern.packing}, but {name}[{at}] = {number!r} is outside of that"
    below = -1 if pattern.packing == "strict lower" else 0
    return message, f"give zeros there: numpy.tril(A, {below})"
