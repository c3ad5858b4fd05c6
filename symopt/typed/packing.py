"""Packings of parameters: which entries of a square array are unknowns, and where they are stored.

The unknowns of the last two axes are stored one after another, row by row of the lower triangle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.syntax.tree import Packing
from symopt.types import Integer, constant

Shape = tuple[Integer, ...]


def stored_shape(packing: Packing, shape: Shape) -> Shape:
    """The shape of the unknowns alone, for an array whose last two axes are square."""
    side = shape[-1]
    step = -1 if packing == "strict lower" else 1
    return (*shape[:-2], (side * (side + step)) // constant(2))


def positions_name(name: str) -> str:
    """The integer array that says where the entries of a parameter are stored."""
    return f"{name}.pos"  # no name in a file has a point in it


@dataclass(frozen=True, slots=True)
class Pattern:
    """The unknown entries of square matrices with `side` rows."""

    packing: Packing
    side: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each unknown."""
        return np.tril_indices(self.side, self._diagonal)[0]

    @property
    def columns(self) -> NDArray[np.int64]:
        """The column of each unknown."""
        return np.tril_indices(self.side, self._diagonal)[1]

    @property
    def _diagonal(self) -> int:
        return -1 if self.packing == "strict lower" else 0

    @property
    def positions(self) -> NDArray[np.int64]:
        """Where every entry is stored, (side, side).

        An entry that is always zero has the place of one to its left: a sparse Jacobian has no
        column more for it.
        """
        row, column = np.indices((self.side, self.side))
        if self.packing == "symmetric":
            row, column = np.maximum(row, column), np.minimum(row, column)
        column = np.minimum(column, row + self._diagonal)
        before = row * (row + 1) // 2 if self._diagonal == 0 else row * (row - 1) // 2
        return np.maximum(before + column, 0)

    def packed(self, full: NDArray[Any]) -> NDArray[Any]:
        """The unknowns of arrays (..., side, side)."""
        return full[..., self.rows, self.columns]

    def unpacked(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The full arrays: zero outside of the pattern, or mirrored."""
        full = np.zeros((*stored.shape[:-1], self.side, self.side), dtype=stored.dtype)
        full[..., self.rows, self.columns] = stored
        if self.packing == "symmetric":
            full[..., self.columns, self.rows] = stored
        return full

    def stray(self, full: NDArray[Any]) -> tuple[int, ...] | None:
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
