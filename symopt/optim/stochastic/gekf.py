"""The global extended Kalman filter: weights and their covariance, filtered sample by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import Box, box_of
from symopt.optim.chance import Chance
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_not_negative, check_positive
from symopt.optim.problem import Matrix, Needs, Point, Problem, Vector, evaluate
from symopt.optim.rates import first_sizes
from symopt.optim.rounding import EPSILON

_NAME = "gekf"
_SMALL = 32  # unknowns up to which the Gauss-Newton matrix is formed and taken apart
_MANY = 4  # where its rank is above an n-th part of its size, products do not pay
_NOTHING = 1e-12  # of the most that is learnt in one direction: what rounding leaves in others


@dataclass(frozen=True, slots=True, eq=False)
class GEKFState:
    point: Point  # the place evaluated last
    ahead: Vector  # the filtered weights: the place to evaluate next
    covariance: Matrix  # P, after the samples of `point`
    sizes: Vector  # D
    weight: float  # of the objective, as a negative log-likelihood
    chance: Chance
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class GEKF:
    """w -= P g, with P the covariance of the weights given all samples so far.

    Linearized at w, samples tell of the weights as much as G = Jᵀ H_l J, the Gauss-Newton matrix
    through the cut: P = ((P₋/λ + Q)⁻¹ + G)⁻¹ and w -= P g, the extended Kalman filter in
    information form. G has as low a rank as the samples have outputs, so that P follows by that
    many corrections, O(n²) each. Where the loss curves downward in the outputs, nothing is learnt.

    An objective E is taken for the negative log-likelihood E/noise: of a sum of squares, `noise` is
    twice the variance R of a residual, and E/noise is Σ r²/2R. Without it the objective
    counts relative to its first value. P begins as (spread D)², with D the sizes of the unknowns,
    judged by the start and a step down from there, and Q = process_noise D². With `forgetting`
    λ below 1 earlier samples count for less and less: the filter follows a moving target, and
    what was learnt far from here, or in an earlier look at the same samples, fades; but the mean
    variance never grows beyond the first one. With λ = 1 it is recursive least squares where the
    model is linear.

    Without samples all residuals are one measurement.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.GAUSS_NEWTON
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8, step=EPSILON)
    max_iter: ClassVar[int] = 10_000

    noise: float | None = None
    spread: float = 5.0
    forgetting: float = 0.99
    process_noise: float = 0.0

    def __post_init__(self) -> None:
        check_positive(_NAME, noise=self.noise)
        check_positive(_NAME, spread=self.spread)
        check_not_negative(_NAME, process_noise=self.process_noise)
        if not 0 < self.forgetting <= 1:
            raise errors.bad_option(_NAME, "forgetting", self.forgetting, "above 0, at most 1")

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> GEKFState:
        point = evaluate(problem, x)
        sizes = first_sizes(problem, point)
        covariance = np.diag((self.spread * sizes) ** 2)
        noise = (abs(point.value) or 1.0) if self.noise is None else self.noise
        start = GEKFState(point, point.x, covariance, sizes, 1 / noise, Chance(seed))
        return self._filtered(problem, point, start)

    def step(self, problem: Problem, state: GEKFState) -> GEKFState:
        return self._filtered(problem, evaluate(problem, state.ahead), state)

    def _filtered(self, problem: Problem, point: Point, state: GEKFState) -> GEKFState:
        """The state after the samples of a problem, at the point where that was evaluated."""
        sizes, weight, chance = state.sizes, state.weight, state.chance.following
        if not point.finite:
            return GEKFState(point, point.x, state.covariance, sizes, weight, chance)
        predicted = self._predicted(state)
        deviations = np.sqrt(np.maximum(np.diag(predicted), 0.0))
        learnt = np.sqrt(weight) * _factor(problem, point.x, deviations, state.chance)
        covariance = _corrected(predicted, learnt)
        ahead = _moved(box_of(problem), point, covariance, weight)
        return GEKFState(point, ahead, covariance, sizes, weight, chance)

    def _predicted(self, state: GEKFState) -> Matrix:
        """The covariance before the samples of a step."""
        predicted, sizes = state.covariance, state.sizes
        if self.forgetting < 1 and len(sizes) > 0:
            # Where samples tell nothing of a direction, its variance would grow forever.
            grown = float(np.mean(np.diag(predicted) / sizes**2)) / self.spread**2
            predicted = predicted * max(1.0, min(1 / self.forgetting, 1 / grown))
        if self.process_noise > 0:
            predicted = predicted + np.diag(self.process_noise * sizes**2)
        return predicted


def _factor(problem: Problem, x: Vector, deviations: Vector, chance: Chance) -> Matrix:
    """Rows U with UᵀU = G, as many as the rank of G.

    What matters is G in units of the deviations, whose small eigenvalues tell nothing new.
    """
    count = len(x)
    if count > _SMALL:
        rows = _factor_by_products(problem, x, deviations, chance, count // _MANY)
        if rows is not None:
            return rows
    matrix = problem.gauss_newton(x)[0] * np.outer(deviations, deviations)
    if not np.isfinite(matrix).all():
        return np.empty((0, count))
    values, vectors = np.linalg.eigh(matrix)
    kept = values > _NOTHING * np.max(values, initial=0.0)
    scales = np.where(deviations > 0, deviations, 1.0)
    return np.sqrt(values[kept])[:, None] * vectors.T[kept] / scales


def _factor_by_products(
    problem: Problem, x: Vector, deviations: Vector, chance: Chance, most: int
) -> Matrix | None:
    """The rows by Cholesky's elimination with random directions for pivots; None if too many.

    Each product with G, less what earlier rows account for, is one row more; the first that is
    zero says that there are no others.
    """
    generator = chance.generator()
    rows = np.empty((most, len(x)))
    largest = 0.0
    for rank in range(most):
        direction = deviations * generator.standard_normal(len(x))
        known = rows[:rank]
        product = problem.gnvp(x, direction) - known.T @ (known @ direction)
        pivot = float(direction @ product)
        largest = max(largest, pivot)
        if not pivot > _NOTHING * largest:
            return known
        rows[rank] = product / np.sqrt(pivot)
    return None


def _corrected(covariance: Matrix, learnt: Matrix) -> Matrix:
    """(P⁻¹ + UᵀU)⁻¹ = P - P Uᵀ (1 + U P Uᵀ)⁻¹ U P, symmetric to the last bit."""
    product = learnt @ covariance
    spreads, directions = np.linalg.eigh(product @ learnt.T)
    # Negative ones are rounding; with them the inverse would not exist for sure.
    gain = directions.T @ product / np.sqrt(1 + np.maximum(spreads, 0.0))[:, None]
    correction = gain.T @ gain
    return np.subtract(covariance, correction, out=correction)


def _moved(box: Box, point: Point, covariance: Matrix, weight: float) -> Vector:
    """The filtered weights; those that a bound holds are known, and condition the others."""
    held = box.active(point.x, point.gradient)
    step = -weight * (covariance @ np.where(held, 0.0, point.gradient))
    if held.any():
        gain = np.linalg.solve(covariance[np.ix_(held, held)], covariance[held])
        step = step - step[held] @ gain
        step[held] = 0.0
    return box.move(point.x, step)


METHOD = Method(
    name=_NAME,
    family="stochastic",
    order=1,
    optimizer=GEKF,
    source="Singhal and Wu, NIPS 1 (1988) 133; Puskorius and Feldkamp, IEEE TNN 5 (1994) 279",
    stochastic=True,
    batches=True,
    bounds=True,
)
