"""The problem as methods see it: to be minimized, without fixed entries, every call counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from symopt.optim.bounds import Box, box_between
from symopt.optim.problem import FisherKind, Mask, Matrix, Needs, Point, Problem, Sparse, Vector
from symopt.optim.single import DoubledProblem

Arguments = ParamSpec("Arguments")
T = TypeVar("T")


class ProblemRaised(Exception):
    """An error that came out of the problem, not out of the method; its cause is the error."""

    def __init__(self, place: str, error: Exception) -> None:
        super().__init__(f"{place}: {type(error).__name__}: {error}")
        self.error = error


@dataclass(slots=True)
class Counts:
    """How often what was evaluated, what came first, and where a value was last not finite."""

    values: int = 0
    gradients: int = 0
    hessians: int = 0
    nonfinite: Vector | None = None
    first: Point | None = None
    barren: int = 0  # values in a row, up to the last one, that were not finite


@dataclass(frozen=True, slots=True, eq=False)
class WorkingProblem:
    """A view of `original` with the entries outside `free` held at their values in `anchor`.

    Its values are those of the original, negated when that is to be maximized; its unknowns are
    those of the original, divided by `scales` where there are some.
    """

    original: Problem
    anchor: Vector
    free: Mask
    scales: Vector | None = None  # of the free entries
    counts: Counts = field(default_factory=Counts)
    boxes: list[Box] = field(default_factory=list[Box])  # that of the unknowns, once it was needed
    whole: bool = field(init=False)  # whether its unknowns are just those of the original

    def __post_init__(self) -> None:
        object.__setattr__(self, "whole", self.scales is None and bool(self.free.all()))

    def on(self, other: Problem) -> WorkingProblem:
        """The same view of a problem with other samples; its calls are counted with these."""
        return replace(self, original=other)

    @property
    def box(self) -> Box:
        """The bounds of the unknowns; the same on all samples."""
        if not self.boxes:
            self.boxes.append(box_between(*self.bounds, *self.open_bounds))
        return self.boxes[0]

    @property
    def undoubled(self) -> Problem:
        """The caller's problem, in its own precision."""
        original = self.original
        return original.original if isinstance(original, DoubledProblem) else original

    def expand(self, p: Vector) -> Vector:
        """The full vector for the free entries p."""
        if self.whole:
            return p
        full = self.anchor.copy()
        full[self.free] = self._unscaled(p)
        return full

    def as_written(self, point: Point) -> Point:
        """A point of this view in the terms of the original; the gradient is 0 where fixed."""
        if self.whole and not self.original.maximize:
            return point
        gradient = point.gradient
        if gradient.size:
            gradient = np.zeros_like(self.anchor)
            gradient[self.free] = self._sign * self._scaled(point.gradient)
        return Point(self.expand(point.x), self._sign * point.value, gradient)

    def written(self, value: float) -> float:
        """A value in the terms of the original."""
        return self._sign * value

    @property
    def _sign(self) -> float:
        return -1.0 if self.original.maximize else 1.0

    @property
    def n(self) -> int:
        return int(np.count_nonzero(self.free))

    @property
    def x0(self) -> Vector:
        return self._scaled(self.anchor[self.free])

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        lower, upper = self.original.bounds
        return self._scaled(lower[self.free]), self._scaled(upper[self.free])

    @property
    def open_bounds(self) -> tuple[Mask, Mask]:
        lower, upper = self.original.open_bounds
        return lower[self.free], upper[self.free]

    @property
    def maximize(self) -> bool:
        return False

    @property
    def provides(self) -> Needs:
        provided = self.original.provides
        # The negative of a sum of squares is none.
        return provided & ~Needs.RESIDUALS if self.original.maximize else provided

    @property
    def least_squares(self) -> bool:
        return self.original.least_squares and not self.original.maximize

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(n for n, free in zip(self.original.names, self.free, strict=True) if free)

    @property
    def samples(self) -> int:
        return self.original.samples

    def batch(self, indices: NDArray[np.intp], /) -> WorkingProblem:
        return self.on(self.original.batch(indices))

    def unpack(self, p: Vector, /) -> Mapping[str, object]:
        return self.original.unpack(self.expand(p))

    def explain_nonfinite(self, p: Vector, /) -> str | None:
        return self.original.explain_nonfinite(self.expand(p))

    def value(self, p: Vector, /) -> float:
        self.counts.values += 1
        value = self._sign * float(self._ask(self.original.value, self.expand(p)))
        self._watch(p, value)
        self.counts.barren = 0 if isfinite(value) else self.counts.barren + 1
        if self.counts.first is None:
            self.counts.first = Point(p.copy(), value, np.empty(0))
        return value

    def values(self, points: Matrix, /) -> Vector:
        self.counts.values += len(points)
        seen = points
        if not self.whole:
            full = np.tile(self.anchor, (len(points), 1))
            full[:, self.free] = self._unscaled(points)
            points = full
        found = self._sign * np.asarray(self._ask(self.original.values, points))
        finite = np.isfinite(found)
        if not finite.all():
            self.counts.nonfinite = seen[np.argmin(finite)].copy()
        last = np.flatnonzero(finite)
        barren = len(found) - 1 - last[-1] if last.size else self.counts.barren + len(found)
        self.counts.barren = int(barren)
        return found

    def grad(self, p: Vector, /) -> Vector:
        self.counts.gradients += 1
        gradient = self._sign * self._kept(self._ask(self.original.grad, self.expand(p)))
        self._watch(p, gradient)
        return gradient

    def value_and_grad(self, p: Vector, /) -> tuple[float, Vector]:
        self.counts.values += 1
        self.counts.gradients += 1
        value, gradient = self._ask(self.original.value_and_grad, self.expand(p))
        kept = self._sign * self._kept(gradient)
        self._watch(p, float(value), kept)
        if self.counts.first is None:
            self.counts.first = Point(p.copy(), self._sign * float(value), kept.copy())
        return self._sign * float(value), kept

    def hvp(self, p: Vector, v: Vector, /) -> Vector:
        self.counts.hessians += 1
        return self._sign * self._kept(self._ask(self.original.hvp, self.expand(p), self._pad(v)))

    def hess(self, p: Vector, /) -> Matrix:
        self.counts.hessians += 1
        return self._sign * self._block(self._ask(self.original.hess, self.expand(p)))

    def residuals(self, p: Vector, /) -> Vector:
        self.counts.values += 1
        residuals = self._ask(self.original.residuals, self.expand(p))
        self._watch(p, residuals)
        return residuals

    def jac(self, p: Vector, /) -> Matrix:
        self.counts.gradients += 1
        jacobian = self._ask(self.original.jac, self.expand(p))
        kept = jacobian if self.whole else self._unscaled(jacobian[:, self.free])
        self._watch(p, kept)
        return kept

    def gauss_newton(self, p: Vector, /) -> tuple[Matrix, Vector]:
        self.counts.gradients += 1
        matrix, gradient = self._ask(self.original.gauss_newton, self.expand(p))
        kept = self._sign * self._kept(gradient)
        self._watch(p, kept)
        return self._sign * self._block(matrix), kept

    @property
    def gauss_newton_entries(self) -> int:
        return self.original.gauss_newton_entries

    def gnvp(self, p: Vector, v: Vector, /) -> Vector:
        self.counts.hessians += 1
        return self._sign * self._kept(self._ask(self.original.gnvp, self.expand(p), self._pad(v)))

    def hvp_complex_step(self, p: Vector, v: Vector, /) -> Vector:
        self.counts.hessians += 1
        product = self._ask(self.original.hvp_complex_step, self.expand(p), self._pad(v))
        return self._sign * self._kept(product)

    def hess_sparse(self, p: Vector, /) -> Sparse:
        self.counts.hessians += 1
        return self._sign * self._sparse_block(self._ask(self.original.hess_sparse, self.expand(p)))

    def jac_sparse(self, p: Vector, /) -> Sparse:
        self.counts.gradients += 1
        jacobian = self._ask(self.original.jac_sparse, self.expand(p))
        kept = jacobian if self.whole else jacobian[:, np.flatnonzero(self.free)]
        kept = kept if self.scales is None else (kept * self.scales[None, :]).tocsr()
        self._watch(p, kept.data)
        return kept

    def gauss_newton_sparse(self, p: Vector, /) -> Sparse:
        self.counts.gradients += 1
        return self._sign * self._sparse_block(
            self._ask(self.original.gauss_newton_sparse, self.expand(p))
        )

    def fisher(self, p: Vector, /, *, kind: FisherKind = "empirical") -> Matrix:
        self.counts.gradients += 1
        matrix = self._block(self._ask(self.original.fisher, self.expand(p), kind=kind))
        # That of the model is a curvature of the objective; the others are sums of squares.
        return self._sign * matrix if kind == "model" else matrix

    def _ask(
        self, function: Callable[Arguments, T], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> T:
        """A result of the original problem; its errors are told from our own."""
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise ProblemRaised("the objective", error) from error

    def _kept(self, gradient: Vector) -> Vector:
        return gradient if self.whole else self._unscaled(gradient[self.free])

    def _block(self, matrix: Matrix) -> Matrix:
        if self.whole:
            return matrix
        block = matrix[np.ix_(self.free, self.free)]
        return block if self.scales is None else block * np.outer(self.scales, self.scales)

    def _sparse_block(self, matrix: Sparse) -> Sparse:
        if self.whole:
            return matrix
        entries = np.flatnonzero(self.free)
        block = matrix[entries][:, entries]
        if self.scales is None:
            return block
        return (block * self.scales[:, None] * self.scales[None, :]).tocsr()

    def _pad(self, v: Vector) -> Vector:
        if self.whole:
            return v
        full = np.zeros_like(self.anchor)
        full[self.free] = self._unscaled(v)
        return full

    def _unscaled(self, p: Matrix) -> Matrix:
        return p if self.scales is None else p * self.scales

    def _scaled(self, p: Vector) -> Vector:
        return p if self.scales is None else p / self.scales

    def _watch(self, p: Vector, *results: float | Vector) -> None:
        for result in results:
            # A sum is finite only if all its parts are; one that overflows is looked at again.
            total = np.sum(result) if isinstance(result, np.ndarray) else result
            if not isfinite(total) and not np.isfinite(result).all():
                self.counts.nonfinite = p.copy()
