"""Named arrays in one flat vector, one after another, row-major."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.diagnostics import DataError, Diagnostic, Kind
from symopt.typed.errors import nearest

Vector = NDArray[np.float64]


class Layout:
    """Which part of a flat vector belongs to which name."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in self.shapes.values()]
        ends = np.cumsum(sizes, dtype=np.int64).tolist()
        self.size: int = ends[-1] if ends else 0
        self._parts = {
            name: slice(end - size, end)
            for name, size, end in zip(self.shapes, sizes, ends, strict=True)
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for every entry: `b`, `w[3]`, `W[0, 2]`."""
        found: list[str] = []
        for name, shape in self.shapes.items():
            if not shape:
                found.append(name)
                continue
            found.extend(f"{name}[{', '.join(map(str, place))}]" for place in np.ndindex(shape))
        return tuple(found)

    def arrays(self, flat: Vector) -> dict[str, NDArray[Any]]:
        """The named arrays as views of a flat vector."""
        return {name: flat[self._parts[name]].reshape(s) for name, s in self.shapes.items()}

    def unpack(self, flat: Vector) -> dict[str, Any]:
        """The named arrays, copied; scalars as floats."""
        views = self.arrays(flat)
        return {name: view.copy() if view.ndim else float(view) for name, view in views.items()}

    def pack(self, values: Mapping[str, Any]) -> Vector:
        """The flat vector; a number fills an array. Raises DataError for what does not fit."""
        for name in values:
            if name not in self.shapes:
                raise DataError(_unknown(name, self.shapes))
        flat = np.empty(self.size)
        for name, view in self.arrays(flat).items():
            if name not in values:
                raise DataError(_missing(name))
            try:
                value = np.asarray(values[name], dtype=np.float64)
                view[...] = value
            except (TypeError, ValueError):
                raise DataError(_unfit(name, view.shape, values[name])) from None
            if value.ndim and value.shape != view.shape:
                raise DataError(_unfit(name, view.shape, values[name]))
        return flat


def _unknown(name: str, known: Mapping[str, Any]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "unknown-param",
        f"there is no parameter `{name}`",
        help=nearest(name, known) or f"the parameters are {', '.join(known)}",
    )


def _missing(name: str) -> Diagnostic:
    return Diagnostic(Kind.DATA, "missing-param", f"no value given for parameter `{name}`")


def _unfit(name: str, shape: tuple[int, ...], value: Any) -> Diagnostic:
    found = np.shape(value) if not isinstance(value, str) else repr(value)
    return Diagnostic(
        Kind.DATA, "wrong-shape", f"parameter `{name}` must have shape {shape}, found {found}"
    )
