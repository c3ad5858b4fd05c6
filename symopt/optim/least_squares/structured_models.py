"""Quadratic models whose curvature is a sparse matrix, or known by its products alone.

As in `local_models`, a step p minimizes model(p) + damping / 2 * |scales * p|^2, over the entries
that are free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from symopt.optim.linear.blocks import Elimination, Places
from symopt.optim.linear.conjugate import conjugate_gradients
from symopt.optim.linear.implicit_schur import solve_by_products
from symopt.optim.linear.iterative import solve_iteratively
from symopt.optim.linear.scaled import ScaledMatrix
from symopt.optim.linear.schur import solve_by_blocks
from symopt.optim.linear.sparse import solve_sparse
from symopt.optim.problem import Mask, Sparse, Vector

# Relative residuals at which conjugate gradients stop. Rough steps cost more of them in the end,
# far from the minimum as near it: convergence is linear with this factor at best.
_TOLERANCE = 1e-3
_MOST_PRODUCTS = 500


class Solver(Protocol):
    """A way to solve sparse positive definite systems; None where that cannot be."""

    def solve(self, system: ScaledMatrix, right: Vector, /) -> Vector | None: ...


@dataclass(frozen=True, slots=True)
class Factorization:
    """A sparse factorization of the whole."""

    def solve(self, system: ScaledMatrix, right: Vector, /) -> Vector | None:
        return solve_sparse(system, right)


@dataclass(frozen=True, slots=True, eq=False)
class Iteration:
    """Conjugate gradients on the whole; `labels` are those of its diagonal blocks."""

    labels: Places

    def solve(self, system: ScaledMatrix, right: Vector, /) -> Vector | None:
        return solve_iteratively(
            system, right, self.labels, tolerance=_TOLERANCE, most=_MOST_PRODUCTS
        )


@dataclass(frozen=True, slots=True, eq=False)
class BlockElimination:
    """The reduced system as a dense matrix."""

    elimination: Elimination

    def solve(self, system: ScaledMatrix, right: Vector, /) -> Vector | None:
        return solve_by_blocks(system, right, self.elimination)


@dataclass(frozen=True, slots=True, eq=False)
class IteratedElimination:
    """The reduced system by conjugate gradients; `labels` are those of its diagonal blocks."""

    elimination: Elimination
    labels: Places

    def solve(self, system: ScaledMatrix, right: Vector, /) -> Vector | None:
        return solve_by_products(
            system,
            right,
            self.elimination,
            self.labels,
            tolerance=_TOLERANCE,
            most=_MOST_PRODUCTS,
        )


@dataclass(frozen=True, slots=True, eq=False)
class SparseModel:
    """g'p + p'G p / 2, with a sparse Gauss-Newton matrix G in CSR form and the gradient g."""

    matrix: Sparse
    gradient: Vector
    solver: Solver

    least_damping: ClassVar[float] = 1e-14  # just above the rounding of G

    @property
    def column_sizes(self) -> Vector:
        diagonal: Vector = self.matrix.diagonal()
        return np.sqrt(np.maximum(diagonal, 0.0))

    def step(self, damping: float, scales: Vector, free: Mask, held: Vector) -> Vector | None:
        """The damped step, its entries outside `free` being those of `held`."""
        slope = self.gradient + self.matrix @ np.where(free, 0.0, held)
        scale = np.where(free, 1 / scales, 0.0)
        system = ScaledMatrix(self.matrix, scale, np.where(free, damping, 1.0))
        scaled = self.solver.solve(system, -scale * slope)
        return None if scaled is None else np.where(free, scale * scaled, held)

    def reduction(self, step: Vector) -> float:
        """How much the model falls with the step."""
        return -float(step @ (self.gradient + self.matrix @ step / 2))


@dataclass(frozen=True, slots=True, eq=False)
class ProductModel:
    """g'p + p'G p / 2, where G is known by its products with vectors.

    Steps are by conjugate gradients in the scaled unknowns, so as good as a tolerance.
    """

    product: Callable[[Vector], Vector]
    gradient: Vector
    column_sizes: Vector

    least_damping: ClassVar[float] = 1e-10  # less would only take more products

    def step(self, damping: float, scales: Vector, free: Mask, held: Vector) -> Vector | None:
        """The damped step, its entries outside `free` being those of `held`."""
        scale = np.where(free, 1 / scales, 0.0)
        slope = self.gradient
        if np.any(held[~free]):
            slope = slope + self.product(np.where(free, 0.0, held))
        found = conjugate_gradients(
            lambda v: scale * self.product(scale * v) + damping * v,
            -scale * slope,
            tolerance=_TOLERANCE,
            most=_MOST_PRODUCTS,
        )
        return None if found is None else np.where(free, scale * found.solution, held)

    def reduction(self, step: Vector) -> float:
        """How much the model falls with the step."""
        return -float(step @ (self.gradient + self.product(step) / 2))


def sizes_by_products(product: Callable[[Vector], Vector], kinds: Places, signs: Vector) -> Vector:
    """Column sizes from one product for each kind: the root mean square over its unknowns.

    With signs drawn at random, the expectation of s'G s is the trace of G on that kind
    (Hutchinson 1990).
    """
    sizes = np.zeros(len(signs))
    for kind in range(int(kinds.max(initial=-1)) + 1):
        own = kinds == kind
        probe = np.where(own, signs, 0.0)
        sizes[own] = np.sqrt(max(float(probe @ product(probe)), 0.0) / np.count_nonzero(own))
    return sizes
