"""A problem in single precision as methods see it: their own arithmetic is in double."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.optim.problem import (
    FisherKind,
    Mask,
    Matrix,
    Needs,
    Problem,
    SeededStart,
    Sparse,
    Vector,
)


def in_double(problem: Problem) -> Problem:
    """The problem, handing out doubles: itself where it does so already."""
    single = getattr(problem, "dtype", None) == np.float32
    return DoubledProblem(problem) if single else problem


def as_seen(problem: Problem, x: Vector) -> Vector:
    """A point as the problem sees it: rounded, where that is in single precision."""
    return _doubled(np.asarray(x, np.float32)) if isinstance(problem, DoubledProblem) else x


def _doubled(array: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(array, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class DoubledProblem:
    """A view of `original` whose arrays are doubles; what it is given is rounded there."""

    original: Problem

    @property
    def n(self) -> int:
        return self.original.n

    @property
    def x0(self) -> Vector | None:
        start = self.original.x0
        return None if start is None else _doubled(start)

    def start(self, seed: int, /) -> Vector:
        assert isinstance(self.original, SeededStart), "a bound model has starts by seed"
        return _doubled(self.original.start(seed))

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        lower, upper = self.original.bounds
        return _doubled(lower), _doubled(upper)

    @property
    def open_bounds(self) -> tuple[Mask, Mask]:
        return self.original.open_bounds

    @property
    def maximize(self) -> bool:
        return self.original.maximize

    @property
    def provides(self) -> Needs:
        return self.original.provides

    @property
    def least_squares(self) -> bool:
        return self.original.least_squares

    @property
    def names(self) -> tuple[str, ...]:
        return self.original.names

    @property
    def samples(self) -> int:
        return self.original.samples

    def batch(self, indices: NDArray[np.intp], /) -> DoubledProblem:
        return DoubledProblem(self.original.batch(indices))

    def unpack(self, p: Vector, /) -> Mapping[str, object]:
        return self.original.unpack(p)

    def explain_nonfinite(self, p: Vector, /) -> str | None:
        return self.original.explain_nonfinite(p)

    def value(self, p: Vector, /) -> float:
        return self.original.value(p)

    def values(self, points: Matrix, /) -> Vector:
        return _doubled(self.original.values(points))

    def grad(self, p: Vector, /) -> Vector:
        return _doubled(self.original.grad(p))

    def value_and_grad(self, p: Vector, /) -> tuple[float, Vector]:
        value, gradient = self.original.value_and_grad(p)
        return value, _doubled(gradient)

    def hvp(self, p: Vector, v: Vector, /) -> Vector:
        return _doubled(self.original.hvp(p, v))

    def hess(self, p: Vector, /) -> Matrix:
        return _doubled(self.original.hess(p))

    def residuals(self, p: Vector, /) -> Vector:
        return _doubled(self.original.residuals(p))

    def jac(self, p: Vector, /) -> Matrix:
        return _doubled(self.original.jac(p))

    def gauss_newton(self, p: Vector, /) -> tuple[Matrix, Vector]:
        matrix, gradient = self.original.gauss_newton(p)
        return _doubled(matrix), _doubled(gradient)

    @property
    def gauss_newton_entries(self) -> int:
        return self.original.gauss_newton_entries

    def gnvp(self, p: Vector, v: Vector, /) -> Vector:
        return _doubled(self.original.gnvp(p, v))

    def hvp_complex_step(self, p: Vector, v: Vector, /) -> Vector:
        return _doubled(self.original.hvp_complex_step(p, v))

    def hess_sparse(self, p: Vector, /) -> Sparse:
        return self.original.hess_sparse(p).astype(np.float64)

    def jac_sparse(self, p: Vector, /) -> Sparse:
        return self.original.jac_sparse(p).astype(np.float64)

    def gauss_newton_sparse(self, p: Vector, /) -> Sparse:
        return self.original.gauss_newton_sparse(p).astype(np.float64)

    def fisher(self, p: Vector, /, *, kind: FisherKind = "empirical") -> Matrix:
        return _doubled(self.original.fisher(p, kind=kind))
