"""Step-length rules: how far to go along a direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symopt.optim.bounds import Box
from symopt.optim.problem import Point, Problem, Vector, evaluate

_NOISE = 8 * float(np.finfo(np.float64).eps)  # relative rounding of a value


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


def backtrack(
    problem: Problem, box: Box, point: Point, direction: Vector, first: float, decrease: float
) -> Trial | None:
    """The first of the lengths first, first/2, first/4, ... that lowers the objective enough.

    Enough is Armijo's rule along the path bent by the bounds: at least `decrease` times what the
    gradient promises for the step really taken. None if rounding is reached before.
    """
    length = first
    for _ in range(100):
        x = box.move(point.x, length * direction)
        promised = float(point.gradient @ (x - point.x))
        if not promised < 0:
            return None
        value = problem.value(x)
        if value <= point.value + decrease * promised and value < point.value:
            reached = Point(x, value, problem.grad(x))
            if reached.finite:
                return Trial(length, value, float(reached.gradient @ direction), reached)
        length /= 2
    return None


def strong_wolfe(
    at: Callable[[float], Trial],
    start: Trial,
    first: float,
    longest: float,
    *,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    max_trials: int = 60,
) -> Trial | None:
    """A length with enough decrease and a flat enough slope (strong Wolfe conditions), or None.

    `low` always lowers the objective and still descends steeply, `high` is too far (no decrease,
    rising, or not finite), so that an acceptable length lies between them. Where the decrease
    drowns in the rounding of the value it is judged by slopes instead (Hager and Zhang 2005).
    At `longest`, where a bound stops the line, decrease alone is enough.
    """
    noise = _NOISE * abs(start.value)

    def lowers(trial: Trial) -> bool:
        if trial.value <= start.value + decrease * trial.length * start.slope:
            return True
        flat = (2 * decrease - 1) * start.slope >= trial.slope
        return abs(trial.value - start.value) <= noise and flat

    low, high, best = start, None, start
    length = min(first, longest)
    for count in range(max_trials):
        trial = at(length)
        if trial.finite and trial.value < best.value:
            best = trial
        if not trial.finite or not lowers(trial):
            high = trial
        elif abs(trial.slope) <= -curvature * start.slope:
            return trial
        elif trial.slope >= 0:
            high = trial
        elif trial.length >= longest:
            return trial
        else:
            length = min(_extrapolated(low, trial), longest)
            low = trial
        if high is not None:
            length = _between(low, high, noise, bisect=count % 3 == 2)
            # Done when the rest of the interval is rounding, of the length or of the value.
            width = high.length - low.length
            if width <= 1e-10 * high.length or -start.slope * width <= 1e-2 * noise:
                break
    # Progress without a flat slope is still progress.
    return best if best.value < start.value else None


def _extrapolated(low: Trial, trial: Trial) -> float:
    """A length beyond `trial`: where the slope would vanish if it went on changing as it did."""
    rise = trial.slope - low.slope
    if not rise > 0:
        return 10 * trial.length
    length = trial.length - trial.slope * (trial.length - low.length) / rise
    return min(max(length, 2 * trial.length), 10 * trial.length)


def _between(low: Trial, high: Trial, noise: float, *, bisect: bool) -> float:
    """A length between the two, well away from both."""
    width = high.length - low.length
    if not high.finite:
        return low.length + 0.1 * width
    if bisect:
        return low.length + 0.5 * width
    if abs(high.value - low.value) > noise:
        fraction = _cubic_minimum(low, high)
    else:
        fraction = -low.slope / (high.slope - low.slope) if high.slope > 0 else 0.5
    return low.length + min(max(fraction, 0.1), 0.9) * width


def _cubic_minimum(low: Trial, high: Trial) -> float:
    """Where the cubic through both values and slopes is least, as a fraction of the interval."""
    width = high.length - low.length
    left, right = low.slope * width, high.slope * width
    middle = left + right - 3 * (high.value - low.value)
    inside = middle * middle - left * right
    if not (np.isfinite(inside) and inside >= 0):
        return 0.5
    root = float(np.sqrt(inside))
    bottom = right - left + 2 * root
    return 1 - (right + root - middle) / bottom if bottom != 0 else 0.5
