"""The search of Hager and Zhang: as accurate as slopes allow, where values have become rounding.

W. W. Hager and H. Zhang, A new conjugate gradient method with guaranteed descent and an efficient
line search, SIAM J. Optim. 16 (2005) 170-192; the names of steps (B2, U3, S1, ...) are theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias

from symopt.optim.searches.line import Trial, WolfeConditions, progress

_RISE = 1e-6  # ε: by what part of the first value a place may be higher and still be of use
_KEPT = 0.66  # γ: the part of its width that an interval may keep in one round; else it is halved
_EXPANSION = 5.0  # ρ


@dataclass(frozen=True, slots=True, eq=False)
class _Interval:
    """The line falls at `low`, which is hardly higher than the start, and rises at `high`."""

    low: Trial
    high: Trial

    @property
    def width(self) -> float:
        return self.high.length - self.low.length


# Yields the lengths to be tried, is sent the trials, and returns an interval.
_Trying: TypeAlias = Generator[float, Trial, _Interval]


def hager_zhang(
    at: Callable[[float], Trial],
    start: Trial,
    first: float,
    longest: float,
    *,
    decrease: float = 0.1,
    curvature: float = 0.9,
    max_trials: int = 60,
) -> Trial | None:
    """A length that meets the strong Wolfe conditions, or the approximate ones; or None.

    Those are the same for a parabola, written in slopes alone, and hold wherever the value is at
    most a little (1e-6 of itself) above the first. At `longest`, where a bound stops the line,
    decrease alone is enough.
    """
    conditions = WolfeConditions(start, decrease, curvature)
    limit = start.value + _RISE * abs(start.value)
    lengths = _lengths(conditions, limit, min(first, longest), longest)
    length, best = next(lengths), start
    for _ in range(max_trials):
        trial = at(length)
        if not conditions.moves(trial):
            break
        if _acceptable(conditions, trial, limit, longest):
            return trial
        if trial.finite and trial.value < best.value:
            best = trial
        try:
            length = lengths.send(trial)
        except StopIteration:  # the interval is down to rounding
            break
    return progress(start, best)


def _acceptable(conditions: WolfeConditions, trial: Trial, limit: float, longest: float) -> bool:
    if not trial.finite:
        return False
    lowers, slope = conditions.lowers(trial), conditions.start.slope
    if trial.length >= longest and trial.slope < 0:
        return lowers
    steep = conditions.curvature * slope
    approximate = (2 * conditions.decrease - 1) * slope >= trial.slope >= steep
    return (lowers and conditions.flat(trial)) or (approximate and trial.value <= limit)


def _lengths(
    conditions: WolfeConditions, limit: float, first: float, longest: float
) -> Generator[float, Trial, None]:
    """The lengths to be tried, in answer to the trials (L0 to L3)."""
    interval = yield from _bracket(conditions.start, limit, first, longest)
    while not conditions.resolved(interval.low.length, interval.high.length):
        narrower = yield from _secant_twice(interval, limit)
        if narrower.width > _KEPT * interval.width:
            middle = narrower.low.length + narrower.width / 2
            narrower = yield from _updated(narrower, middle, limit)
        interval = narrower


def _bracket(start: Trial, limit: float, first: float, longest: float) -> _Trying:
    """The first interval: out until the line rises (B0 to B3)."""
    low, length = start, first
    while True:
        trial = yield length
        if _rises(trial):
            return _Interval(low, trial)
        if not trial.finite or trial.value > limit:
            return (yield from _halved(low, trial, limit))
        low, length = trial, min(_EXPANSION * length, longest)


def _updated(interval: _Interval, length: float, limit: float) -> _Trying:
    """The interval cut at a length, if that is inside (U0 to U3)."""
    if not interval.low.length < length < interval.high.length:
        return interval
    trial = yield length
    if _rises(trial):
        return _Interval(interval.low, trial)
    if trial.finite and trial.value <= limit:
        return _Interval(trial, interval.high)
    return (yield from _halved(interval.low, trial, limit))


def _halved(low: Trial, high: Trial, limit: float) -> _Trying:
    """An interval whose end rises, found between `low` and a place that is too high (U3)."""
    while True:
        trial = yield low.length + (high.length - low.length) / 2
        if _rises(trial):
            return _Interval(low, trial)
        if trial.finite and trial.value <= limit:
            low = trial
        else:
            high = trial


def _secant_twice(interval: _Interval, limit: float) -> _Trying:
    """The interval cut where the slope seems to vanish, and again from the new end (S1 to S4)."""
    length = _secant(interval.low, interval.high)
    cut = yield from _updated(interval, length, limit)
    if length == cut.high.length:
        return (yield from _updated(cut, _secant(interval.high, cut.high), limit))
    if length == cut.low.length:
        return (yield from _updated(cut, _secant(interval.low, cut.low), limit))
    return cut


def _secant(a: Trial, b: Trial) -> float:
    """Where the slope would vanish if it changed evenly; nan if it does not change."""
    rise = b.slope - a.slope
    return (a.length * b.slope - b.length * a.slope) / rise if rise != 0 else float("nan")


def _rises(trial: Trial) -> bool:
    return trial.finite and trial.slope >= 0
