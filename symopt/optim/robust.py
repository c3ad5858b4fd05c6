"""Robust losses of residuals that plain functions compute; models write theirs in the language.

A loss is ρ of a squared residual, as in SciPy's `least_squares`: the objective is Σ s² ρ(r²/s²),
with s the residual beyond which it counts for less. For small residuals it is the plain sum of
squares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symopt.optim import errors
from symopt.optim.problem import Matrix, Vector

Slopes = tuple[Vector, Vector, Vector]  # ρ, ρ', ρ''


def _huber(z: Vector) -> Slopes:
    far = z > 1
    beyond = np.where(far, z, 1.0)  # no root of what is not far
    root = np.sqrt(beyond)
    return (
        np.where(far, 2 * root - 1, z),
        np.where(far, 1 / root, 1.0),
        np.where(far, -0.5 / (root * beyond), 0.0),
    )


def _soft_l1(z: Vector) -> Slopes:
    root = np.sqrt(1 + z)
    # 2 (√(1 + z) − 1), without the cancellation near 0.
    return 2 * z / (1 + root), 1 / root, -0.5 / root**3


def _cauchy(z: Vector) -> Slopes:
    return np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2


def _arctan(z: Vector) -> Slopes:
    return np.arctan(z), 1 / (1 + z**2), -2 * z / (1 + z**2) ** 2


LOSSES: dict[str, Callable[[Vector], Slopes]] = {
    "huber": _huber,
    "soft_l1": _soft_l1,
    "cauchy": _cauchy,
    "arctan": _arctan,
}


@dataclass(frozen=True, slots=True, eq=False)
class RobustSum:
    """Value, gradient and Gauss-Newton matrix of a robust sum over residuals."""

    residuals: Callable[[Vector], Any]
    jac: Callable[[Vector], Any] | None
    loss: str
    scale: float

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise errors.bad_setting("loss", self.loss, f"one of {['linear', *LOSSES]}")
        if not self.scale > 0:
            raise errors.bad_setting("loss_scale", self.scale, "positive")

    def value(self, x: Vector) -> float:
        return float(self.scale**2 * np.sum(self._slopes(self._residuals(x))[0]))

    def grad(self, x: Vector) -> Vector:
        residuals = self._residuals(x)
        return 2 * self._jacobian(x).T @ (self._slopes(residuals)[1] * residuals)

    def gauss_newton(self, x: Vector) -> tuple[Matrix, Vector]:
        """JᵀHJ, H the second derivative by the residuals where that is positive, and the gradient.

        H = 2ρ' + 4 max(ρ'' z, −ρ'/2), with z = r²/s² (Triggs et al., Vision Algorithms 2000, 4.3).
        """
        residuals, jacobian = self._residuals(x), self._jacobian(x)
        _, first, second = self._slopes(residuals)
        bent = np.maximum(second * (residuals / self.scale) ** 2, -first / 2)
        weighted = (2 * first + 4 * bent)[:, None] * jacobian
        return jacobian.T @ weighted, 2 * jacobian.T @ (first * residuals)

    def _residuals(self, x: Vector) -> Vector:
        return np.ravel(np.asarray(self.residuals(x), np.float64))

    def _jacobian(self, x: Vector) -> Matrix:
        assert self.jac is not None, "derivatives are offered only with a Jacobian"
        return np.asarray(self.jac(x), np.float64)

    def _slopes(self, residuals: Vector) -> Slopes:
        return LOSSES[self.loss]((residuals / self.scale) ** 2)
