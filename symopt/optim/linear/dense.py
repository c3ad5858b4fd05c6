"""Dense symmetric positive definite systems."""

from __future__ import annotations

from typing import Any

import numpy as np

from symopt.optim.problem import Matrix, Vector


def solve_dense(matrix: Matrix, right: Vector) -> Vector | None:
    """The solution of matrix @ x = right by Cholesky; None where there is no such factor."""
    from scipy import linalg  # pyright: ignore[reportMissingTypeStubs]: has none

    solvers: Any = linalg
    if not np.isfinite(matrix).all():
        return None
    try:
        factor = solvers.cho_factor(matrix, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    solution: Vector = solvers.cho_solve(factor, right, check_finite=False)
    return solution if np.isfinite(solution).all() else None
