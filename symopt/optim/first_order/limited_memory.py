"""The last few steps and changes of the gradient: curvature in little memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symopt.optim.problem import Vector
from symopt.optim.rounding import EPSILON


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
