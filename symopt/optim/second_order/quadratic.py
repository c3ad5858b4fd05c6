"""The quadratic model of an objective around a point, and its least point in region and box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symopt.optim.bounds import Box
from symopt.optim.problem import Mask, Matrix, Point, Vector
from symopt.optim.rounding import EPSILON
from symopt.optim.trust_region import more_sorensen, steihaug

_NOISE = 64 * EPSILON


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticModel:
    """g's + s'Hs/2 around a point; the region is |scales * s| <= radius."""

    point: Point
    scales: Vector
    product: Callable[[Vector], Vector]
    matrix: Matrix | None = None  # H, for exact steps; truncated ones make do with products

    @property
    def finite(self) -> bool:
        return self.matrix is None or bool(np.isfinite(self.matrix).all())

    def reduction(self, step: Vector) -> float:
        """How much the model falls with the step."""
        return -float(step @ (self.point.gradient + self.product(step) / 2))

    def step(self, box: Box, radius: float) -> Vector:
        """The step in region and box: entries that meet a bound stop there, the others go on.

        Entries that the gradient holds at a bound do not move. One subproblem for each bound met,
        at most.
        """
        x = self.point.x
        free = ~box.active(x, self.point.gradient)
        held = np.zeros_like(x)
        step = self._among(free, held, radius)
        while not box.unbounded and free.any():
            within = box.move(x, step) - x
            blocked = free & (np.abs(within) < np.abs(step) * (1 - _NOISE))
            if not blocked.any():
                return within
            free, held = free & ~blocked, np.where(blocked, within, held)
            step = self._among(free, held, radius)
        return step

    def _among(self, free: Mask, held: Vector, radius: float) -> Vector:
        """The step in the region, its entries outside `free` being those of `held`."""
        if not free.any():
            return held
        slope, scales = self.point.gradient, self.scales[free]
        if held.any():
            slope = slope + self.product(held)
        slope = slope[free] / scales
        if self.matrix is not None:
            block = self.matrix[np.ix_(free, free)] / np.outer(scales, scales)
            found = more_sorensen(slope, block, radius)
        else:
            found = self._truncated(slope, free, radius)
        return filled(held, free, found / scales)

    def _truncated(self, slope: Vector, free: Mask, radius: float) -> Vector:
        scales, nothing = self.scales[free], np.zeros_like(self.scales)
        size = float(np.linalg.norm(slope))
        return steihaug(
            slope,
            lambda v: self.product(filled(nothing, free, v / scales))[free] / scales,
            radius,
            tolerance=size * min(0.1, float(np.sqrt(size))),
            max_iter=2 * len(slope),
        )


def filled(held: Vector, free: Mask, entries: Vector) -> Vector:
    """`held` with other entries where it is free."""
    full = held.copy()
    full[free] = entries
    return full
