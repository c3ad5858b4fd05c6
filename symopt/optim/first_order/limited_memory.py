"""The last few steps and changes of the gradient: curvature in little memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from symopt.optim.optimizer import Status
from symopt.optim.problem import Point, Vector
from symopt.optim.rounding import EPSILON
from symopt.optim.searches.verdict import at_noise_floor


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A step s, the change y of the gradient over it, and s.y > 0."""

    step: Vector
    change: Vector
    curvature: float


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The pairs, oldest first, and the multiple of the unit matrix that they correct."""

    pairs: tuple[Pair, ...]
    scale: float  # of the inverse Hessian

    def after(self, step: Vector, change: Vector, capacity: int) -> Memory:
        """With another pair, and the oldest forgotten; the newest one sets the scale.

        Where the curvature is not positive there is nothing to learn.
        """
        curvature = float(step @ change)
        lengths = float(np.linalg.norm(step) * np.linalg.norm(change))
        if not curvature > EPSILON * lengths:
            return self
        pairs = (*self.pairs, Pair(step, change, curvature))[-capacity:]
        return Memory(pairs, curvature / float(change @ change))

    def newton_step(self, gradient: Vector) -> Vector:
        """Minus the inverse Hessian times the gradient, by the two-loop recursion."""
        q, parts = -gradient, list[float]()
        for pair in reversed(self.pairs):
            part = float(pair.step @ q) / pair.curvature
            q -= part * pair.change
            parts.append(part)
        q *= self.scale
        for pair, part in zip(self.pairs, reversed(parts), strict=True):
            q += (part - float(pair.change @ q) / pair.curvature) * pair.step
        return q


@dataclass(frozen=True, slots=True, eq=False)
class LimitedMemoryState:
    """Where a method with a limited memory is."""

    point: Point
    memory: Memory  # in units of the sizes
    sizes: Vector  # typical sizes of the parameters
    outcome: Status | None = None


def first_memory(gradient: Vector) -> Memory:
    """A memory without pairs, whose first step is a tenth in the steepest entry."""
    steepest = float(np.max(np.abs(gradient), initial=0.0))
    return Memory((), 0.1 / steepest if 0 < steepest < np.inf else 1.0)


def moved(state: LimitedMemoryState, point: Point, capacity: int) -> LimitedMemoryState:
    """The state at a new point, with another pair."""
    old, sizes = state.point, state.sizes
    step = (point.x - old.x) / sizes
    change = (point.gradient - old.gradient) * sizes
    return LimitedMemoryState(point, state.memory.after(step, change, capacity), sizes)


def restarted(state: LimitedMemoryState, direction: Vector, gradient: Vector) -> LimitedMemoryState:
    """The same point after a direction failed: without memory, or the end.

    `gradient` is that of the entries that may move.
    """
    if at_noise_floor(state.point, direction, state.sizes):
        return replace(state, outcome=Status.PRECISION)
    if not state.memory.pairs:
        return replace(state, outcome=Status.STALLED)
    return replace(state, memory=first_memory(state.sizes * gradient))
