"""Natural gradient: the steepest direction by a distance between models, not by coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from symopt.diagnostics import SymoptError
from symopt.optim import errors
from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_not_negative
from symopt.optim.problem import FisherKind, Mask, Matrix, Needs, Problem, Vector
from symopt.optim.rounding import EPSILON
from symopt.optim.schedules import ScheduleLike
from symopt.optim.second_order.definite import solve_damped
from symopt.optim.second_order.descent import (
    DescentState,
    SearchOrNone,
    check_descent,
    descended,
    started,
)
from symopt.optim.second_order.quadratic import filled
from symopt.optim.working import ProblemRaised

Metric: TypeAlias = Callable[[Vector], Any]  # of a place: a symmetric matrix
Distance: TypeAlias = Callable[[Vector, Vector], float]  # of two places

_EMPIRICAL_DAMPING = 0.1  # its rank may be that of few samples, and it vanishes where these fit
_DIFFERENCE = EPSILON**0.25  # of typical sizes, for second differences


@dataclass(frozen=True, slots=True)
class NaturalGradient:
    """w -= η H_d⁻¹ g, with H_d the metric of a distance d(w, w + Δ): its Hessian by Δ at 0.

    `metric` is a Fisher matrix, "model" or "empirical" (see `Problem.fisher`; "auto": that of the
    model where its likelihood is known), or a function that returns a metric at a place; `distance`
    is a function of two places, of which the metric is found by differences. Places are as the
    method sees them: without fixed entries. Steps then do not depend on the coordinates, but for
    `damping`: this many times the mean eigenvalue is added to all of them (0; 0.1 for the
    empirical matrix, which may be singular). Where the metric is singular without it, as that of a
    softmax with a score for each class, the step is the shortest one, and what the metric does not
    measure goes down the gradient. The step's length is searched for, beginning with
    that of the last step or, where the metric has the scale of a curvature, with η = `rate`;
    `search="none"` is the formula as it stands.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.FISHER
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8, step=EPSILON, value=EPSILON)
    max_iter: ClassVar[int] = 10_000

    rate: float = 1.0
    schedule: ScheduleLike = "constant"
    metric: Literal["auto", "model", "empirical"] | Metric = "auto"
    distance: Distance | None = None
    damping: float | None = None
    search: SearchOrNone = "more-thuente"

    def __post_init__(self) -> None:
        if not callable(self.metric) and self.metric not in ("auto", "model", "empirical"):
            expected = "'auto', 'model', 'empirical' or a function"
            raise errors.bad_option("natural-gradient", "metric", self.metric, expected)
        if self.distance is not None and self.metric != "auto":
            raise errors.bad_option("natural-gradient", "metric", self.metric, "left to `distance`")
        check_not_negative("natural-gradient", damping=self.damping)
        check_descent("natural-gradient", self.rate, self.schedule, self.search)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> DescentState:
        state = started(problem, x, self.rate, self.schedule)
        return replace(state, fisher=self._fisher(problem, x))

    def step(self, problem: Problem, state: DescentState) -> DescentState:
        point = state.point
        metric = self._metric_at(problem, state)
        empirical = state.fisher == "empirical"
        damping = _EMPIRICAL_DAMPING if self.damping is None and empirical else self.damping or 0.0

        def among(free: Mask) -> Vector:
            found = solve_damped(metric[np.ix_(free, free)], -point.gradient[free], damping)
            return filled(np.zeros_like(point.x), free, found)

        first = state.length if empirical else None
        return descended(problem, state, among, self.search, first=first)

    def _fisher(self, problem: Problem, x: Vector) -> FisherKind | None:
        """Which Fisher matrix is the metric; None where another metric is given."""
        match self.metric:
            case "model" | "empirical" as kind:
                return kind
            case "auto" if self.distance is None:
                return "model" if _knows_likelihood(problem, x) else "empirical"
            case _:
                return None

    def _metric_at(self, problem: Problem, state: DescentState) -> Matrix:
        x = state.point.x
        if state.fisher is not None:
            return problem.fisher(x, kind=state.fisher)
        if self.distance is not None:
            return metric_of(self.distance, x, _DIFFERENCE * state.sizes)
        assert callable(self.metric), "what is no Fisher matrix is a function"
        return np.asarray(self.metric(x), np.float64).reshape(len(x), len(x))


def metric_of(distance: Distance, x: Vector, lengths: Vector) -> Matrix:
    """The Hessian of distance(x, x + Δ) by Δ at 0, by second differences of these lengths."""
    shifts = np.diag(lengths)
    here = float(distance(x, x))
    metric = np.empty((len(x), len(x)))
    for i, first in enumerate(shifts):
        around = distance(x, x + first) + distance(x, x - first) - 2 * here
        metric[i, i] = around / lengths[i] ** 2
        for j, second in enumerate(shifts[:i]):
            same = distance(x, x + first + second) + distance(x, x - first - second)
            opposite = distance(x, x + first - second) + distance(x, x - first + second)
            metric[i, j] = metric[j, i] = (same - opposite) / (4 * lengths[i] * lengths[j])
    return metric


def _knows_likelihood(problem: Problem, x: Vector) -> bool:
    try:
        problem.fisher(x, kind="model")
    except (ProblemRaised, SymoptError):
        return False
    return True


METHOD = Method(
    name="natural-gradient",
    family="second order",
    order=1,
    optimizer=NaturalGradient,
    source="Amari, Neural Computation 10 (1998) 251",
    bounds=True,
)
