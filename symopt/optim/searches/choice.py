"""The searches by name, for methods that let their user choose one."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from symopt.optim import errors
from symopt.optim.bounds import Box
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


def search(
    name: Search,
    problem: Problem,
    box: Box,
    point: Point,
    direction: Vector,
    first: float,
    *,
    decrease: float,
    curvature: float,
) -> Trial | None:
    """What the search of that name finds in a descending direction; None if nothing."""
    if name == "armijo":
        return backtrack(problem, box, point, direction, first, decrease)
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
        decrease=decrease,
        curvature=curvature,
        max_trials=_MOST_TRIALS,
    )


def check_search(method: str, name: str, *, armijo: bool = True) -> None:
    """Refuse what is not the name of a search."""
    known = get_args(Search) if armijo else get_args(WolfeSearch)
    if name not in known:
        raise errors.bad_option(method, "search", name, f"one of {list(known)}")


def check_conditions(method: str, decrease: float, curvature: float) -> None:
    """Refuse constants for which the Wolfe conditions may have no solution."""
    if not 0 < decrease < 0.5:
        raise errors.bad_option(method, "decrease", decrease, "between 0 and 0.5")
    if not decrease < curvature < 1:
        raise errors.bad_option(method, "curvature", curvature, "in (decrease, 1)")
