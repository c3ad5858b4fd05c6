"""The minimum of the objective along a line, to the accuracy of its slope."""

from __future__ import annotations

from collections.abc import Callable

from symopt.optim.rounding import EPSILON
from symopt.optim.searches.line import NOISE, Trial, progress

_EXPANSION = 4.0


def exact(
    at: Callable[[float], Trial],
    start: Trial,
    first: float,
    longest: float,
    *,
    max_trials: int = 100,
) -> Trial | None:
    """A place where the slope vanishes and the objective is lower, or None.

    The slope is what is brought to zero, for it is known far below the rounding of the values. At
    `longest`, where a bound stops the line, it may still fall.
    """
    flat, noise = -4 * EPSILON * start.slope, NOISE * abs(start.value)
    before, low, high = start, start, None
    length = min(first, longest)
    for count in range(max_trials):
        trial = at(length)
        lower = trial.finite and trial.value <= low.value + noise
        if lower and (abs(trial.slope) <= flat or (trial.slope < 0 and length >= longest)):
            return trial
        if trial.finite and trial.slope > 0:
            trial = _level(at, low, trial, flat, max_trials - count)
            if trial.value <= low.value + noise:
                return trial
            lower = False
        if lower:
            before, low = low, trial
        else:  # beyond a hill or a wall; the minimum is in front of it
            high = trial
        if high is None:
            length = min(_further(before, low), longest)
        else:
            length = low.length + (high.length - low.length) / 2
            if not low.length < length < high.length:
                break
    return progress(start, low)


def _further(before: Trial, low: Trial) -> float:
    """Beyond `low`: where the slope would vanish if it went on changing as it did."""
    rise, advance = low.slope - before.slope, low.length - before.length
    most = low.length + _EXPANSION * advance
    return min(low.length - low.slope * advance / rise, most) if rise > 0 else most


def _level(
    at: Callable[[float], Trial], low: Trial, high: Trial, flat: float, max_trials: int
) -> Trial:
    """Where the slope vanishes, between a place where the line falls and one where it rises.

    Inverse quadratic interpolation where that is sure to be better, else bisection (Chandrupatla,
    Adv. Eng. Softw. 28 (1997) 145). The first cut is the secant's: exact for a parabola.
    """
    newest, other = high, low
    flattest = _flattest(low, high)
    part = high.slope / (high.slope - low.slope)
    for _ in range(max_trials):
        width = other.length - newest.length
        least = 2 * EPSILON * flattest.length / abs(width)
        if least > 0.5 or abs(flattest.slope) <= flat:
            break
        trial = at(newest.length + min(max(part, least), 1 - least) * width)
        same = (trial.slope > 0) == (newest.slope > 0)
        oldest, other = (newest, other) if same else (other, newest)
        newest = trial
        flattest = _flattest(newest, other)
        part = _part(newest, other, oldest)
    return flattest


def _flattest(a: Trial, b: Trial) -> Trial:
    return a if abs(a.slope) < abs(b.slope) else b


def _part(a: Trial, b: Trial, c: Trial) -> float:
    """How far to go from a to b: by the parabola of the lengths over the slopes."""
    place = (a.length - b.length) / (c.length - b.length)
    fraction = (a.slope - b.slope) / (c.slope - b.slope)
    if not (fraction**2 < place and (1 - fraction) ** 2 < 1 - place):
        return 0.5
    return a.slope / (b.slope - a.slope) * c.slope / (b.slope - c.slope) + (
        (c.length - a.length) / (b.length - a.length)
    ) * a.slope / (c.slope - a.slope) * b.slope / (c.slope - b.slope)
