"""A plain strong Wolfe search: bracket a minimum of the line, then cut the bracket."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symopt.optim.searches.line import Trial, WolfeConditions, progress


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
    rising, or not finite), so that an acceptable length lies between them. At `longest`, where a
    bound stops the line, decrease alone is enough.
    """
    conditions = WolfeConditions(start, decrease, curvature)
    low, high, best = start, None, start
    length = min(first, longest)
    for count in range(max_trials):
        trial = at(length)
        if not conditions.moves(trial):
            break
        if trial.finite and trial.value < best.value:
            best = trial
        if not trial.finite or not conditions.lowers(trial):
            high = trial
        elif conditions.flat(trial):
            return trial
        elif trial.slope >= 0:
            high = trial
        elif trial.length >= longest:
            return trial
        else:
            length = min(_extrapolated(low, trial), longest)
            low = trial
        if high is not None:
            length = _between(low, high, conditions.noise, bisect=count % 3 == 2)
            if conditions.resolved(low.length, high.length):
                break
    return progress(start, best)


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
