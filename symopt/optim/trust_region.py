"""Trust regions: the least point of a quadratic model within a radius, and how the radius goes on.

The model of a step s is g's + s'H s/2. Regions are balls: a caller that wants an ellipsoid scales
gradient and Hessian.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symopt.optim.problem import Matrix, Vector

_TINY = float(np.finfo(np.float64).tiny)
_MOST_MULTIPLIERS = 100  # a dozen are many; each is one factorization


@dataclass(frozen=True, slots=True)
class RadiusRule:
    """The radius follows the ratio of achieved to promised decrease (Conn, Gould, Toint, 6.1).

    Below `poor` it shrinks to where the parabola through value and slope at the start and the value
    at the end is least (Moré 1978); above `good` it grows to `growth` times the step's length.
    """

    accept: float = 1e-4
    poor: float = 0.25
    good: float = 0.75
    growth: float = 2.0

    def following(self, radius: float, ratio: float, length: float, bend: float) -> float:
        """The next radius after a step of some length; `bend` is the parabola's least point."""
        if ratio < self.poor:
            return length * min(max(bend, 0.1), 0.5)
        return max(radius, self.growth * length) if ratio > self.good else radius


def parabola_minimum(slope: float, change: float) -> float:
    """Where the parabola of this slope at 0 and this change until 1 is least; 0.1 if not finite."""
    curvature = change - slope
    if not (np.isfinite(change) and curvature > 0):
        return 0.1
    return -slope / (2 * curvature)


def steihaug(
    gradient: Vector,
    product: Callable[[Vector], Vector],
    radius: float,
    *,
    tolerance: float,
    max_iter: int,
) -> Vector:
    """The step of Steihaug (1983) and Toint (1981): truncated conjugate gradients in a ball.

    They end where |H s + g| <= tolerance, or on the boundary: where a step leaves the ball, or
    along a direction of no positive curvature. The first step is the Cauchy point; with every
    other the model falls and the length grows.
    """
    step = np.zeros_like(gradient)
    residual, direction = gradient, -gradient
    square = float(residual @ residual)
    for _ in range(max_iter):
        if np.sqrt(square) <= tolerance:
            break
        bent = product(direction)
        curvature = float(direction @ bent)
        length = square / curvature if curvature > 0 else np.inf
        furthest = to_boundary(step, direction, radius)
        if not length < furthest:
            return step + furthest * direction
        step, residual = step + length * direction, residual + length * bent
        previous, square = square, float(residual @ residual)
        direction = -residual + (square / previous) * direction
    return step


def to_boundary(step: Vector, direction: Vector, radius: float) -> float:
    """The t >= 0 for which |step + t direction| is the radius, |step| being at most that."""
    size = float(np.linalg.norm(direction))
    along = float(step @ (direction / size))
    room = max(radius**2 - float(step @ step), 0.0)
    root = float(np.sqrt(along**2 + room))
    # The form without cancellation, for either sign.
    return (room / (along + root) if along > 0 else root - along) / size


def more_sorensen(
    gradient: Vector, hessian: Matrix, radius: float, *, accuracy: float = 1e-3
) -> Vector:
    """The step of Moré and Sorensen (1983): the least point of the model in the ball.

    It is the s of H s + λ s = -g with H + λ positive semi-definite, λ >= 0, and λ = 0 where
    s is inside. The model's decrease and, on the boundary, the length are exact to `accuracy`. In
    the hard case, where g has no part along the lowest eigenvectors, one of these is added.
    """
    lower, upper = _multipliers(gradient, hessian, radius)
    multiplier = 0.0 if lower <= 0 else _inside(lower, upper)
    step = np.zeros_like(gradient)
    if upper <= _TINY:
        return step
    for _ in range(_MOST_MULTIPLIERS):
        factor = _cholesky(hessian, multiplier)
        if factor is None:
            lower = max(lower, multiplier)
            multiplier = _inside(lower, upper)
            continue
        step = -_solve(factor, _solve(factor, gradient, transposed=True))
        length = float(np.linalg.norm(step))
        if multiplier == 0 and length <= radius:
            return step
        if abs(length - radius) <= accuracy * radius:
            return step * (radius / length)
        if length < radius:
            upper = multiplier
            ended, least = _within(step, factor, multiplier, radius, accuracy)
            if ended is not None:
                return ended
            lower = max(lower, multiplier - least)
        else:
            lower = max(lower, multiplier)
        # Newton's method on 1/radius - 1/|s|, which is almost linear in the multiplier.
        slope = _solve(factor, step, transposed=True)
        square = float(step @ step) / max(float(slope @ slope), _TINY)
        multiplier += square * (length - radius) / radius
        if not lower < multiplier < upper:
            multiplier = 0.0 if lower <= 0 and multiplier <= 0 else _inside(lower, upper)
    return step * min(1.0, radius / max(float(np.linalg.norm(step)), _TINY))


