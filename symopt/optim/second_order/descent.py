"""One step down a direction that a metric makes of the gradient: by a search, or as published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.optimizer import Status
from symopt.optim.options import check_choice
from symopt.optim.problem import (
    FisherKind,
    Mask,
    Point,
    Problem,
    Vector,
    evaluate,
    typical_sizes,
)
from symopt.optim.rounding import EPSILON, relative_change
from symopt.optim.schedules import Pace, ScheduleLike, check_rate, pace_of
from symopt.optim.searches.choice import Search, Searching, search
from symopt.optim.searches.verdict import is_negligible, is_short

SearchOrNone: TypeAlias = Literal[Search, "none"]
# The step among the entries of a mask, 0 elsewhere; None where there is none, nan where what it is
# made of is not finite.
Direction: TypeAlias = Callable[[Mask], Vector | None]

_RESOLUTION = 2 * EPSILON  # a step below that of all parameters is not searched along


@dataclass(frozen=True, slots=True, eq=False)
class DescentState:
    point: Point
    sizes: Vector  # typical sizes of the parameters
    steepness: float  # of the gradient at the start, in these sizes
    length: float  # of the last step, as a multiple of the direction
    pace: Pace
    fisher: FisherKind | None = None  # of which kind the metric is, where it is a Fisher matrix
    outcome: Status | None = None


def started(problem: Problem, x: Vector, rate: float, schedule: ScheduleLike) -> DescentState:
    """The state at the start."""
    point, sizes = evaluate(problem, x), typical_sizes(problem, x)
    steepness = float(np.linalg.norm(sizes * point.gradient))
    return DescentState(point, sizes, steepness, rate, pace_of(rate, schedule))


def descended(
    problem: Problem,
    state: DescentState,
    direction_among: Direction,
    rule: SearchOrNone,
    *,
    first: float | None = None,
) -> DescentState:
    """The state after a step in a direction: η times it, or as far as a search goes.

    A search tries `first` times the direction at first, η if that is not given.
    """
    box, point, rate = box_of(problem), state.point, state.pace.rate
    direction = box.feasible(point.x, point.gradient, direction_among)
    if direction is None:
        return replace(state, outcome=Status.STALLED)
    if not np.isfinite(direction).all():
        return replace(state, outcome=Status.NONFINITE)
    if rule == "none":
        x = box.move(point.x, rate * direction)
        if np.array_equal(x, point.x):
            return replace(state, outcome=_verdict(state, direction))
        return replace(state, point=evaluate(problem, x), pace=state.pace.following)
    shortened = box.shortened(point.x, direction)
    if point.gradient @ shortened < 0:
        direction = shortened
    length = rate if first is None else first
    trial = None
    change = relative_change(point.x, direction, state.sizes)
    if point.gradient @ direction < 0 and change > _RESOLUTION:
        trial = search(Searching(rule), problem, box, point, direction, length)
    if trial is None:
        return replace(state, outcome=_verdict(state, direction))
    return replace(state, point=trial.point, length=trial.length, pace=state.pace.following)


def check_descent(method: str, rate: float, schedule: ScheduleLike, rule: str) -> None:
    """Refuse a rate, schedule or search that cannot be."""
    check_rate(method, rate, schedule)
    check_choice(get_args(SearchOrNone), method, search=rule)


def _verdict(state: DescentState, direction: Vector) -> Status:
    """What it means that no step was found: the noise floor, uphill as well, or being stuck."""
    point = state.point
    near = is_negligible(point, direction) or is_short(point, direction, state.sizes)
    return Status.PRECISION if near else Status.STALLED
