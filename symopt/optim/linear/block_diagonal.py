"""Preconditioners: the inverse of the diagonal blocks of a matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.optim.linear.blocks import Places
from symopt.optim.linear.scaled import ScaledMatrix
from symopt.optim.problem import Sparse, Vector

Stack = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class BlockDiagonal:
    """A block diagonal matrix; of each size of block, which unknowns these have."""

    unknowns: tuple[Places, ...]  # (blocks, size)
    blocks: tuple[Stack, ...]  # (blocks, size, size)

    def __matmul__(self, v: Vector) -> Vector:
        product = np.empty_like(v)
        for unknowns, blocks in zip(self.unknowns, self.blocks, strict=True):
            product[unknowns] = (blocks @ v[unknowns][..., None])[..., 0]
        return product


def invert_diagonal(labels: Places, entries: Callable[[Places], Stack]) -> BlockDiagonal | None:
    """The inverse of the blocks of unknowns with the same label; None if one is not definite.

    `entries` has the blocks of one size, (blocks, size, size), from their unknowns.
    """
    order = np.argsort(labels, kind="stable")
    sizes = np.unique(labels, return_counts=True)[1]
    starts = np.cumsum(sizes) - sizes
    found: list[Places] = []
    inverses: list[Stack] = []
    for size in np.unique(sizes):
        unknowns = order[starts[sizes == size][:, None] + np.arange(size)]
        try:
            halves = np.linalg.inv(np.linalg.cholesky(entries(unknowns)))
        except np.linalg.LinAlgError:
            return None
        found.append(unknowns)
        inverses.append(halves.swapaxes(1, 2) @ halves)
    return BlockDiagonal(tuple(found), tuple(inverses))


def blocks_of(matrix: Sparse, unknowns: Places) -> Stack:
    """The blocks of a CSR matrix at some unknowns, (blocks, size, size)."""
    count, size = unknowns.shape
    rows, columns = np.repeat(unknowns, size, axis=1), np.tile(unknowns, size)
    found: Any = matrix[rows.ravel(), columns.ravel()]
    return np.ravel(found.toarray() if hasattr(found, "toarray") else found).reshape(
        count, size, size
    )


def invert_blocks_of(system: ScaledMatrix, labels: Places) -> BlockDiagonal | None:
    """The inverse of the diagonal blocks of a scaled matrix."""

    def entries(unknowns: Places) -> Stack:
        blocks = blocks_of(system.matrix, unknowns)
        scale, size = system.scale[unknowns], unknowns.shape[1]
        blocks = blocks * scale[:, :, None] * scale[:, None, :]
        blocks[:, np.arange(size), np.arange(size)] += system.shift[unknowns]
        return blocks

    return invert_diagonal(labels, entries)
