"""What an optimizer may ask of a problem: values, derivatives, bounds and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Flag, auto
from math import isfinite
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

FisherKind: TypeAlias = Literal["empirical", "model", "covariance"]
Vector: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
Sparse: TypeAlias = Any  # a scipy.sparse.csr_array, whose types SciPy does not tell


class Needs(Flag):
    """What a problem can compute, and what a method needs."""

    VALUE = auto()
    GRADIENT = auto()
    HVP = auto()
    HESSIAN = auto()
    RESIDUALS = auto()  # residuals and Jacobian of a plain sum of squares
    GAUSS_NEWTON = auto()
    SPARSE = auto()  # sparse forms of the matrices it provides
    FISHER = auto()  # sums over samples of outer products of gradients
    COMPLEX_STEP = auto()  # Hessian-vector products by complex arithmetic


class Problem(Protocol):
    """An objective of `n` unknowns. What it cannot compute is missing from `provides`.

    Arrays handed in are only read and may be read-only; arrays handed out belong to the caller.
    """

    @property
    def n(self) -> int: ...
    @property
    def x0(self) -> Vector | None:
        """The declared start; None, or nan in the entries that have none."""
        ...

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lower and upper bounds, infinite where there are none."""
        ...

    @property
    def open_bounds(self) -> tuple[Mask, Mask]:
        """Which lower and upper bounds are open: never to be reached."""
        ...

    @property
    def maximize(self) -> bool:
        """Whether the best value is the largest; values are always as written."""
        ...

    @property
    def provides(self) -> Needs: ...
    @property
    def least_squares(self) -> bool:
        """Whether the objective is the plain sum of the squared residuals (no factor 1/2)."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry, such as `w[3]`, or `b` for a scalar."""
        ...

    @property
    def samples(self) -> int:
        """How many samples the objective is of; 1 where it is a whole."""
        ...

    def batch(self, indices: NDArray[np.intp], /) -> Problem:
        """The same problem of some samples; itself where it is a whole."""
        ...

    def unpack(self, p: Vector, /) -> Mapping[str, object]: ...
    def explain_nonfinite(self, p: Vector, /) -> str | None: ...
    def value(self, p: Vector, /) -> float: ...
    def values(self, points: Matrix, /) -> Vector:
        """The values at the rows of (k, n)."""
        ...

    def grad(self, p: Vector, /) -> Vector: ...
    def value_and_grad(self, p: Vector, /) -> tuple[float, Vector]: ...
    def hvp(self, p: Vector, v: Vector, /) -> Vector: ...
    def hess(self, p: Vector, /) -> Matrix: ...
    def residuals(self, p: Vector, /) -> Vector: ...
    def jac(self, p: Vector, /) -> Matrix: ...
    def gauss_newton(self, p: Vector, /) -> tuple[Matrix, Vector]: ...
    @property
    def gauss_newton_entries(self) -> int:
        """About how many entries `gauss_newton_sparse` has, without computing it."""
        ...

    def gnvp(self, p: Vector, v: Vector, /) -> Vector: ...
    def hvp_complex_step(self, p: Vector, v: Vector, /) -> Vector: ...
    def hess_sparse(self, p: Vector, /) -> Sparse: ...
    def jac_sparse(self, p: Vector, /) -> Sparse: ...
    def gauss_newton_sparse(self, p: Vector, /) -> Sparse: ...
    def fisher(self, p: Vector, /, *, kind: FisherKind = "empirical") -> Matrix: ...


@runtime_checkable
class SeededStart(Protocol):
    """A problem whose start is, at least in part, drawn at random."""

    def start(self, seed: int, /) -> Vector: ...


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A place and what the objective is there; the arrays are read-only.

    `gradient` is empty where a method that uses none did not ask for it.
    """

    x: Vector
    value: float
    gradient: Vector

    def __post_init__(self) -> None:
        self.x.setflags(write=False)
        self.gradient.setflags(write=False)

    @property
    def finite(self) -> bool:
        if not isfinite(self.value):
            return False
        # A sum is finite only if all its parts are; one that overflows is looked at again.
        return isfinite(self.gradient.sum()) or bool(np.isfinite(self.gradient).all())


def evaluate(problem: Problem, x: Vector) -> Point:
    """The point at `x`, which is copied."""
    value, gradient = problem.value_and_grad(x)
    return Point(x.copy(), float(value), gradient)


def evaluate_value(problem: Problem, x: Vector) -> Point:
    """The point at `x`, which is copied, without its gradient."""
    return Point(x.copy(), float(problem.value(x)), np.empty(0))


def dense_hessian(problem: Problem, x: Vector) -> Matrix:
    """The Hessian; column by column where only its products are provided."""
    if Needs.HESSIAN in problem.provides:
        return problem.hess(x)
    matrix = np.array([problem.hvp(x, unit) for unit in np.eye(len(x))])
    return (matrix + matrix.T) / 2


def parameter_of(entry: str) -> str:
    """The name of the parameter that an entry belongs to: `w` for `w[3]`."""
    return entry.partition("[")[0]


def typical_sizes(problem: Problem, x: Vector) -> Vector:
    """How large each unknown is, judged by the start: the root mean square of its array.

    The entries of one parameter share their unit, so they share one size; an array that starts
    at zero says nothing and gets 1.
    """
    sizes = root_mean_squares(problem, x)
    return np.where(sizes > 0, sizes, 1.0)


def root_mean_squares(problem: Problem, x: Vector) -> Vector:
    """For each unknown, the root mean square of the entries of x for its array."""
    owners = [parameter_of(name) for name in problem.names]
    members: dict[str, list[int]] = {}
    for entry, owner in enumerate(owners):
        members.setdefault(owner, []).append(entry)
    sizes = np.zeros(len(x))
    for entries in members.values():
        peak = float(np.max(np.abs(x[entries])))
        if peak > 0:  # dividing by the peak keeps the squares from under- and overflowing
            sizes[entries] = peak * np.sqrt(np.mean((x[entries] / peak) ** 2))
    return sizes
