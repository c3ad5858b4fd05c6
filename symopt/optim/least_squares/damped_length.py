"""The damping at which a step has a given length: what a trust region is for damped steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from symopt.optim.problem import Vector

_LARGEST = 1e60


@dataclass(frozen=True, slots=True, eq=False)
class DampedStep:
    """A step, its damping, and its length in units of the scales."""

    step: Vector
    damping: float
    length: float


def step_of_length(
    solve: Callable[[float], Vector | None],
    scales: Vector,
    radius: float,
    least: float,
    guesses: Sequence[float],
    *,
    accuracy: float = 0.1,
    solves: int = 20,
) -> DampedStep | None:
    """The step of the least damping that is at most `radius` long, its length to an accuracy.

    `solve` gives the step of a damping, or None where there is none. The length falls with the
    damping, its inverse nearly linearly (Reinsch 1971; Hebden 1973): two lengths foretell the
    third. Without `solves` enough for that, the shortest step so far; None if all failed.
    """
    lower, upper = 0.0, np.inf
    best: DampedStep | None = None
    last: DampedStep | None = None
    damping = least
    for _ in range(solves):
        step = solve(damping)
        if step is None:
            lower, last = damping, None
        else:
            found = DampedStep(step, damping, float(np.linalg.norm(scales * step)))
            if best is None or found.length < best.length:
                best = found
            long = found.length > (1 + accuracy) * radius
            if not long and (damping <= least or found.length >= (1 - accuracy) * radius):
                return found
            lower, upper = (damping, upper) if long else (lower, damping)
            wanted = _foretold(last, found, radius)
            last = found
            if wanted is not None and lower < wanted < upper:
                damping = max(wanted, least)
                continue
        damping = _between(lower, upper, least, guesses)
        if damping > _LARGEST:
            break
    return best


def _foretold(last: DampedStep | None, found: DampedStep, radius: float) -> float | None:
    """Where 1 / length meets 1 / radius on the line through both, if it rises."""
    if last is None or not (last.length > 0 and found.length > 0):
        return None
    rise = 1 / found.length - 1 / last.length
    run = found.damping - last.damping
    if not rise * run > 0:
        return None
    return found.damping + (1 / radius - 1 / found.length) * run / rise


def _between(lower: float, upper: float, least: float, guesses: Sequence[float]) -> float:
    """A damping between the bounds: the first guess that is, if any."""
    for guess in guesses:
        if max(lower, least) < guess < upper:
            return guess
    if np.isinf(upper):
        return 10 * max(lower, least)
    return float(np.sqrt(max(lower, 1e-3 * upper, least) * upper))
