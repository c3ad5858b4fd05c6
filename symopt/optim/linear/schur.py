"""Block elimination: a block diagonal part is solved for by hand, the rest as a dense system.

With the unknowns in two parts, V block diagonal,

    [U  W'] [x]   [r]
    [W  V ] [y] = [s],    (U - W' V^-1 W) x = r - W' V^-1 s,    y = V^-1 (s - W x).

The matrix of x is the Schur complement. Brown, "A solution to the general problem of multiple
station analytical stereotriangulation", 1958; Triggs et al., LNCS 1883 (2000) 298, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symopt.optim.linear.block_diagonal import Stack
from symopt.optim.linear.blocks import Elimination, Group, Places
from symopt.optim.linear.dense import solve_dense
from symopt.optim.linear.scaled import ScaledMatrix
from symopt.optim.problem import Matrix, Vector


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """The system of the unknowns that are left, and what is needed to find the others."""

    matrix: Matrix
    right: Vector
    halves: tuple[Stack, ...]  # by group: the inverses of the blocks' Cholesky factors


def solve_by_blocks(system: ScaledMatrix, right: Vector, elimination: Elimination) -> Vector | None:
    """The solution; None where the matrix is not positive definite."""
    reduced = eliminate(system, right, elimination)
    if reduced is None:
        return None
    x = solve_reduced(reduced)
    return None if x is None else back_substitute(system, right, elimination, reduced, x)


def eliminate(system: ScaledMatrix, right: Vector, elimination: Elimination) -> Reduced | None:
    """The reduced system; None where a block is not positive definite."""
    halves = invert_blocks(system, elimination)
    if halves is None:
        return None
    kept = elimination.reduced
    values, scale, count = system.matrix.data, system.scale, len(kept)
    matrix = elimination.corner.put(values, (count, count))
    matrix *= scale[kept] * scale[kept][:, None]
    matrix[np.diag_indices(count)] += system.shift[kept]
    remaining = right[kept].copy()
    for group, half in zip(elimination.groups, halves, strict=True):
        _subtract(system, right, kept, group, half, matrix, remaining)
    return Reduced(matrix, remaining, halves)


def solve_reduced(reduced: Reduced) -> Vector | None:
    """The unknowns that are left; None where their matrix is not positive definite."""
    return solve_dense(reduced.matrix, reduced.right) if len(reduced.right) else reduced.right


def back_substitute(
    system: ScaledMatrix,
    right: Vector,
    elimination: Elimination,
    reduced: Reduced,
    x: Vector,
) -> Vector:
    """All unknowns, from those that are left."""
    solution = np.zeros_like(right)
    solution[elimination.reduced] = x
    remaining = right - system @ solution
    for group, half in zip(elimination.groups, reduced.halves, strict=True):
        within = half @ remaining[group.unknowns][..., None]
        solution[group.unknowns] = (half.swapaxes(1, 2) @ within)[..., 0]
    return solution


def invert_blocks(system: ScaledMatrix, elimination: Elimination) -> tuple[Stack, ...] | None:
    """By group, the inverse of the Cholesky factor of each block; None if one has no factor."""
    halves: list[Stack] = []
    for group in elimination.groups:
        count, size = group.unknowns.shape
        blocks = group.entries.put(system.matrix.data, (count, size, size))
        scale = system.scale[group.unknowns]
        blocks *= scale[:, :, None] * scale[:, None, :]
        blocks[:, np.arange(size), np.arange(size)] += system.shift[group.unknowns]
        try:
            halves.append(np.linalg.inv(np.linalg.cholesky(blocks)))
        except np.linalg.LinAlgError:
            return None
    return tuple(halves)


def _subtract(
    system: ScaledMatrix,
    right: Vector,
    kept: Places,
    group: Group,
    half: Stack,
    matrix: Matrix,
    remaining: Vector,
) -> None:
    """Take W' V^-1 W and W' V^-1 s of a group off the reduced system, in place.

    With V = L L' these are Z'Z and Z' L^-1 s, Z = L^-1 W.
    """
    values, scale = system.matrix.data, system.scale
    for panel in group.panels:
        unknowns = group.unknowns[panel.first : panel.last]
        width, columns = len(panel.columns), kept[panel.columns]
        rows = panel.entries.put(values, (*unknowns.shape, width))
        rows *= scale[unknowns][..., None] * scale[columns]
        own = half[panel.first : panel.last]
        rows = (own @ rows).reshape(-1, width)
        matrix[np.ix_(panel.columns, panel.columns)] -= rows.T @ rows
        remaining[panel.columns] -= rows.T @ (own @ right[unknowns][..., None]).ravel()
