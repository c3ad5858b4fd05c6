"""A sparse symmetric matrix as damped steps need it: scaled on both sides, with more diagonal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symopt.optim.problem import Sparse, Vector


@dataclass(frozen=True, slots=True, eq=False)
class ScaledMatrix:
    """diag(scale) A diag(scale) + diag(shift), with A in CSR form.

    A scale of 0 with a shift of 1 takes an unknown out and keeps the pattern.
    """

    matrix: Sparse
    scale: Vector
    shift: Vector

    def __matmul__(self, v: Vector) -> Vector:
        product: Vector = self.matrix @ (self.scale * v)
        return self.scale * product + self.shift * v

    def assembled(self) -> Sparse:
        """The matrix itself, as CSC."""
        from scipy.sparse import csr_array, dia_array  # pyright: ignore[reportMissingTypeStubs]: has none

        pattern = self.matrix
        rows = np.repeat(self.scale, np.diff(pattern.indptr))
        data = pattern.data * self.scale[pattern.indices] * rows
        scaled: Sparse = csr_array((data, pattern.indices, pattern.indptr), shape=pattern.shape)
        shift: Sparse = dia_array((self.shift[None, :], [0]), shape=pattern.shape)
        return (scaled + shift).tocsc()
