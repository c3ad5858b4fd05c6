"""Block elimination without forming the reduced matrix: conjugate gradients on its products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symopt.optim.linear.block_diagonal import Stack, blocks_of, invert_diagonal
from symopt.optim.linear.blocks import Elimination, Places
from symopt.optim.linear.conjugate import conjugate_gradients
from symopt.optim.linear.scaled import ScaledMatrix
from symopt.optim.linear.schur import invert_blocks
from symopt.optim.problem import Sparse, Vector


def solve_by_products(
    system: ScaledMatrix,
    right: Vector,
    elimination: Elimination,
    labels: Places,
    *,
    tolerance: float,
    most: int,
) -> Vector | None:
    """The solution, the reduced unknowns to within a tolerance; None where it is not definite.

    `labels` (see `diagonal_blocks`) say which reduced unknowns are taken together in the
    preconditioner, the block diagonal of the reduced matrix ("Schur-Jacobi": Agarwal, Snavely,
    Seitz and Szeliski, ECCV 2010).
    """
    halves = invert_blocks(system, elimination)
    if halves is None:
        return None
    parts = _Parts.of(system, elimination, halves)
    aside, kept = parts.half @ right[parts.unknowns], elimination.reduced
    inverse = invert_diagonal(labels[kept], lambda unknowns: _diagonal_blocks(parts, unknowns))
    if inverse is None:
        return None
    found = conjugate_gradients(
        parts.product,
        right[kept] - parts.coupling.T @ aside,
        precondition=lambda v: inverse @ v,
        tolerance=tolerance,
        most=most,
    )
    if found is None:
        return None
    solution = np.empty_like(right)
    solution[kept] = found.solution
    solution[parts.unknowns] = parts.half.T @ (aside - parts.coupling @ found.solution)
    return solution


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """With V = L L': L^-1, Y = L^-1 W and U, so that the reduced matrix is U - Y'Y."""

    unknowns: Places  # the eliminated ones, in the order of the rows
    half: Sparse
    coupling: Sparse
    corner: Sparse

    @staticmethod
    def of(system: ScaledMatrix, elimination: Elimination, halves: tuple[Stack, ...]) -> _Parts:
        from scipy import sparse  # pyright: ignore[reportMissingTypeStubs]: has none

        scipy_sparse: Any = sparse
        diagonals: list[Any] = []
        for stack in halves:
            count, size, _ = stack.shape
            block: Any = (stack, np.arange(count), np.arange(count + 1))
            shape = (count * size, count * size)
            diagonals.append(scipy_sparse.bsr_array(block, shape=shape))
        half: Sparse = scipy_sparse.block_diag(diagonals, format="csr")
        unknowns = np.concatenate([group.unknowns.ravel() for group in elimination.groups])
        whole = system.assembled().tocsr()
        kept = elimination.reduced
        coupling = half @ whole[unknowns][:, kept]
        return _Parts(unknowns, half, coupling.tocsc(), whole[kept][:, kept])

    def product(self, v: Vector) -> Vector:
        return self.corner @ v - self.coupling.T @ (self.coupling @ v)


def _diagonal_blocks(parts: _Parts, unknowns: Places) -> Stack:
    """Blocks of U - Y'Y, entry by entry of all blocks at once."""
    blocks = blocks_of(parts.corner, unknowns)
    size = unknowns.shape[1]
    for row in range(size):
        left = parts.coupling[:, unknowns[:, row]]
        for column in range(row + 1):
            products = left.multiply(parts.coupling[:, unknowns[:, column]]).sum(axis=0)
            blocks[:, row, column] -= products
            blocks[:, column, row] = blocks[:, row, column]
    return blocks
