"""Gradient covariance: small steps where the gradients of samples disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_not_negative
from symopt.optim.problem import Mask, Needs, Problem, Vector
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


@dataclass(frozen=True, slots=True)
class GradientCovariance:
    """w -= η Σ⁻¹ g with Σ = E (ĝ - g)(ĝ - g)', ĝ being the gradient of one sample's summand.

    What a sample is, and its summand, is as for `Problem.fisher`: without samples each residual is
    one, or else the whole, and then Σ is zero. So `damping` times the mean eigenvalue of Σ is
    added to all of them, or the identity where Σ is zero. The step's length is searched for,
    beginning with that of the last step, η = `rate` at first; `search="none"` and `damping=0` are
    the formula as it stands. RMSprop is its diagonal relative.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.FISHER
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8, step=EPSILON, value=EPSILON)
    max_iter: ClassVar[int] = 10_000

    rate: float = 1.0
    schedule: ScheduleLike = "constant"
    damping: float = 0.1
    search: SearchOrNone = "more-thuente"

    def __post_init__(self) -> None:
        check_not_negative("gradient-covariance", damping=self.damping)
        check_descent("gradient-covariance", self.rate, self.schedule, self.search)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> DescentState:
        return started(problem, x, self.rate, self.schedule)

    def step(self, problem: Problem, state: DescentState) -> DescentState:
        point = state.point
        covariance = problem.fisher(point.x, kind="covariance")

        def among(free: Mask) -> Vector:
            block = covariance[np.ix_(free, free)]
            found = solve_damped(block, -point.gradient[free], self.damping)
            return filled(np.zeros_like(point.x), free, found)

        return descended(problem, state, among, self.search, first=state.length)


METHOD = Method(
    name="gradient-covariance",
    family="second order",
    order=1,
    optimizer=GradientCovariance,
    source="McAllester, TTIC 31230, 2018: SGD",
    bounds=True,
)
