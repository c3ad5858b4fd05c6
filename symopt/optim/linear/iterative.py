"""Sparse systems whose factors would not be sparse: preconditioned conjugate gradients."""

from __future__ import annotations

from symopt.optim.linear.block_diagonal import invert_blocks_of
from symopt.optim.linear.blocks import Places
from symopt.optim.linear.conjugate import conjugate_gradients
from symopt.optim.linear.scaled import ScaledMatrix
from symopt.optim.problem import Vector


def solve_iteratively(
    system: ScaledMatrix, right: Vector, labels: Places, *, tolerance: float, most: int
) -> Vector | None:
    """The solution to within a tolerance; None where the matrix is not positive definite.

    `labels` (see `diagonal_blocks`) say which unknowns are taken together in the preconditioner.
    """
    inverse = invert_blocks_of(system, labels)
    if inverse is None:
        return None
    found = conjugate_gradients(
        lambda v: system @ v,
        right,
        precondition=lambda v: inverse @ v,
        tolerance=tolerance,
        most=most,
    )
    return None if found is None else found.solution
