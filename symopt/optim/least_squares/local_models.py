"""Quadratic models of the objective around a point, and their damped minimizers.

Both are scaled by columns and damped relative to them: the step p minimizes
model(p) + damping * |scales * p|^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim.problem import Mask, Matrix, Vector


@dataclass(frozen=True, slots=True, eq=False)
class ResidualModel:
    """|r + J p|^2, by the triangular factor of (J r).

    Working on J instead of J'J loses half as many digits where J is ill-conditioned.
    """

    triangle: Matrix  # R, where J = Q R
    target: Vector  # Q' r
    jacobian: Matrix
    residuals: Vector

    # The damping that leaves directions of relative size above 1e-9 alone and stills the others.
    least_damping: ClassVar[float] = 1e-20

    @property
    def column_sizes(self) -> Vector:
        return np.linalg.norm(self.triangle, axis=0)

    def step(self, damping: float, scales: Vector, free: Mask, held: Vector) -> Vector | None:
        """The damped step, its entries outside `free` being those of `held`."""
        columns = self.triangle[:, free] / scales[free]
        target = -(self.target + self.triangle @ np.where(free, 0.0, held))
        count = columns.shape[1]
        stacked = np.zeros((len(target) + count, count + 1))
        stacked[: len(target), :count] = columns
        stacked[: len(target), count] = target
        stacked[len(target) :, :count] = np.sqrt(damping) * np.eye(count)
        factor = _triangular_factor(stacked)
        try:
            scaled = np.linalg.solve(factor[:count, :count], factor[:count, count])
        except np.linalg.LinAlgError:
            return None
        return completed(held, free, scaled / scales[free])

    def reduction(self, step: Vector) -> float:
        """How much the model falls with the step."""
        change = self.triangle @ step
        return -float(change @ (2 * self.target + change))


@dataclass(frozen=True, slots=True, eq=False)
class CurvatureModel:
    """g'p + p'G p / 2, with the Gauss-Newton matrix G and the gradient g."""

    matrix: Matrix
    gradient: Vector

    least_damping: ClassVar[float] = 1e-14  # just above the rounding of G

    @property
    def column_sizes(self) -> Vector:
        return np.sqrt(np.maximum(np.diag(self.matrix), 0.0))

    def step(self, damping: float, scales: Vector, free: Mask, held: Vector) -> Vector | None:
        """The damped step, its entries outside `free` being those of `held`.

        None where G is so far from positive definite that there is no such step.
        """
        slope = self.gradient + self.matrix @ np.where(free, 0.0, held)
        block = self.matrix[np.ix_(free, free)] / np.outer(scales[free], scales[free])
        scaled = least_point(block, slope[free] / scales[free], damping)
        return None if scaled is None else completed(held, free, scaled / scales[free])

    def reduction(self, step: Vector) -> float:
        """How much the model falls with the step."""
        return -float(step @ (self.gradient + self.matrix @ step / 2))


def residual_model(jacobian: Matrix, residuals: Vector) -> ResidualModel:
    """The model of a sum of squares around the point where these were computed."""
    factor = _triangular_factor(np.column_stack([jacobian, residuals]))
    return ResidualModel(factor[:, :-1], factor[:, -1], jacobian, residuals)


def _triangular_factor(matrix: Matrix) -> Matrix:
    return np.asarray(np.linalg.qr(matrix, mode="r"))


def least_point(matrix: Matrix, slope: Vector, damping: float) -> Vector | None:
    """The least point of p'M p / 2 + slope'p + damping * |p|^2 / 2; None where there is none."""
    damped = matrix.copy()
    damped[np.diag_indices_from(damped)] += damping
    try:
        np.linalg.cholesky(damped)  # only with a positive definite matrix there is one
        return np.asarray(np.linalg.solve(damped, -slope), np.float64)
    except np.linalg.LinAlgError:
        return None


def completed(held: Vector, free: Mask, step: Vector) -> Vector | None:
    """`held` with other entries where it is free; None if these are not finite."""
    full = held.copy()
    full[free] = step
    return full if np.isfinite(full).all() else None