def _multipliers(gradient: Vector, hessian: Matrix, radius: float) -> tuple[float, float]:
    """Bounds of λ, by Gershgorin's circles and norms."""
    diagonal = np.diag(hessian)
    circles = np.abs(hessian).sum(axis=1) - np.abs(diagonal)
    frobenius = float(np.linalg.norm(hessian))
    greatest = min(float(np.max(diagonal + circles)), frobenius)
    least = min(float(np.max(circles - diagonal)), frobenius)
    steepness = float(np.linalg.norm(gradient)) / radius
    lower = max(0.0, -float(np.min(diagonal)), steepness - greatest)
    # Above the bound, for H + λ shall be definite there even where g is zero.
    return lower, 1.001 * max(steepness + max(least, 0.0), lower)


def _inside(lower: float, upper: float) -> float:
    """A multiplier between bounds, nearer to the lower one."""
    return max(float(np.sqrt(lower * upper)), lower + 0.01 * (upper - lower))


def _within(
    step: Vector, factor: Matrix, multiplier: float, radius: float, accuracy: float
) -> tuple[Vector | None, float]:
    """An answer from a step inside the ball, if it gives one; and |H + λ| along its lowest axis.

    The model is at least -(s'(H + λ)s + λ radius²)/2 everywhere in the ball. So the step is an
    answer where λ is small, and with a part along the lowest eigenvector where that costs little.
    """
    bent = factor @ step
    most = float(bent @ bent) + multiplier * radius**2
    lowest = _lowest(factor)
    raised = factor @ lowest
    least = float(raised @ raised)
    if multiplier * (radius**2 - float(step @ step)) <= accuracy * most:
        return step, least
    # Of both ways to the boundary the shorter one raises (H + λ) less.
    along = lowest if float(step @ lowest) >= 0 else -lowest
    length = to_boundary(step, along, radius)
    if length**2 * least <= accuracy * most:
        return step + length * along, least
    return None, least


def _lowest(factor: Matrix) -> Vector:
    """A unit vector w for which |R w| is nearly least: by LINPACK's estimate, then refined.

    Right sides of ±1 are chosen so that the solution of R'v = ±1 grows (Cline et al. 1979); one
    inverse iteration then turns it towards the lowest eigenvector of R'R.
    """
    size = len(factor)
    solved, sums = np.zeros(size), np.zeros(size)
    for k in range(size):
        row = factor[k, k + 1 :]
        choices = [(sign - sums[k]) / factor[k, k] for sign in (1.0, -1.0)]
        grown = [abs(v) + float(np.abs(sums[k + 1 :] + row * v).sum()) for v in choices]
        solved[k] = choices[0] if grown[0] >= grown[1] else choices[1]
        sums[k + 1 :] += row * solved[k]
    found = _solve(factor, solved / np.linalg.norm(solved))
    found = _solve(factor, _solve(factor, found / np.linalg.norm(found), transposed=True))
    return found / np.linalg.norm(found)


def _cholesky(hessian: Matrix, multiplier: float) -> Matrix | None:
    """The upper R of H + λ = R'R; None if that is not positive definite."""
    shifted = hessian.copy()
    shifted[np.diag_indices_from(shifted)] += multiplier
    try:
        factor = np.asarray(np.linalg.cholesky(shifted).T, np.float64)
    except np.linalg.LinAlgError:
        return None
    return factor if np.isfinite(factor).all() else None


def _solve(factor: Matrix, right: Vector, *, transposed: bool = False) -> Vector:
    from scipy import linalg  # pyright: ignore[reportMissingTypeStubs]: has none

    solver: Any = linalg
    return solver.solve_triangular(factor, right, trans=1 if transposed else 0, check_finite=False)
