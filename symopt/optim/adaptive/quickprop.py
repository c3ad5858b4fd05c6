"""Quickprop: for each unknown a step to the minimum of a parabola through its last two slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim.adaptive.local_steps import resting
from symopt.optim.bounds import box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_positive
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate
from symopt.optim.rates import first_rate


@dataclass(frozen=True, slots=True, eq=False)
class QuickpropState:
    point: Point  # the place evaluated last
    ahead: Vector  # the place to evaluate next
    rate: float
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class Quickprop:
    """Δ = Δ₋ g / (g₋ - g) for each unknown: the secant step, Δ₋ and g₋ those of the step before.

    Where g has not fallen below mu/(1 + mu) g₋, the parabola has its minimum too far away or
    opens downward, and Δ = mu Δ₋. Where g still has the sign of g₋, -rate g is added; where there
    was no last step, it is all.

    Without `rate` it is judged by the curvature at the start. All samples are used in each
    step: the difference of gradients on different batches is not that of a parabola's slopes.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8)
    max_iter: ClassVar[int] = 10_000

    rate: float | None = None  # Fahlman's epsilon
    mu: float = 1.75

    def __post_init__(self) -> None:
        check_positive("quickprop", rate=self.rate)
        check_positive("quickprop", mu=self.mu)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> QuickpropState:
        point = evaluate(problem, x)
        rate = first_rate(problem, point) if self.rate is None else self.rate
        ahead = box_of(problem).move(x, -rate * point.gradient)
        return QuickpropState(point, ahead, rate)

    def step(self, problem: Problem, state: QuickpropState) -> QuickpropState:
        point = evaluate(problem, state.ahead)
        last, box = state.point, box_of(problem)
        before = box.projected(last.x, last.gradient)
        slopes = box.projected(point.x, point.gradient)
        step = self._step(point.x - last.x, before, slopes, state.rate)
        ahead = box.move(point.x, step)
        return QuickpropState(point, ahead, state.rate, resting(point.x, ahead, slopes))

    def _step(self, last: Vector, before: Vector, slope: Vector, rate: float) -> Vector:
        downhill = -np.sign(last)  # times a slope: whether it still falls that way
        far = downhill * slope >= self.mu / (1 + self.mu) * (downhill * before)
        with np.errstate(divide="ignore", invalid="ignore"):  # where another case is taken
            secant = last * slope / (before - slope)
        parabola = np.where(far, self.mu * last, secant)
        descent = -rate * slope
        further = np.where(downhill * slope > 0, descent, 0.0)
        return np.where(last == 0, descent, parabola + further)


METHOD = Method(
    name="quickprop",
    family="adaptive steps",
    order=1,
    optimizer=Quickprop,
    source="Fahlman, CMU-CS-88-162 (1988)",
    bounds=True,
)
