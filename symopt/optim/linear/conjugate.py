"""Symmetric positive definite systems by products alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symopt.optim.problem import Vector

Linear = Callable[[Vector], Vector]


@dataclass(frozen=True, slots=True, eq=False)
class Iterated:
    """An approximate solution, and how many products it took."""

    solution: Vector
    products: int
    converged: bool


def conjugate_gradients(
    product: Linear,
    right: Vector,
    *,
    precondition: Linear = lambda v: v,
    tolerance: float,
    most: int,
) -> Iterated | None:
    """x with |A x - right| at most `tolerance` times what it was at 0, in the preconditioned norm.

    After `most` products, or where a direction of no positive curvature turns up, what has been
    reached: that too makes x'A x / 2 - right'x as small as it can be so far. None if that is
    nothing. Hestenes and Stiefel 1952; Saad 2003, algorithm 9.1.
    """
    x = np.zeros_like(right)
    residual = right.copy()
    ahead = precondition(residual)
    size = float(residual @ ahead)
    if size == 0:
        return Iterated(x, 0, True)
    enough, direction = tolerance**2 * size, ahead
    for count in range(1, most + 1):
        image = product(direction)
        curvature = float(direction @ image)
        if not 0 < curvature < np.inf:
            return Iterated(x, count, False) if count > 1 else None
        step = size / curvature
        x = x + step * direction
        residual = residual - step * image
        ahead = precondition(residual)
        former, size = size, float(residual @ ahead)
        if not size > enough:
            return Iterated(x, count, True) if np.isfinite(x).all() else None
        direction = ahead + size / former * direction
    return Iterated(x, most, False)
