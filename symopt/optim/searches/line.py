"""The objective along a line, and the conditions that a step length may have to meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symopt.optim.bounds import Box
from symopt.optim.problem import Point, Problem, Vector, evaluate
from symopt.optim.rounding import EPSILON

NOISE = 8 * EPSILON  # relative rounding of a value


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A place on a line: how far along, and value and slope there."""

    length: float
    value: float
    slope: float
    point: Point

    @property
    def finite(self) -> bool:
        return self.point.finite


def along(problem: Problem, box: Box, point: Point, direction: Vector) -> Callable[[float], Trial]:
    """The objective on the line from `point` in `direction`, as a function of the length."""

    def at(length: float) -> Trial:
        reached = evaluate(problem, box.move(point.x, length * direction))
        return Trial(length, reached.value, float(reached.gradient @ direction), reached)

    return at


@dataclass(frozen=True, slots=True, eq=False)
class WolfeConditions:
    """The strong Wolfe conditions: enough decrease, and a slope that is flat enough."""

    start: Trial
    decrease: float
    curvature: float

    def lowers(self, trial: Trial) -> bool:
        """Whether the decrease is at least this fraction of what the first slope promises.

        Where the decrease drowns in the rounding of the value it is judged by slopes instead
        (Hager and Zhang 2005).
        """
        start = self.start
        if trial.value <= start.value + self.decrease * trial.length * start.slope:
            return True
        flat = (2 * self.decrease - 1) * start.slope >= trial.slope
        return abs(trial.value - start.value) <= self.noise and flat

    def flat(self, trial: Trial) -> bool:
        """Whether at most this fraction of the first slope is left."""
        return abs(trial.slope) <= -self.curvature * self.start.slope

    @property
    def noise(self) -> float:
        """The rounding of the value."""
        return NOISE * abs(self.start.value)

    def moves(self, trial: Trial) -> bool:
        """Whether a trial is anywhere else than the start, to rounding."""
        return not np.array_equal(trial.point.x, self.start.point.x)

    def resolved(self, low: float, high: float) -> bool:
        """Whether what lies between two lengths is rounding, of the length or of the value."""
        width = abs(high - low)
        return width <= 1e-10 * max(low, high) or -self.start.slope * width <= 1e-2 * self.noise


def progress(start: Trial, best: Trial) -> Trial | None:
    """The best place that a search has met: progress without a flat slope is still progress."""
    return best if best.value < start.value else None
