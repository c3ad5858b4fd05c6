"""Several methods on one problem, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from symopt.diagnostics import SymoptError
from symopt.optim.callables import Objective
from symopt.optim.methods import METHODS
from symopt.optim.minimize import minimize
from symopt.optim.problem import Problem
from symopt.optim.run import MethodLike

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult  # pyright: ignore[reportMissingTypeStubs]: has none

# What is worth a look on most problems: of each kind, the method that is usually the best.
USUAL = (
    "lm",
    "trust-region",
    "bfgs",
    "l-bfgs",
    "cg-hestenes-stiefel",
    "adam",
    "nelder-mead",
    "evolution-strategy",
)


@dataclass(frozen=True, slots=True, eq=False)
class Entrant:
    """A method in a race: what it found in how many seconds, or why it could not run."""

    method: str
    seconds: float
    result: OptimizeResult | None
    refusal: SymoptError | None = None


def race(
    problem: Problem | Objective, methods: Iterable[MethodLike] | None = None, **settings: Any
) -> tuple[Entrant, ...]:
    """Each method from the same start with the same limits; one that cannot run stops no other.

    `settings` are those of `minimize`. Functions that several methods need are compiled before the
    clock of the first starts: each runs twice, the first time for one iteration.
    """
    return tuple(racing(problem, USUAL if methods is None else methods, **settings))


def racing(
    problem: Problem | Objective, methods: Iterable[MethodLike], **settings: Any
) -> Iterator[Entrant]:
    """The entrants of a race as they arrive."""
    first: dict[str, Any] = {**settings, "max_iter": 1, "callback": None}
    for method in methods:
        name = _name(method)
        try:
            minimize(problem, method, **first)
            began = perf_counter()
            result = minimize(problem, method, **settings)
        except SymoptError as error:
            yield Entrant(name, 0.0, None, error)
        else:
            yield Entrant(cast("str", result["method"]), perf_counter() - began, result)


def _name(method: MethodLike) -> str:
    if method is None or isinstance(method, str):
        return method or "auto"
    return next((m.name for m in METHODS if m.describes(method)), type(method).__name__)
