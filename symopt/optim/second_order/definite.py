"""Solutions of symmetric systems as if they were positive definite."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from symopt.optim.linear.dense import solve_dense
from symopt.optim.problem import Matrix, Vector
from symopt.optim.rounding import EPSILON

Modification: TypeAlias = Literal["ldl", "eigenvalues", "none"]

_BALANCINGS = 10  # of the rows of a matrix; each halves the exponents of what is left


def solve_definite(matrix: Matrix, right: Vector, modification: Modification) -> Vector | None:
    """The solution of the system after its negative part was turned around; None if there is none.

    "ldl": M = L D L' with |D| for D (Gill, Murray, Poncelón, Saunders 1992; the factors are
    Bunch and Kaufman's); "eigenvalues": |λ| for each λ; "none": M itself. The first two on the
    matrix balanced by its rows, so that units hardly matter, and with what is as small as rounding
    raised to that.
    """
    if not np.isfinite(matrix).all():
        return np.full_like(right, np.nan)
    if modification == "none":
        try:
            return np.asarray(np.linalg.solve(matrix, right), np.float64)
        except np.linalg.LinAlgError:
            return None
    scales = balance(matrix)
    balanced, target = matrix * np.outer(scales, scales), scales * right
    if modification == "ldl":
        return scales * _by_pivots(balanced, target)
    return scales * _by_eigenvalues(balanced, target)


def solve_least_norm(matrix: Matrix, right: Vector) -> Vector:
    """The shortest least-squares solution of a positive semi-definite system.

    Judged and solved with unit diagonal; only where that has no full rank, as it is. If it is not
    semi-definite after all, as the curvature of a loss that is not convex, its negative part is
    turned around.
    """
    if not np.isfinite(matrix).all():
        return np.full_like(right, np.nan)
    diagonal = np.diag(matrix)
    scales = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(matrix * np.outer(scales, scales))
    if values[0] > len(values) * EPSILON * values[-1]:
        return scales * (vectors @ ((vectors.T @ (scales * right)) / values))
    values, vectors = np.linalg.eigh(matrix)
    sizes = np.abs(values)
    kept = sizes > len(values) * EPSILON * np.max(sizes)
    return vectors[:, kept] @ ((vectors[:, kept].T @ right) / sizes[kept])


def solve_damped(matrix: Matrix, right: Vector, damping: float) -> Vector:
    """The solution after `damping` times the mean eigenvalue was added to the diagonal.

    Of a positive semi-definite system; the shortest one where it is singular still. What of the
    right side such a system cannot reach is added as if all its eigenvalues there were the mean.
    """
    mean = float(np.mean(np.diag(matrix)))
    if mean == 0:
        return right
    damped = matrix / mean  # so that nothing under- or overflows
    damped[np.diag_indices_from(damped)] += damping
    # Without damping a factor may be found of what is singular but for rounding.
    solution = solve_dense(damped, right) if damping > 0 else None
    if solution is None:
        solution = solve_least_norm(damped, right)
        solution = solution + (right - damped @ solution)
    return solution / mean


def balance(matrix: Matrix) -> Vector:
    """Scales s for which the rows of s M s all have the largest entry 1 (Ruiz 2001), or nearly."""
    scales = np.ones(len(matrix))
    for _ in range(_BALANCINGS):
        peaks = np.max(np.abs(matrix) * np.outer(scales, scales), axis=1, initial=0.0)
        scales = scales / np.sqrt(np.where(peaks > 0, peaks, 1.0))
    return scales


def _by_pivots(matrix: Matrix, right: Vector) -> Vector:
    from scipy import linalg  # pyright: ignore[reportMissingTypeStubs]: has none

    solvers: Any = linalg
    lower, pivots, order = solvers.ldl(matrix, check_finite=False)
    # L has its rows in the order of M; in that of the pivots it is triangular.
    triangle = lower[order]
    inside = solvers.solve_triangular(triangle, right[order], lower=True, unit_diagonal=True)
    # The blocks of D are of one or two rows; a dense eigenbasis of it keeps them apart.
    turned = _by_eigenvalues(pivots, inside)
    found = np.empty_like(right)
    found[order] = solvers.solve_triangular(
        triangle, turned, lower=True, trans=1, unit_diagonal=True
    )
    return found


def _by_eigenvalues(matrix: Matrix, right: Vector) -> Vector:
    values, vectors = np.linalg.eigh(matrix)
    sizes = np.abs(values)
    floor = len(values) * EPSILON * float(np.max(sizes, initial=0.0))
    return vectors @ ((vectors.T @ right) / np.maximum(sizes, floor or 1.0))
