"""The search of Moré and Thuente: an interval that is sure to hold an acceptable step length.

J. J. Moré and D. J. Thuente, Line search algorithms with guaranteed sufficient decrease,
ACM TOMS 20 (1994) 286-307; section numbers below are theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symopt.optim.searches.line import Trial, WolfeConditions, progress

_NEAR, _FAR = 1.1, 4.0  # a length beyond the last one: this many times as far again
_KEPT = 0.66  # the part of its width that an interval may keep in two trials; else it is halved


@dataclass(frozen=True, slots=True, eq=False)
class _Interval:
    """Two ends; `holds` once an acceptable length is sure to lie between them."""

    best: Trial
    other: Trial
    holds: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Length, value and slope of the line, or of the line less a slope of its own."""

    length: float
    value: float
    slope: float


def more_thuente(
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

    At `longest`, where a bound stops the line, decrease alone is enough. A trial that is not
    finite ends the line as well: the search goes on in front of it.
    """
    conditions = WolfeConditions(start, decrease, curvature)
    interval, opening = _Interval(start, start, holds=False), True
    widths = (np.inf, np.inf)  # of the interval, two trials ago and one
    length = min(first, longest)
    for count in range(max_trials):
        trial = at(length)
        if not conditions.moves(trial):
            break
        if not trial.finite:
            longest = trial.length
            length = interval.best.length + 0.1 * (length - interval.best.length)
            if conditions.resolved(interval.best.length, longest):
                break
            continue
        lowers = conditions.lowers(trial)
        if lowers and (conditions.flat(trial) or (trial.slope < 0 and trial.length >= longest)):
            return trial
        # Section 3: at first an auxiliary function leads, whose minimum is acceptable.
        opening = opening and not (lowers and trial.slope >= 0)
        tilted = opening and trial.value <= interval.best.value and not lowers
        near = 0.0 if count == 0 else _NEAR
        length = _following(interval, trial, decrease * start.slope if tilted else 0.0, near)
        interval = _narrowed(interval, trial, decrease * start.slope if tilted else 0.0)
        if interval.holds:
            low, high = sorted((interval.best.length, interval.other.length))
            if high - low >= _KEPT * widths[0] or not low < length < high:
                length = low + 0.5 * (high - low)
            widths = (widths[1], high - low)
            if conditions.resolved(low, high):
                break
        length = min(length, longest)
    return progress(start, interval.best)


def _following(interval: _Interval, trial: Trial, tilt: float, near: float) -> float:
    """The next length (section 4), for the line less `tilt` times the length."""
    best, other, last = (_tilted(t, tilt) for t in (interval.best, interval.other, trial))
    advance = last.length - best.length
    if last.value > best.value:
        cubic = _cubic_minimum(best, last)
        parabola = best.length - 0.5 * best.slope * advance / (
            (last.value - best.value) / advance - best.slope
        )
        close = abs(cubic - best.length) <= abs(parabola - best.length)
        return cubic if close else cubic + 0.5 * (parabola - cubic)
    if last.slope * best.slope < 0:
        cubic, secant = _cubic_minimum(last, best), _secant(last, best)
        return cubic if abs(cubic - last.length) > abs(secant - last.length) else secant
    if abs(last.slope) < abs(best.slope):
        return _flattening(interval, best, last, other, near)
    if interval.holds:
        return _cubic_minimum(last, other)
    return last.length + _FAR * advance


def _flattening(
    interval: _Interval, best: _Place, last: _Place, other: _Place, near: float
) -> float:
    """The next length where the value fell, and its slope became flatter (case 3)."""
    advance = last.length - best.length
    far = last.length + _FAR * advance
    secant = _secant(last, best)
    beyond = _cubic_minimum(last, best)
    # A minimum on the way that was come is none of the line's: only those ahead count.
    cubic = beyond if (beyond - last.length) * advance > 0 else far
    nearer = abs(cubic - last.length) < abs(secant - last.length)
    if not interval.holds:
        length = secant if nearer else cubic
        return min(max(length, last.length + near * advance), far)
    length = cubic if nearer else secant
    limit = last.length + _KEPT * (other.length - last.length)
    return min(limit, length) if advance > 0 else max(limit, length)


def _narrowed(interval: _Interval, trial: Trial, tilt: float) -> _Interval:
    """The interval with the trial as an end (section 2)."""
    best, last = _tilted(interval.best, tilt), _tilted(trial, tilt)
    if last.value > best.value:
        return _Interval(interval.best, trial, holds=True)
    if last.slope * best.slope < 0:
        return _Interval(trial, interval.best, holds=True)
    return _Interval(trial, interval.other, interval.holds)


def _tilted(trial: Trial, tilt: float) -> _Place:
    return _Place(trial.length, trial.value - tilt * trial.length, trial.slope - tilt)


def _secant(a: _Place, b: _Place) -> float:
    """Where the slope would vanish if it changed evenly."""
    return a.length + a.slope / (a.slope - b.slope) * (b.length - a.length)


def _cubic_minimum(a: _Place, b: _Place) -> float:
    """Where the cubic through both values and slopes is least; nan if it only falls or rises."""
    width = b.length - a.length
    middle = 3 * (a.value - b.value) / width + a.slope + b.slope
    scale = max(abs(middle), abs(a.slope), abs(b.slope))
    # Scaled, so that squares of slopes do not overflow.
    inside = (middle / scale) ** 2 - (a.slope / scale) * (b.slope / scale)
    if not inside > 0:
        return float("nan")
    root = float(np.copysign(scale * np.sqrt(inside), width))
    bottom = (root - a.slope) + root + b.slope
    return a.length + ((root - a.slope) + middle) / bottom * width if bottom != 0 else b.length
