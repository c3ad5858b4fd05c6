"""Gradient descent: with a fixed step, or with a line search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import Box, box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_choice
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate
from symopt.optim.rounding import EPSILON
from symopt.optim.schedules import Constant, Pace, ScheduleLike, check_rate, pace_of, schedule_of
from symopt.optim.searches.backtracking import backtrack
from symopt.optim.searches.line import Trial, along
from symopt.optim.searches.wolfe import strong_wolfe

_NAME = "gradient-descent"
_ROUNDING = 64 * EPSILON


@dataclass(frozen=True, slots=True, eq=False)
class GradientDescentState:
    point: Point
    length: float  # the last step length, where the next search begins
    pace: Pace | None  # the rate of fixed steps
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class GradientDescent:
    """x -= t * gradient, projected onto the bounds.

    `rate` fixes t, whatever happens to the objective, and `schedule` says how it goes on from
    there. Without a rate t is searched for: "armijo" halves it until the objective falls enough
    and tries twice the last one next; "strong-wolfe" also asks for a flat slope.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 10_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    search: Literal["armijo", "strong-wolfe"] = "armijo"
    decrease: float = 1e-4

    def __post_init__(self) -> None:
        check_rate(_NAME, self.rate, self.schedule)
        if self.rate is None and schedule_of(_NAME, self.schedule) != Constant():
            expected = "'constant' where there is no `rate`"
            raise errors.bad_option(_NAME, "schedule", self.schedule, expected)
        check_choice(("armijo", "strong-wolfe"), _NAME, search=self.search)
        if not 0 < self.decrease < 0.5:
            raise errors.bad_option(_NAME, "decrease", self.decrease, "between 0 and 0.5")

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> GradientDescentState:
        point = evaluate(problem, x)
        if self.rate is None:
            return GradientDescentState(point, _first_length(point), None)
        pace = pace_of(self.rate, self.schedule)
        return GradientDescentState(point, self.rate, pace)

    def step(self, problem: Problem, state: GradientDescentState) -> GradientDescentState:
        box, point = box_of(problem), state.point
        if state.pace is not None:
            rate = state.pace.rate
            reached = evaluate(problem, box.move(point.x, -rate * point.gradient))
            stuck = Status.STALLED if np.array_equal(reached.x, point.x) else None
            return GradientDescentState(reached, rate, state.pace.following, stuck)
        trial = self._search(problem, box, state)
        if trial is None:
            return replace(state, outcome=_verdict(box, state))
        return replace(state, point=trial.point, length=trial.length)

    def _search(self, problem: Problem, box: Box, state: GradientDescentState) -> Trial | None:
        point = state.point
        # A held entry stays out of the direction, or the line would end where it begins.
        direction = -box.projected(point.x, point.gradient)
        first = 2 * state.length
        if self.search == "armijo":
            return backtrack(problem, box, point, direction, first, self.decrease)
        start = Trial(0.0, point.value, float(point.gradient @ direction), point)
        longest = box.longest(point.x, direction)
        at = along(problem, box, point, direction)
        return strong_wolfe(at, start, first, longest, decrease=self.decrease, curvature=0.1)


def _verdict(box: Box, state: GradientDescentState) -> Status:
    """What it means that no step lowers the objective: rounding, where the last length says so."""
    point = state.point
    step = box.move(point.x, -state.length * point.gradient) - point.x
    unseen = -float(step @ point.gradient) <= _ROUNDING * abs(point.value)
    if unseen or bool((np.abs(step) <= _ROUNDING * np.abs(point.x)).all()):
        return Status.PRECISION
    return Status.STALLED


def _first_length(point: Point) -> float:
    """A length that moves no entry by more than a tenth of the point's size (1 at the origin)."""
    size = float(np.max(np.abs(point.x), initial=0.0)) or 1.0
    steepest = float(np.max(np.abs(point.gradient), initial=0.0))
    return 0.05 * size / steepest if 0 < steepest < np.inf else 1.0


METHOD = Method(
    name=_NAME,
    family="first order",
    order=1,
    optimizer=GradientDescent,
    source="Cauchy, C. R. Acad. Sci. 25 (1847) 536; Armijo, Pacific J. Math. 16 (1966) 1",
    bounds=True,
    aliases=("gd",),
)
