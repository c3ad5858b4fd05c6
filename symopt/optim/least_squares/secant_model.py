"""What the Gauss-Newton model of a sum of squares leaves out, learnt from the steps taken.

The Hessian of |r|^2 / 2 is J'J + S with S the sum of r_i times the Hessian of r_i. Where residuals
stay large and curved, steps by J'J alone converge slowly. S follows from Jacobians that are there
anyway, by the secant condition of Dennis, Gay and Welsch (ACM TOMS 7 (1981) 348).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim.least_squares.local_models import ResidualModel, completed, least_point
from symopt.optim.problem import Mask, Matrix, Vector

# The other model takes over where its error was below this part of the error of the one in use.
_MISTAKEN = 0.3
# S is asked only where the objective falls by less than this part: before, its own Hessian changes.
_SLOW = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class SecantModel:
    """|r + J p|^2 + p'S p."""

    plain: ResidualModel
    missing: Matrix  # S

    least_damping: ClassVar[float] = 1e-14  # just above the rounding of J'J

    @property
    def column_sizes(self) -> Vector:
        return self.plain.column_sizes

    def step(self, damping: float, scales: Vector, free: Mask, held: Vector) -> Vector | None:
        """The damped step, its entries outside `free` being those of `held`.

        None where J'J + S is so far from positive definite that there is no such step.
        """
        triangle, scale = self.plain.triangle, scales[free]
        outside = np.where(free, 0.0, held)
        slope = triangle.T @ (self.plain.target + triangle @ outside) + self.missing @ outside
        columns = triangle[:, free] / scale
        block = columns.T @ columns + self.missing[np.ix_(free, free)] / np.outer(scale, scale)
        scaled = least_point(block, slope[free] / scale, damping)
        return None if scaled is None else completed(held, free, scaled / scale)

    def reduction(self, step: Vector) -> float:
        """How much the model falls with the step."""
        return self.plain.reduction(step) - float(step @ self.missing @ step)


def next_model(
    old: ResidualModel | SecantModel, missing: Matrix, new: ResidualModel, step: Vector, fall: float
) -> tuple[ResidualModel | SecantModel, Matrix]:
    """The model to go on with after a step by which the objective fell, and S there.

    `missing` is the S of the old point, in use or not; the model that foretold the fall better is
    chosen, with some inertia.
    """
    plain = old.plain if isinstance(old, SecantModel) else old
    value = float(plain.residuals @ plain.residuals)
    promised = plain.reduction(step)
    error = abs(fall - promised)
    error_with = abs(fall - promised + float(step @ missing @ step))
    if isinstance(old, SecantModel):
        used = _MISTAKEN * error_with < error
    else:
        used = error_with < _MISTAKEN * error and fall < _SLOW * value
    learnt = _learnt(missing, plain, new, step)
    return (SecantModel(new, learnt) if used else new), learnt


def _learnt(missing: Matrix, old: ResidualModel, new: ResidualModel, step: Vector) -> Matrix:
    """S after a step: S step = (J+ - J)'r+, nearest to the sized S before in the metric of J'r."""
    now = new.jacobian.T @ new.residuals
    wanted = now - old.jacobian.T @ new.residuals
    turned = now - old.jacobian.T @ old.residuals
    curvature = float(step @ turned)
    if not 0 < curvature < np.inf:
        return missing
    # S fades with the residuals (the size of Dennis, Gay and Welsch).
    before = abs(float(step @ missing @ step))
    size = min(1.0, abs(float(step @ wanted)) / before) if before > 0 else 1.0
    lacking = wanted - size * (missing @ step)
    crossed = np.outer(lacking, turned) / curvature
    along = float(lacking @ step) / curvature**2
    learnt = size * missing + crossed + crossed.T - along * np.outer(turned, turned)
    return learnt if np.isfinite(learnt).all() else missing
