"""Quadratic models in boxes: the minimum along the projected gradient, and beyond it.

R. H. Byrd, P. Lu, J. Nocedal and C. Zhu, A limited memory algorithm for bound constrained
optimization, SIAM J. Sci. Comput. 16 (1995) 1190-1208; equation numbers below are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symopt.optim.first_order.limited_memory import Memory
from symopt.optim.problem import Mask, Matrix, Vector


@dataclass(frozen=True, slots=True, eq=False)
class CompactHessian:
    """B = theta I - W M W', from the pairs of a memory (eq. 3.2 to 3.4)."""

    theta: float
    wide: Matrix  # W = [Y, theta S], (n, 2m)
    middle: Matrix  # M


def compact(memory: Memory, n: int) -> CompactHessian:
    """The Hessian whose inverse the memory describes."""
    theta = 1 / memory.scale
    if not memory.pairs:
        return CompactHessian(theta, np.zeros((n, 0)), np.zeros((0, 0)))
    # Each pair scaled to s.y = 1: B stays the same, and M becomes better conditioned.
    roots = [np.sqrt(pair.curvature) for pair in memory.pairs]
    steps = np.stack([p.step / r for p, r in zip(memory.pairs, roots, strict=True)], axis=1)
    changes = np.stack([p.change / r for p, r in zip(memory.pairs, roots, strict=True)], axis=1)
    lower = np.tril(steps.T @ changes, -1)
    # M is the inverse of [[-I, L'], [L, theta S'S]]; of its blocks, only T = theta S'S + LL' has
    # to be inverted, which is positive definite.
    inner = np.asarray(np.linalg.inv(theta * steps.T @ steps + lower @ lower.T), np.float64)
    inner = (inner + inner.T) / 2
    corner = lower.T @ inner
    middle = np.block([[corner @ lower - np.eye(len(roots)), corner], [corner.T, inner]])
    return CompactHessian(theta, np.hstack([changes, theta * steps]), middle)


@dataclass(frozen=True, slots=True, eq=False)
class CauchyPoint:
    """A step to a minimum of the model, which entries are free there, and W' times the step."""

    step: Vector
    free: Mask
    wide: Vector  # c = W'(x_c - x)


def cauchy_point(
    gradient: Vector, down: Vector, up: Vector, hessian: CompactHessian
) -> CauchyPoint:
    """The first minimum of the model along the projected gradient (algorithm CP).

    An entry may go `down` or `up` by so much; there it stops, and the path goes on without it.
    """
    with np.errstate(all="ignore"):
        breaks = np.where(gradient < 0, up, down) / np.abs(gradient)
    breaks = np.where(gradient == 0, np.inf, breaks)
    direction = np.where(breaks > 0, -gradient, 0.0)
    step = np.zeros_like(gradient)
    theta, wide, middle = hessian.theta, hessian.wide, hessian.middle
    p, c = wide.T @ direction, np.zeros(wide.shape[1])
    slope = -float(direction @ direction)
    bend = -theta * slope - float(p @ middle @ p)
    reached = 0.0
    for entry in np.argsort(breaks, kind="stable"):
        advance = float(breaks[entry]) - reached
        if breaks[entry] <= 0:
            continue
        if not np.isfinite(advance) or slope + advance * bend >= 0:
            break
        # The entry stops here; slope and curvature of the rest of the path (eq. 4.9, 4.10).
        g, row, reached = float(gradient[entry]), wide[entry], float(breaks[entry])
        step[entry] = up[entry] if g < 0 else -down[entry]
        c = c + advance * p
        slope += advance * bend + g * (g + theta * step[entry] - float(row @ middle @ c))
        bend -= g * (theta * g + 2 * float(row @ middle @ p) + g * float(row @ middle @ row))
        p = p + g * row
        direction[entry] = 0.0
    rest = max(0.0, -slope / bend) if bend > 0 else 0.0
    moving = direction != 0
    step[moving] = (reached + rest) * direction[moving]
    return CauchyPoint(step, moving | ((gradient == 0) & (down > 0) & (up > 0)), c + rest * p)


def subspace_step(gradient: Vector, cauchy: CauchyPoint, hessian: CompactHessian) -> Vector:
    """From the Cauchy point to the minimum of the model in the free entries (eq. 5.7 to 5.11).

    The direct primal method; bounds are not seen.
    """
    theta, middle, free = hessian.theta, hessian.middle, cauchy.free
    reduced = gradient + theta * cauchy.step - hessian.wide @ (middle @ cauchy.wide)
    further = np.zeros_like(gradient)
    further[free] = -reduced[free] / theta
    if middle.size and free.any():
        wide = hessian.wide[free]
        inner = np.eye(len(middle)) - middle @ (wide.T @ wide) / theta
        correction = np.linalg.solve(inner, middle @ (wide.T @ reduced[free]))
        further[free] -= wide @ correction / theta**2
    return further
