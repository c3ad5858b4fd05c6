"""Exponentiated local step sizes: they grow where successive gradients agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_positive
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance, begin
from symopt.optim.schedules import ScheduleLike, check_rate

_CHANGE = 0.1  # of a step size in the first steps


class ExponentiatedMemory(NamedTuple):
    gains: Value  # the local step sizes p, in units of the rate
    before: Value  # the last gradient
    meta: Value  # μ, one number


@dataclass(frozen=True, slots=True)
class ExponentiatedStep:
    """p ← p max(½, 1 + μ p gₜ gₜ₋₁), w ← w − p gₜ.

    The max is a linearized exponential, which keeps p positive. All p begin as the `rate`, whose
    schedule acts on all of them. μ is the `meta_rate`; without one it lets the first product
    change no p by more than a tenth.

    Schraudolph, ICANN 1999, after Kivinen and Warmuth's exponentiated gradient (1995).
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    meta_rate: float | None = None

    def __post_init__(self) -> None:
        check_rate("exponentiated-step", self.rate, self.schedule)
        check_positive("exponentiated-step", meta_rate=self.meta_rate)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[ExponentiatedMemory]:
        return begin(self, problem, x)

    def step(
        self, problem: Problem, state: RuleState[ExponentiatedMemory]
    ) -> RuleState[ExponentiatedMemory]:
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> ExponentiatedMemory:
        meta = self.meta_rate
        if meta is None:
            meta = first_meta_rate(gradient, rate, _CHANGE)
        return ExponentiatedMemory(np.ones_like(gradient), np.zeros_like(gradient), meta)

    def update(
        self,
        maths: Maths,
        weights: Value,
        gradient: Value,
        memory: ExponentiatedMemory,
        rate: Value,
    ) -> tuple[Value, ExponentiatedMemory]:
        trend = rate * memory.gains * gradient * memory.before
        gains = memory.gains * maths.maximum(0.5, 1 + memory.meta * trend)
        kept = ExponentiatedMemory(gains, gradient, memory.meta)
        return -rate * gains * gradient, kept


def first_meta_rate(gradient: Vector, rate: float, change: float) -> float:
    """μ such that μ p g² is at most `change` for the first gradient."""
    largest = rate * float(np.max(np.abs(gradient), initial=0.0)) ** 2
    return change / largest if 0 < largest < np.inf else change


METHOD = Method(
    name="exponentiated-step",
    family="stochastic",
    order=1,
    optimizer=ExponentiatedStep,
    source="Schraudolph, ICANN 1999; Kivinen and Warmuth, STOC 1995",
    stochastic=True,
    batches=True,
    bounds=True,
)
