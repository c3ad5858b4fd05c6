"""One step down a direction that a metric makes of the gradient: by a search, or as published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import Box, box_of
from symopt.optim.optimizer import Status
from symopt.optim.options import check_rate
from symopt.optim.problem import (
    FisherKind,
    Mask,
    Point,
    Problem,
    Vector,
    evaluate,
    typical_sizes,
)
from symopt.optim.schedules import Pace, ScheduleLike, schedule_of
from symopt.optim.searches.choice import Search, search

SearchOrNone: TypeAlias = Literal[Search, "none"]
# The step among the entries of a mask, 0 elsewhere; None where there is none, nan where what it is
# made of is not finite.
Direction: TypeAlias = Callable[[Mask], Vector | None]

_EPSILON = float(np.finfo(np.float64).eps)
# Where no step can be found, this is the noise floor, as in BFGS: the step promises at most this
# fraction of the objective, or moves no parameter by more than that fraction of its size.
_NEAR_DECREASE = 1e-10
_NEAR_STEP = 1e-7
_RESOLUTION = 2 * _EPSILON  # a step below that of all parameters is not searched along


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
    return DescentState(point, sizes, steepness, rate, Pace(rate, schedule_of("", schedule)))


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
    direction = _feasible(box, point, direction_among)
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
    if point.gradient @ direction < 0 and _relative(state, direction) > _RESOLUTION:
        trial = search(rule, problem, box, point, direction, length, decrease=1e-4, curvature=0.9)
    if trial is None:
        return replace(state, outcome=_verdict(state, direction))
    return replace(state, point=trial.point, length=trial.length, pace=state.pace.following)


def check_descent(method: str, rate: float, schedule: ScheduleLike, rule: str) -> None:
    """Refuse a rate, schedule or search that cannot be."""
    check_rate(method, rate, schedule)
    known = [*get_args(Search), "none"]
    if rule not in known:
        raise errors.bad_option(method, "search", rule, f"one of {known}")


def _feasible(box: Box, point: Point, direction_among: Direction) -> Vector | None:
    """The step among the entries that it does not take out of the box.

    An entry at a bound may be pulled inside by its gradient and yet pushed outside by the others;
    it is held as well.
    """
    free = ~box.active(point.x, point.gradient)
    while free.any():
        direction = direction_among(free)
        if direction is None:
            return None
        leaving = box.leaving(point.x, direction)
        if not leaving.any():
            return direction
        free = free & ~leaving
    return np.zeros_like(point.x)


def _verdict(state: DescentState, direction: Vector) -> Status:
    """What it means that no step was found: the noise floor, or being stuck."""
    point = state.point
    promised = abs(float(point.gradient @ direction))
    near = promised <= _NEAR_DECREASE * abs(point.value)
    if near or _relative(state, direction) <= _NEAR_STEP:
        return Status.PRECISION
    return Status.STALLED


def _relative(state: DescentState, direction: Vector) -> float:
    """The largest change of a parameter, as a fraction of its size."""
    sizes = np.maximum(np.abs(state.point.x), _EPSILON * state.sizes)
    return float(np.max(np.abs(direction) / sizes, initial=0.0))
