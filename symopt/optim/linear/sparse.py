"""Sparse symmetric positive definite systems by a factorization that keeps them sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from symopt.optim.linear.scaled import ScaledMatrix
from symopt.optim.problem import Sparse, Vector


def solve_sparse(system: ScaledMatrix, right: Vector) -> Vector | None:
    """The solution, or None where the matrix is singular, or plainly not positive definite.

    SuperLU in its symmetric mode: minimum degree on the pattern, pivots on the diagonal. That is
    a Cholesky factorization at twice the price; SciPy has no other.
    """
    from scipy.sparse import linalg  # pyright: ignore[reportMissingTypeStubs]: has none

    solvers: Any = linalg
    matrix = system.assembled()
    if not np.isfinite(matrix.data).all():
        return None
    try:
        factor = solvers.splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError:  # exactly singular
        return None
    solution: Vector = factor.solve(right)
    if not np.isfinite(solution).all() or right @ solution < 0:
        return None
    return solution


def factor_work(matrix: Sparse) -> float:
    """At most how many multiplications a factorization takes, from the pattern alone.

    That is with the envelope of the reverse Cuthill-McKee order (George and Liu 1981, chapter 4);
    the order of minimum degree, which is used, is seldom worse.
    """
    from scipy.sparse import csgraph  # pyright: ignore[reportMissingTypeStubs]: has none

    graphs: Any = csgraph
    order = np.asarray(graphs.reverse_cuthill_mckee(matrix, symmetric_mode=True))
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    firsts = np.arange(len(order))
    np.minimum.at(firsts, np.repeat(place, np.diff(matrix.indptr)), place[matrix.indices])
    return float(np.sum((np.arange(len(order)) - firsts).astype(float) ** 2))
