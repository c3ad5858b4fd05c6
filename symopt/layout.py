"""Named arrays in one flat vector, one after another, row-major.

Of a packed array, the vector has the unknowns alone; people give and get the full array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.diagnostics import DataError, Diagnostic, Kind
from symopt.typed.errors import nearest
from symopt.typed.packing import Pattern
from symopt.typed.program import Param
from symopt.types import Integer, evaluate

Vector = NDArray[np.float64]


Shape = tuple[int, ...]


def layout_of(params: Mapping[str, Param], dims: Mapping[str, int]) -> Layout:
    """The layout of a program's parameters, for some sizes."""

    def sizes(shape: tuple[Integer, ...]) -> Shape:
        return tuple(max(int(evaluate(size, dims, {}, {})), 0) for size in shape)

    patterns = {
        name: Pattern(param.packing, sizes(param.shape)[-1])
        for name, param in params.items()
        if param.packing is not None
    }
    return Layout({name: sizes(param.stored_shape) for name, param in params.items()}, patterns)


class Layout:
    """Which part of a flat vector belongs to which name.

    `shapes` are those of what is stored, `patterns` say which entries of full arrays that is.
    """

    def __init__(
        self, shapes: Mapping[str, Shape], patterns: Mapping[str, Pattern] = MappingProxyType({})
    ) -> None:
        self.shapes = dict(shapes)
        self.patterns = dict(patterns)
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in self.shapes.values()]
        ends = np.cumsum(sizes, dtype=np.int64).tolist()
        self.size: int = ends[-1] if ends else 0
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
            found.extend(f"{name}[{', '.join(map(str, place))}]" for place in self.places(name))
        return tuple(found)

    def places(self, name: str) -> Iterator[Shape]:
        """Where each entry of a name is in its full array."""
        pattern, shape = self.patterns.get(name), self.shapes[name]
        if pattern is None:
            yield from np.ndindex(shape)
            return
        unknowns = list(zip(pattern.rows.tolist(), pattern.columns.tolist(), strict=True))
        for batch in np.ndindex(shape[:-1]):
            yield from ((*batch, *place) for place in unknowns)

    def full_shape(self, name: str) -> Shape:
        """The shape of the array that people give and get."""
        pattern, shape = self.patterns.get(name), self.shapes[name]
        return shape if pattern is None else (*shape[:-1], pattern.side, pattern.side)

    def widened(self, width: int) -> Layout:
        """The layout of that many flat vectors side by side, the columns of a matrix."""
        return Layout({name: (*shape, width) for name, shape in self.shapes.items()})

    def arrays(self, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The arrays, of packed ones the unknowns alone, as views of a flat vector."""
        return {name: flat[self._parts[name]].reshape(s) for name, s in self.shapes.items()}

    def unpack(self, flat: Vector) -> dict[str, Any]:
        """The full arrays, copied; scalars as floats."""
        found: dict[str, Any] = {}
        for name, view in self.arrays(flat).items():
            if name in self.patterns:
                found[name] = self.patterns[name].unpacked(view)
            else:
                found[name] = view.copy() if view.ndim else float(view)
        return found

    def pack(self, values: Mapping[str, Any]) -> Vector:
        """The flat vector; a number fills an array. Raises DataError for what does not fit.

        Of a packed array, `values` may have the full one or the unknowns alone.
        """
        for name in values:
            if name not in self.shapes:
                raise DataError(_unknown(name, self.shapes))
        flat = np.empty(self.size)
        for name, view in self.arrays(flat).items():
            if name not in values:
                raise DataError(_missing(name))
            try:
                value = self._unknowns(name, np.asarray(values[name], dtype=np.float64))
                view[...] = value
            except (TypeError, ValueError):
                raise DataError(self._unfit(name, values[name])) from None
            if value.ndim and value.shape != view.shape:
                raise DataError(self._unfit(name, values[name]))
        return flat

    def _unknowns(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """What is stored of an array; anything but a full one as it is."""
        pattern = self.patterns.get(name)
        if pattern is None or not value.ndim or value.shape != self.full_shape(name):
            return value
        stray = pattern.stray(value)
        if stray is not None:
            raise DataError(_stray(name, pattern, value, stray))
        return pattern.packed(value)

    def _unfit(self, name: str, value: Any) -> Diagnostic:
        stored, full = self.shapes[name], self.full_shape(name)
        also = f", or {stored} for its unknowns alone" if stored != full else ""
        return _unfit(name, f"{full}{also}", value)


def _unknown(name: str, known: Mapping[str, Any]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "unknown-param",
        f"there is no parameter `{name}`",
        help=nearest(name, known) or f"the parameters are {', '.join(known)}",
    )


def _missing(name: str) -> Diagnostic:
    return Diagnostic(Kind.DATA, "missing-param", f"no value given for parameter `{name}`")


def _stray(name: str, pattern: Pattern, value: NDArray[Any], place: Shape) -> Diagnostic:
    at, number = ", ".join(map(str, place)), float(value[place])
    if pattern.packing == "symmetric":
        mirrored = (*place[:-2], place[-1], place[-2])
        there = f"{name}[{', '.join(map(str, mirrored))}] = {float(value[mirrored])!r}"
        message = f"`{name}` is symmetric, but {name}[{at}] = {number!r} and {there}"
        fix = "give one with equal halves, such as (A + A.T)/2"
    else:
        message = f"`{name}` is {pattern.packing}, but {name}[{at}] = {number!r} is outside of that"
        below = -1 if pattern.packing == "strict lower" else 0
        fix = f"give zeros there: numpy.tril(A, {below})"
    return Diagnostic(Kind.DATA, "outside-pattern", message, help=fix)


def _unfit(name: str, shape: str, value: Any) -> Diagnostic:
    found = np.shape(value) if not isinstance(value, str) else repr(value)
    return Diagnostic(
        Kind.DATA, "wrong-shape", f"parameter `{name}` must have shape {shape}, found {found}"
    )
