"""Options that many methods have, checked at the door."""

from __future__ import annotations

from symopt.optim import errors
from symopt.optim.schedules import ScheduleLike, schedule_of


def check_rate(method: str, rate: float | None, schedule: ScheduleLike) -> None:
    """A rate is positive, or None for one that is chosen; a schedule is known."""
    if rate is not None:
        check_positive(method, rate=rate)
    schedule_of(method, schedule)


def check_positive(method: str, **options: float) -> None:
    """Options that are positive."""
    for name, value in options.items():
        if not value > 0:
            raise errors.bad_option(method, name, value, "positive")


def check_not_negative(method: str, **options: float) -> None:
    """Options that are zero or positive."""
    for name, value in options.items():
        if not value >= 0:
            raise errors.bad_option(method, name, value, "zero or positive")


def check_decay(method: str, **options: float) -> None:
    """What is kept of a running average in each step: from 0 to below 1."""
    for name, value in options.items():
        if not 0 <= value < 1:
            raise errors.bad_option(method, name, value, "at least 0 and below 1")
