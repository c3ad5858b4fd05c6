"""Stochastic meta-descent: local step sizes that follow their own gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from symopt.optim import errors
from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_choice, check_positive
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import (
    Maths,
    RuleState,
    Value,
    advance,
    advance_curved,
    begin,
    begin_curved,
)
from symopt.optim.schedules import ScheduleLike, check_rate
from symopt.optim.stochastic.exponentiated_step import first_meta_rate

_CHANGE = 0.01  # of a step size in the first steps


class SMDMemory(NamedTuple):
    gains: Value  # the local step sizes p, in units of the rate
    trend: Value  # v, how the weights depend on ln p
    meta: Value  # μ, one number


@dataclass(frozen=True, slots=True)
class SMD:
    """Step sizes first, then weights, then their dependence v on the logarithms of step sizes:

    pₜ = pₜ₋₁ max(½, 1 − μ gₜ vₜ); wₜ₊₁ = wₜ − pₜ gₜ; vₜ₊₁ = λ vₜ − pₜ (gₜ + λ Hₜ vₜ); v₀ = 0.

    H is of the samples and at the place of the gradient. `product` takes it as the Hessian or, for
    stability, as the Gauss-Newton matrix. λ is `decay`, what v keeps of itself in a flat place;
    with 0, no product is computed. All p begin as the `rate`, whose schedule acts on all of them.
    μ is the `meta_rate`; without one it lets the first product change no p by more than 1 %.

    Schraudolph, ICANN 1999, and Neural Computation 14 (2002) 1723, section 4.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.HVP
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    meta_rate: float | None = None
    decay: float = 0.9
    product: Literal["hessian", "gauss-newton"] = "hessian"

    def __post_init__(self) -> None:
        check_rate("smd", self.rate, self.schedule)
        check_positive("smd", meta_rate=self.meta_rate)
        if not 0 <= self.decay <= 1:
            raise errors.bad_option("smd", "decay", self.decay, "from 0 to 1")
        check_choice(("hessian", "gauss-newton"), "smd", product=self.product)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[SMDMemory]:
        if self.product == "gauss-newton" and Needs.GAUSS_NEWTON not in problem.provides:
            raise errors.missing_capability("smd", Needs.GAUSS_NEWTON)
        return begin_curved(self, problem, x) if self.decay else begin(self, problem, x)

    def step(self, problem: Problem, state: RuleState[SMDMemory]) -> RuleState[SMDMemory]:
        if self.decay:
            return advance_curved(self, problem, state)
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> SMDMemory:
        meta = self.meta_rate
        if meta is None:
            meta = first_meta_rate(gradient, rate, _CHANGE)
        return SMDMemory(np.ones_like(gradient), np.zeros_like(gradient), meta)

    def direction(
        self, maths: Maths, gradient: Value, memory: SMDMemory, rate: Value
    ) -> tuple[Value, SMDMemory]:
        return memory.trend, memory

    def curvature(self, problem: Problem, x: Vector, direction: Vector) -> Vector:
        if self.product == "hessian":
            return problem.hvp(x, direction)
        return problem.gnvp(x, direction)

    def update(
        self,
        maths: Maths,
        weights: Value,
        gradient: Value,
        memory: SMDMemory,
        rate: Value,
        product: Value = 0.0,
    ) -> tuple[Value, SMDMemory]:
        gains = memory.gains * maths.maximum(0.5, 1 - memory.meta * gradient * memory.trend)
        steps = rate * gains
        trend = self.decay * memory.trend - steps * (gradient + self.decay * product)
        return -steps * gradient, SMDMemory(gains, trend, memory.meta)


METHOD = Method(
    name="smd",
    family="stochastic",
    order=2,
    optimizer=SMD,
    source="Schraudolph, ICANN 1999; Neural Computation 14 (2002) 1723",
    stochastic=True,
    batches=True,
    bounds=True,
    aliases=("stochastic-meta-descent",),
)
