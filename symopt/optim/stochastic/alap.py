"""ALAP: local step sizes adapted by the normalized correlation of gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from symopt.optim import errors
from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_fraction
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance, begin
from symopt.optim.schedules import ScheduleLike, check_rate

_TINY = float(np.finfo(np.float64).tiny)


class ALAPMemory(NamedTuple):
    gains: Value  # the local step sizes p, in units of the rate
    mean: Value  # ⟨g⟩, the average of the gradients
    square: Value  # ⟨g g⟩, that of their squares


@dataclass(frozen=True, slots=True)
class ALAP:
    """p ← p (1 + μ gₜ ⟨g⟩/⟨g g⟩), w ← w − p gₜ.

    ⟨g⟩ is the average of the gradients before this one, ⟨g g⟩ that of the squares up to it; both
    keep the part `decay` of themselves in each step. All p begin as the `rate`, whose schedule
    acts on all of them; μ is the `meta_rate`, small enough that no p changes its sign.

    Almeida, Langlois, Amaral and Plakhov, in: On-Line Learning in Neural Networks (1999), ch. 6.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    meta_rate: float = 0.003
    decay: float = 0.9

    def __post_init__(self) -> None:
        check_rate("alap", self.rate, self.schedule)
        check_fraction("alap", decay=self.decay)
        # |gₜ ⟨g⟩| is at most ⟨g g⟩/(2 √(γ(1 − γ))), by the inequality of the two means.
        limit = 2 * math.sqrt(self.decay * (1 - self.decay))
        if not 0 < self.meta_rate < limit:
            raise errors.bad_option("alap", "meta_rate", self.meta_rate, f"in (0, {limit:.3g})")

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[ALAPMemory]:
        return begin(self, problem, x)

    def step(self, problem: Problem, state: RuleState[ALAPMemory]) -> RuleState[ALAPMemory]:
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> ALAPMemory:
        zeros = np.zeros_like(gradient)
        return ALAPMemory(np.ones_like(gradient), zeros, zeros)

    def update(
        self, maths: Maths, weights: Value, gradient: Value, memory: ALAPMemory, rate: Value
    ) -> tuple[Value, ALAPMemory]:
        decay = self.decay
        square = decay * memory.square + (1 - decay) * (gradient * gradient)
        # Where no gradient was other than 0, that is 0/tiny.
        trend = gradient * memory.mean / maths.maximum(square, _TINY)
        gains = memory.gains * (1 + self.meta_rate * trend)
        mean = decay * memory.mean + (1 - decay) * gradient
        return -rate * gains * gradient, ALAPMemory(gains, mean, square)


METHOD = Method(
    name="alap",
    family="stochastic",
    order=1,
    optimizer=ALAP,
    source="Almeida, Langlois, Amaral and Plakhov 1999",
    stochastic=True,
    batches=True,
    bounds=True,
)
