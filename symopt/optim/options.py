"""Options of methods, checked at the door. None stands for what is chosen later, and passes."""

from __future__ import annotations

from collections.abc import Sequence

from symopt.optim import errors


def check_positive(method: str, **options: float | None) -> None:
    """Options that are positive."""
    for name, value in options.items():
        if value is not None and not value > 0:
            raise errors.bad_option(method, name, value, "positive")


def check_not_negative(method: str, **options: float | None) -> None:
    """Options that are zero or positive."""
    for name, value in options.items():
        if value is not None and not value >= 0:
            raise errors.bad_option(method, name, value, "zero or positive")


def check_at_least(least: int, method: str, **options: float | None) -> None:
    """Options that are not below a number."""
    for name, value in options.items():
        if value is not None and not value >= least:
            raise errors.bad_option(method, name, value, f"at least {least}")


def check_fraction(method: str, **options: float) -> None:
    """Options between 0 and 1, neither of them."""
    for name, value in options.items():
        if not 0 < value < 1:
            raise errors.bad_option(method, name, value, "between 0 and 1")


def check_decay(method: str, **options: float) -> None:
    """What is kept of a running average in each step: from 0 to below 1."""
    for name, value in options.items():
        if not 0 <= value < 1:
            raise errors.bad_option(method, name, value, "at least 0 and below 1")


def check_choice(known: Sequence[str], method: str, **options: str) -> None:
    """Options that are one of some words."""
    for name, value in options.items():
        if value not in known:
            *others, last = map(repr, known)
            raise errors.bad_option(method, name, value, f"{', '.join(others)} or {last}")
