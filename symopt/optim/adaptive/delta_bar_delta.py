"""Delta-bar-delta: rates that grow by little where a gradient keeps its trend, and fall by much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim.adaptive.local_steps import agreement, resting
from symopt.optim.bounds import box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_decay, check_fraction, check_not_negative, check_positive
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate
from symopt.optim.rates import first_rate

_NAME = "delta-bar-delta"


@dataclass(frozen=True, slots=True, eq=False)
class DeltaBarDeltaState:
    point: Point  # the place evaluated last
    ahead: Vector  # the place to evaluate next
    trend: Vector  # the averaged gradient
    rates: Vector
    increase: float  # κ
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class DeltaBarDelta:
    """x -= p ⊙ g, with a rate p for each unknown that follows from the trend ḡ of its derivative.

    p += κ where g has the sign of ḡ, p -= φ p where it has the opposite one; then x moves, and
    ḡ = (1 - θ) g + θ ḡ (Jacobs's equations 3 and 4).

    Without `rate` the rates begin at one judged by the curvature at the start, without `kappa`
    the increase is a fifth of that: the published numbers are for losses of one scale.

    All samples are used in each step: with batches the rates do not anneal, since signs agree
    more often than not even at the minimum.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8)
    max_iter: ClassVar[int] = 10_000

    rate: float | None = None
    kappa: float | None = None
    phi: float = 0.7
    theta: float = 0.7

    def __post_init__(self) -> None:
        check_positive(_NAME, rate=self.rate)
        check_not_negative(_NAME, kappa=self.kappa)
        check_fraction(_NAME, phi=self.phi)
        check_decay(_NAME, theta=self.theta)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> DeltaBarDeltaState:
        point = evaluate(problem, x)
        rate = first_rate(problem, point) if self.rate is None else self.rate
        increase = 0.2 * rate if self.kappa is None else self.kappa
        rates = np.full_like(x, rate)
        box = box_of(problem)
        slopes = box.projected(x, point.gradient)
        ahead = box.move(x, -rates * slopes)
        return DeltaBarDeltaState(point, ahead, (1 - self.theta) * slopes, rates, increase)

    def step(self, problem: Problem, state: DeltaBarDeltaState) -> DeltaBarDeltaState:
        point, box = evaluate(problem, state.ahead), box_of(problem)
        slopes = box.projected(point.x, point.gradient)  # 0 where held: rates do not grow there
        agrees = agreement(slopes, state.trend)
        change = np.where(agrees < 0, -self.phi * state.rates, 0.0)
        rates = state.rates + np.where(agrees > 0, state.increase, change)
        trend = (1 - self.theta) * slopes + self.theta * state.trend
        ahead = box.move(point.x, -rates * slopes)
        outcome = resting(point.x, ahead, slopes)
        return DeltaBarDeltaState(point, ahead, trend, rates, state.increase, outcome)


METHOD = Method(
    name=_NAME,
    family="adaptive steps",
    order=1,
    optimizer=DeltaBarDelta,
    source="Jacobs, Neural Networks 1 (1988) 295",
    bounds=True,
)
