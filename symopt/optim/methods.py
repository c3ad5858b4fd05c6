"""The method table: every method once, and how its name is found."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from symopt.optim import errors
from symopt.optim.first_order import bfgs, gradient_descent
from symopt.optim.least_squares import levenberg_marquardt
from symopt.optim.optimizer import Method, Optimizer

METHODS: tuple[Method, ...] = (
    gradient_descent.METHOD,
    bfgs.METHOD,
    levenberg_marquardt.METHOD,
)


def methods() -> tuple[Method, ...]:
    """Every method there is."""
    return METHODS


def find_method(name: str) -> Method:
    """The method of that name or alias; case and `_` for `-` do not matter."""
    spellings = {spelling: method for method in METHODS for spelling in _spellings(method)}
    wanted = name.strip().lower().replace("_", "-")
    if wanted not in spellings:
        raise errors.unknown_method(name, [method.name for method in METHODS], list(spellings))
    return spellings[wanted]


def option_names(optimizer: type[Optimizer[Any]]) -> tuple[str, ...]:
    """The options of a method: the fields of its settings."""
    return tuple(field.name for field in fields(optimizer))


def _spellings(method: Method) -> tuple[str, ...]:
    return tuple(spelling.lower() for spelling in (method.name, *method.aliases))
