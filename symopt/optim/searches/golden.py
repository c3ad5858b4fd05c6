"""Golden section: the minimum along a line from values alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_GOLDEN = float(np.sqrt(5) - 1) / 2  # 0.618...
_MOST_DOUBLINGS = 100


@dataclass(frozen=True, slots=True)
class Sample:
    """A signed length along a line, and the value there; inf where that is not a number."""

    length: float
    value: float


@dataclass(frozen=True, slots=True)
class Bracket:
    """Three places in order; the middle one is no higher than the others.

    An end of the line that is lower than all else is both the middle and an end.
    """

    low: Sample
    middle: Sample
    high: Sample


def golden_section(
    value_at: Callable[[float], float],
    start: float,
    first: float,
    shortest: float,
    longest: float,
    *,
    tolerance: float,
) -> Sample | None:
    """The least place of [shortest, longest] (around 0) to within `tolerance`; None at 0 itself.

    `start` is the value at 0. A bracket is sought first, in steps that grow from `first`, in
    either direction; then the golden section narrows it (Kiefer 1953). Values tell a minimum
    to no better than the square root of their rounding.
    """
    at = _guarded(value_at)
    bracket = _bracket(at, Sample(0.0, start), first, shortest, longest)
    least = _narrowed(at, bracket, tolerance)
    return least if least.value < start else None


def _guarded(value_at: Callable[[float], float]) -> Callable[[float], Sample]:
    def at(length: float) -> Sample:
        value = value_at(length)
        return Sample(length, value if value == value else np.inf)

    return at


def _bracket(
    at: Callable[[float], Sample], start: Sample, first: float, shortest: float, longest: float
) -> Bracket:
    """Around the first minimum that is met in the direction that lowers the value."""
    ahead = at(min(first, longest)) if longest > 0 else start
    if ahead.value < start.value:
        return _walked(at, start, ahead, longest)
    behind = at(max(-first, shortest)) if shortest < 0 else start
    if behind.value < start.value:
        return _walked(at, start, behind, shortest)
    return Bracket(behind, start, ahead)


def _walked(at: Callable[[float], Sample], start: Sample, ahead: Sample, limit: float) -> Bracket:
    """Around the first minimum on the way to the limit, in growing steps."""
    behind, middle = start, ahead
    for _ in range(_MOST_DOUBLINGS):
        if middle.length == limit:
            return _ordered(behind, middle, middle)
        step = (middle.length - behind.length) / _GOLDEN
        beyond = middle.length + step
        beyond = min(beyond, limit) if step > 0 else max(beyond, limit)
        ahead = at(beyond)
        if not ahead.value < middle.value:
            return _ordered(behind, middle, ahead)
        behind, middle = middle, ahead
    return _ordered(behind, middle, middle)


def _ordered(behind: Sample, middle: Sample, ahead: Sample) -> Bracket:
    if behind.length <= ahead.length:
        return Bracket(behind, middle, ahead)
    return Bracket(ahead, middle, behind)


def _narrowed(at: Callable[[float], Sample], bracket: Bracket, tolerance: float) -> Sample:
    """The least place of a bracket: a new place in its wider part, until it is narrow."""
    low, middle, high = bracket.low, bracket.middle, bracket.high
    while high.length - low.length > tolerance:
        if high.length - middle.length > middle.length - low.length:
            new = at(middle.length + (1 - _GOLDEN) * (high.length - middle.length))
            if new.value < middle.value:
                low, middle = middle, new
            else:
                high = new
        else:
            new = at(middle.length - (1 - _GOLDEN) * (middle.length - low.length))
            if new.value < middle.value:
                high, middle = middle, new
            else:
                low = new
        if low.value == middle.value == high.value:  # rounding
            break
    return middle
