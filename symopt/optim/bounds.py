"""Boxes: keeping iterates inside lower and upper bounds, closed or open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from symopt.optim.problem import Mask, Problem, Vector
from symopt.optim.rounding import EPSILON

D = TypeVar("D", bound="Vector | None")  # a step in some entries, 0 in the others

_APPROACH = 0.99  # the part of the way to an open bound that one step may go
_SNAP = 8 * EPSILON  # a step that ends this close to a bound ends on it


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """lower <= x <= upper, without the ends where they are open."""

    lower: Vector
    upper: Vector
    open_lower: Mask
    open_upper: Mask
    unbounded: bool = field(init=False)

    def __post_init__(self) -> None:
        unbounded = bool(np.isneginf(self.lower).all() and np.isposinf(self.upper).all())
        object.__setattr__(self, "unbounded", unbounded)

    def project(self, x: Vector) -> Vector:
        """The point of the box that is nearest to x, or a little inside where an end is open."""
        width = self.upper - self.lower
        margin = np.minimum(0.01 * np.maximum(1.0, _magnitude(self.lower, self.upper)), width / 4)
        inside = np.clip(x, self.lower, self.upper)
        low = self.open_lower & (inside <= self.lower)
        high = self.open_upper & (inside >= self.upper)
        inside = np.where(low, self.lower + margin, inside)
        return np.where(high, self.upper - margin, inside)

    def reach(self, x: Vector) -> tuple[Vector, Vector]:
        """How far down and up one step from x may go (as positive lengths)."""
        down = np.where(self.open_lower, _APPROACH, 1.0) * (x - self.lower)
        up = np.where(self.open_upper, _APPROACH, 1.0) * (self.upper - x)
        return down, up

    def move(self, x: Vector, step: Vector) -> Vector:
        """x + step, shortened entry by entry to what the box allows."""
        if self.unbounded:
            return x + step
        down, up = self.reach(x)
        moved = x + np.clip(step, -down, up)
        nearness = _SNAP * np.maximum(np.abs(x), np.abs(moved))
        at_low = ~self.open_lower & (moved - self.lower <= nearness)
        at_high = ~self.open_upper & (self.upper - moved <= nearness)
        moved = np.where(at_low, self.lower, np.where(at_high, self.upper, moved))
        # One rounding away from an open end the sum may still land on it.
        moved = np.where(self.open_lower & (moved <= self.lower), x, moved)
        return np.where(self.open_upper & (moved >= self.upper), x, moved)

    def longest(self, x: Vector, direction: Vector) -> float:
        """The largest t for which x + t * direction is in reach."""
        down, up = self.reach(x)
        room = np.where(direction < 0, down, up)
        moving = direction != 0
        if not moving.any():
            return np.inf
        return float(np.min(room[moving] / np.abs(direction[moving])))

    def active(self, x: Vector, gradient: Vector) -> Mask:
        """The entries held at a closed bound by the (descending) gradient."""
        low = ~self.open_lower & (x <= self.lower) & (gradient > 0)
        high = ~self.open_upper & (x >= self.upper) & (gradient < 0)
        return low | high

    def shortened(self, x: Vector, direction: Vector) -> Vector:
        """The direction with the entries that would meet an open end cut to what is in reach.

        A minimum at an open end is approached forever; the other entries shall not wait for it.
        """
        down, up = self.reach(x)
        cut = np.where(self.open_lower, np.maximum(direction, -down), direction)
        return np.where(self.open_upper, np.minimum(cut, up), cut)

    def leaving(self, x: Vector, direction: Vector) -> Mask:
        """The entries at a closed bound that the direction would take outside."""
        return self.active(x, -direction)

    def feasible(self, x: Vector, gradient: Vector, among: Callable[[Mask], D]) -> D | Vector:
        """The step that `among` makes in some entries, in those that it does not take outside.

        An entry at a bound may be pulled inside by its gradient and yet pushed outside by the
        others; it is held as well.
        """
        free = ~self.active(x, gradient)
        while free.any():
            step = among(free)
            if step is None:
                return step
            leaving = self.leaving(x, step)
            if not leaving.any():
                return step
            free = free & ~leaving
        return np.zeros_like(x)

    def projected(self, x: Vector, gradient: Vector) -> Vector:
        """The gradient without the entries that a bound holds."""
        if self.unbounded:
            return gradient
        return np.where(self.active(x, gradient), 0.0, gradient)


def _magnitude(lower: Vector, upper: Vector) -> Vector:
    low = np.where(np.isfinite(lower), np.abs(lower), 0.0)
    high = np.where(np.isfinite(upper), np.abs(upper), 0.0)
    return np.maximum(low, high)


def box_of(problem: Problem) -> Box:
    """The box of a problem, which may keep it in `box`."""
    kept = getattr(problem, "box", None)
    if isinstance(kept, Box):
        return kept
    return box_between(*problem.bounds, *problem.open_bounds)


def box_between(lower: Vector, upper: Vector, open_lower: Mask, open_upper: Mask) -> Box:
    """The box between bounds, infinite where there are none."""
    # An infinite end is no end, and numerically it is never reached.
    return Box(lower, upper, open_lower & np.isfinite(lower), open_upper & np.isfinite(upper))
