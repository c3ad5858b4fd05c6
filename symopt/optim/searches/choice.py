"""The searches by name, for methods that let their user choose one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, get_args

from symopt.optim import errors
from symopt.optim.bounds import Box
from symopt.optim.options import check_choice
from symopt.optim.problem import Point, Problem, Vector
from symopt.optim.searches.backtracking import backtrack
from symopt.optim.searches.exact import exact
from symopt.optim.searches.hager_zhang import hager_zhang
from symopt.optim.searches.line import Trial, along
from symopt.optim.searches.more_thuente import more_thuente
from symopt.optim.searches.wolfe import strong_wolfe

WolfeSearch: TypeAlias = Literal["strong-wolfe", "more-thuente", "hager-zhang", "exact"]
Search: TypeAlias = Literal["strong-wolfe", "more-thuente", "hager-zhang", "exact", "armijo"]
_MOST_TRIALS = 30  # a direction that needs more is better given up


class SearchSettings(Protocol):
    """Settings with a search by its name, and the constants of its conditions."""

    @property
    def search(self) -> Search: ...
    @property
    def decrease(self) -> float: ...
    @property
    def curvature(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Searching:
    """The settings of a search alone."""

    search: Search
    decrease: float = 1e-4
    curvature: float = 0.9


def search(
    settings: SearchSettings,
    problem: Problem,
    box: Box,
    point: Point,
    direction: Vector,
    first: float,
) -> Trial | None:
    """What the search that is set finds in a descending direction; None if nothing."""
    name = settings.search
    if name == "armijo":
        return backtrack(problem, box, point, direction, first, settings.decrease)
    at = along(problem, box, point, direction)
    start = Trial(0.0, point.value, float(point.gradient @ direction), point)
    longest = box.longest(point.x, direction)
    if name == "exact":
        return exact(at, start, first, longest)
    wolfe = {
        "strong-wolfe": strong_wolfe,
        "more-thuente": more_thuente,
        "hager-zhang": hager_zhang,
    }[name]
    return wolfe(
        at,
        start,
        first,
        longest,
        decrease=settings.decrease,
        curvature=settings.curvature,
        max_trials=_MOST_TRIALS,
    )


def check_search(method: str, settings: SearchSettings, *, armijo: bool = True) -> None:
    """Refuse an unknown search, and constants for which its conditions may have no solution."""
    decrease, curvature = settings.decrease, settings.curvature
    known = get_args(Search) if armijo else get_args(WolfeSearch)
    check_choice(known, method, search=settings.search)
    if not 0 < decrease < 0.5:
        raise errors.bad_option(method, "decrease", decrease, "between 0 and 0.5")
    if not decrease < curvature < 1:
        raise errors.bad_option(method, "curvature", curvature, "in (decrease, 1)")
