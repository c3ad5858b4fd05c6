"""The pool of candidates, and the choices among them, of every method without derivatives.

All these methods are one loop: pick parents from a pool, perturb them, and keep a child that
improves on what is there, or with probability exp(-Δ/T) when searching globally.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import exp
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from symopt.optim.bounds import Box
from symopt.optim.problem import Matrix, Point, Problem, Vector, typical_sizes
from symopt.optim.rounding import EPSILON

_WIDTH = 0.3  # the standard deviation that searches a box, as a fraction of its width (Hansen)
_ROUNDING = 4 * EPSILON


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Candidates, the rows of (k, n), and their values, best first; the arrays are read-only."""

    places: NDArray[Any]  # of floats, or of what discrete states are made of
    values: Vector

    def __post_init__(self) -> None:
        self.places.setflags(write=False)
        self.values.setflags(write=False)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def ranges(self) -> Vector:
        """How far apart the candidates are, entry by entry."""
        return np.ptp(self.places, axis=0)

    @property
    def level(self) -> bool:
        """Whether the values are all the same but for rounding."""
        return bool(self.values[-1] - self.values[0] <= _ROUNDING * abs(self.values[0]))

    def kept(self, count: int) -> Pool:
        """The best so many."""
        return Pool(self.places[:count].copy(), self.values[:count].copy())

    def joined(self, other: Pool) -> Pool:
        """The candidates of both; among equals, those of this pool come first."""
        places = np.concatenate((self.places, other.places))
        return ranked(places, np.concatenate((self.values, other.values)))

    def same(self, other: Pool) -> bool:
        """Whether nothing has come or gone: a candidate that came is lower than one that went."""
        return np.array_equal(self.values, other.values)

    def improved(self, point: Point) -> Point:
        """The best candidate if it is lower than the point, else the point itself."""
        if not self.values[0] < point.value:
            return point
        return point_at(self.places, self.values, 0)


def ranked(places: NDArray[Any], values: Vector) -> Pool:
    """The pool of places whose values are known; equal ones keep their order."""
    order = np.argsort(values, kind="stable")
    return Pool(places[order], values[order])


def evaluated(problem: Problem, places: Matrix) -> Pool:
    """The pool of these places, evaluated together."""
    return ranked(places, values_at(problem, places))


def values_at(problem: Problem, places: Matrix) -> Vector:
    """The values at the rows, in their order; what is not finite is worse than everything."""
    values = np.asarray(problem.values(places), np.float64)
    return np.where(np.isfinite(values), values, np.inf)


def point_at(places: Matrix, values: Vector, row: int) -> Point:
    """One of the places, as a point."""
    return Point(places[row].copy(), float(values[row]), np.empty(0))


def lone(point: Point) -> Pool:
    """The pool of one candidate."""
    return Pool(point.x[None].copy(), np.array([point.value]))


def accepts(change: float, temperature: float, draw: float) -> bool:
    """Metropolis: a change for the better always, one for the worse with probability exp(-Δ/T).

    `draw` is uniform on [0, 1). A change that is not a number is refused.
    """
    if change <= 0:
        return True
    return temperature > 0 and draw < exp(-change / temperature)


def tournament(
    generator: np.random.Generator, candidates: int, rounds: int, size: int
) -> NDArray[np.intp]:
    """The winners of so many rounds among `size` candidates of a pool, drawn with replacement.

    The pool is ranked, so the winner of a round is the lowest index.
    """
    return generator.integers(candidates, size=(rounds, size)).min(axis=1)


def initial_spread(problem: Problem, x: Vector) -> Vector:
    """How widely to search each entry at first: by its two bounds, or else by its typical size."""
    lower, upper = problem.bounds
    width = upper - lower
    return np.where(np.isfinite(width), _WIDTH * width, typical_sizes(problem, x))


def inside(box: Box, anchor: Vector, places: Vector | Matrix) -> Matrix:
    """The places, one or the rows of many, clipped to what the box lets be reached from anchor."""
    return places if box.unbounded else box.move(anchor, places - anchor)


def reflected(box: Box, anchor: Vector, places: Vector | Matrix) -> Matrix:
    """The places, those beyond a bound mirrored at it; then clipped, where that is not enough."""
    if box.unbounded:
        return places
    mirrored = np.where(places < box.lower, 2 * box.lower - places, places)
    mirrored = np.where(mirrored > box.upper, 2 * box.upper - mirrored, mirrored)
    return inside(box, anchor, mirrored)


def resolved(spread: Vector, x: Vector, sizes: Vector, tolerance: float) -> bool:
    """Whether a spread is below the resolution: that fraction of x, or of the first spread."""
    return bool((spread <= tolerance * np.maximum(np.abs(x), sizes)).all())


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """How often a search has ended and begun anew, and where it ended last."""

    count: int = 0
    place: Vector | None = None

    def settled(self, x: Vector, sizes: Vector, tolerance: float) -> bool:
        """Whether another end at x is at the same place: to half the digits that are resolved.

        That is how well a value that is known to a tolerance tells where its minimum is.
        """
        if self.place is None:
            return False
        return resolved(np.abs(x - self.place), x, sizes, float(np.sqrt(tolerance)))

    def after(self, x: Vector) -> Rounds:
        """The rounds after one more that ended at x."""
        return Rounds(self.count + 1, x)


T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class TabuList(Generic[T]):
    """What must not be visited or undone for a while: the last `length` entries."""

    length: int
    entries: tuple[T, ...] = ()

    def __contains__(self, entry: object) -> bool:
        return entry in self.entries

    def adding(self, entry: T) -> TabuList[T]:
        """The list with one more entry; the oldest gives way."""
        return TabuList(self.length, (*self.entries, entry)[-self.length :])
