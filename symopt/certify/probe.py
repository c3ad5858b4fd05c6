"""One point of a problem, and the directions along which derivatives are looked at there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symopt.certify.comparisons import SINGLE, TOLERANCE, Axis, compare
from symopt.certify.differences import Difference, branches, differentiate, same_branches
from symopt.certify.oracle import Oracle
from symopt.certify.report import DIFFERENCES, Comparison

if TYPE_CHECKING:
    from symopt.problem import Problem

Array = NDArray[Any]

EVALUATOR, COMPLEX, DUAL = "NumPy evaluator", "complex step", "dual numbers"

_MOST_COLUMNS = 50  # up to so many parameters, every column is looked at
_MOST_POINTS = 2_000_000  # of statements, for all columns together
_DIRECTIONS = 3  # looked at where there is more
_MOST_ENTRIES = 4_000_000  # of a dense matrix
_ROOM = 30.0  # how many times the estimated error of differences is allowed
_UNRESOLVED = 1e-2  # differences less certain than this say nothing


@dataclass(slots=True)
class Probe:
    """A problem, its oracle, and where they are compared.

    The rows of `directions` are the unit vectors where `every` column is looked at, else random
    directions; `direction` is one for products and differences.
    """

    problem: Problem
    oracle: Oracle
    p: Array
    every: bool
    directions: Array
    labels: tuple[str, ...]
    direction: Array
    weights: Array  # of the cut

    _rows: dict[tuple[str, str], Array] = field(default_factory=dict)

    @property
    def entries(self) -> Axis:
        """The axis of results by parameters."""
        return Axis(self.oracle.params.names, self.units)

    @property
    def columns(self) -> Axis:
        """The axis of results along the directions."""
        return Axis(self.labels, self.units if self.every else np.ones(len(self.labels)))

    @property
    def cut(self) -> Axis:
        """The axis of results by entries of the cut."""
        return Axis(self.oracle.cut.names)

    @property
    def units(self) -> Array:
        """The size of each parameter, as far as its value tells."""
        return np.where(self.p == 0, 1.0, np.abs(self.p))

    def along(self, function: Callable[[Array], Array]) -> Array:
        """A function of each direction, in rows."""
        return np.array([function(v) for v in self.directions])

    def stepped(self, name: str) -> Array:
        """The change of a function along each direction, in rows, by complex step."""
        return self._kept(name, COMPLEX, lambda v: self.oracle.complex_step(name, self.p, v))

    def dual(self, name: str) -> Array:
        """The same in dual numbers."""
        return self._kept(name, DUAL, lambda v: self.oracle.dual(name, self.p, v))

    def scale(self, name: str) -> Array:
        """The scale of a product with each direction, in rows."""
        return self._kept(name, "scale", lambda v: self.oracle.scale(name, self.p, v, signs=1))

    def _kept(self, name: str, kind: str, function: Callable[[Array], Array]) -> Array:
        if (name, kind) not in self._rows:
            self._rows[name, kind] = self.along(function)
        return self._rows[name, kind]

    @property
    def _single(self) -> bool:
        return self.problem.dtype == np.float32

    def products(self, matrix: Any) -> Array:
        """A matrix, dense or sparse, times each direction, in rows."""
        return np.asarray(matrix @ self.directions.T).T

    def beside(
        self, function: str, oracle: str, found: Any, wanted: Any, scale: Any, *axes: Axis
    ) -> Comparison:
        """A result beside the number that an exact oracle has for it."""
        tolerance = SINGLE if self._single else TOLERANCE
        return compare(function, oracle, found, wanted, scale, axes, tolerance)

    def difference(self, function: Callable[[Array], Array]) -> Difference:
        """The derivative of a function along `direction`, by differences."""
        here = self.branches(0.0)

        def same(step: float) -> bool:
            """Whether there is no kink within a step of the point, to either side."""
            return all(
                same_branches(here, self.branches(fraction * step)) for fraction in (1.0, -1.0, 0.5)
            )

        return differentiate(lambda t: function(self.p + t * self.direction), same)

    def branches(self, t: float) -> tuple[Array, ...]:
        program = self.oracle.task.program
        given = self.oracle.params.arrays(self.p + t * self.direction)
        return branches(program, self.oracle.run(program, given))

    def differing(
        self, function: str, found: Array, slope: Difference, scale: Array, *axes: Axis
    ) -> Comparison:
        """A result beside differences, within what these can tell."""
        if slope.kink:
            return Comparison(function, DIFFERENCES, 0.0, 0.0, note="the point is at a kink")
        wanted = np.asarray(slope.value, dtype=float)
        size = np.maximum(np.abs(wanted), scale)
        with np.errstate(all="ignore"):
            doubt = np.where(size > 0, slope.error / size, 0.0)
        if not np.isfinite(doubt).all() or doubt.max(initial=0.0) > _UNRESOLVED:
            return Comparison(function, DIFFERENCES, 0.0, 0.0, note="differences do not settle")
        tolerance = float(_ROOM * doubt.max(initial=0.0)) + _FLOOR
        if self._single:
            tolerance = max(tolerance, SINGLE)
        return compare(function, DIFFERENCES, found, wanted, scale, axes, tolerance)

    def fits(self, rows: int, columns: int) -> bool:
        """Whether a dense matrix of this size is worth computing for a check."""
        return rows * columns <= _MOST_ENTRIES


_FLOOR = 1e-7  # what estimates of differences may miss


def probe(problem: Problem, oracle: Oracle, p: Array, seed: int) -> Probe:
    """The point, with directions drawn from a seed."""
    rng = np.random.default_rng(seed)
    n = len(p)
    # Parameters may be of very different sizes: directions are in their units.
    size = np.where(p == 0, 1.0, np.abs(p))

    def draw(count: int) -> Array:
        signs = rng.choice((-1.0, 1.0), (count, n))
        return size * rng.uniform(0.25, 1.0, (count, n)) * signs

    every = n <= _MOST_COLUMNS and n * oracle.points(p) <= _MOST_POINTS
    directions = np.eye(n) if every else draw(_DIRECTIONS)
    labels = oracle.params.names if every else tuple(f"direction {k}" for k in range(_DIRECTIONS))
    weights = rng.uniform(0.25, 1.0, oracle.cut.size) * rng.choice((-1.0, 1.0), oracle.cut.size)
    return Probe(problem, oracle, p, every, directions, labels, draw(1)[0], weights)
