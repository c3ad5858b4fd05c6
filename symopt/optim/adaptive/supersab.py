"""SuperSAB: rates that grow and fall by factors, with momentum and steps taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim import errors
from symopt.optim.adaptive.local_steps import agreement, resting
from symopt.optim.bounds import box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least, check_decay, check_fraction, check_positive
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate
from symopt.optim.rates import first_rate

_NAME = "supersab"


@dataclass(frozen=True, slots=True, eq=False)
class SuperSABState:
    point: Point  # the place evaluated last
    ahead: Vector  # the place to evaluate next
    remembered: Vector  # the derivatives that the next ones are compared with
    rates: Vector
    first: float  # rate
    velocity: Vector  # the last steps; zero where they were taken back
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class SuperSAB:
    """Δ = momentum Δ - p ⊙ g, x += Δ, with a rate p for each unknown.

    Where the derivative keeps its sign, p grows by the factor `growth`, up to `most` times the
    first rate. Where it changes, p shrinks by `shrink`, the last step is taken back, and Δ = 0.
    Back there the derivative has its old sign, which is no reason to shrink again: it is compared
    with nothing.

    Without `rate` the rates begin at one judged by the curvature at the start. All samples are
    used in each step: with batches the rates do not anneal, since signs agree more often than not
    even at the minimum.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8)
    max_iter: ClassVar[int] = 10_000

    rate: float | None = None
    growth: float = 1.05
    shrink: float = 0.5
    momentum: float = 0.5
    most: float = 1e6

    def __post_init__(self) -> None:
        check_positive(_NAME, rate=self.rate)
        if not 1 < self.growth < np.inf:
            raise errors.bad_option(_NAME, "growth", self.growth, "above 1")
        check_fraction(_NAME, shrink=self.shrink)
        check_decay(_NAME, momentum=self.momentum)
        check_at_least(1, _NAME, most=self.most)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> SuperSABState:
        point = evaluate(problem, x)
        rate = first_rate(problem, point) if self.rate is None else self.rate
        box, rates = box_of(problem), np.full_like(x, rate)
        slopes = box.projected(x, point.gradient)
        ahead = box.move(x, -rates * slopes)
        return SuperSABState(point, ahead, slopes, rates, rate, ahead - x)

    def step(self, problem: Problem, state: SuperSABState) -> SuperSABState:
        point, box = evaluate(problem, state.ahead), box_of(problem)
        slopes = box.projected(point.x, point.gradient)  # 0 where held: rates do not grow there
        agrees = agreement(slopes, state.remembered)
        changed = agrees < 0
        factor = np.where(agrees > 0, self.growth, np.where(changed, self.shrink, 1.0))
        rates = np.minimum(factor * state.rates, self.most * state.first)
        step = self.momentum * state.velocity - rates * slopes
        ahead = box.move(point.x, np.where(changed, -state.velocity, step))
        remembered = np.where(changed, 0.0, slopes)
        velocity = np.where(changed, 0.0, ahead - point.x)
        outcome = None if changed.any() else resting(point.x, ahead, slopes)
        return SuperSABState(point, ahead, remembered, rates, state.first, velocity, outcome)


METHOD = Method(
    name=_NAME,
    family="adaptive steps",
    order=1,
    optimizer=SuperSAB,
    source="Tollenaere, Neural Networks 3 (1990) 561",
    bounds=True,
)
