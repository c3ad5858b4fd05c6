"""Nesterov's accelerated gradient, with a fixed momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_decay
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance, begin
from symopt.optim.schedules import ScheduleLike, check_rate


class NesterovMemory(NamedTuple):
    velocity: Value  # Δ, the last change of w


@dataclass(frozen=True, slots=True)
class Nesterov:
    """Δ ← β Δ − η g(w + β Δ), w ← w + Δ, with β the `momentum`.

    The gradient is that at p = w + β Δ, where the momentum alone will take w, and the objective is
    evaluated nowhere else: so p is what the state's point is, what bounds hold, and what a run
    returns; w is p − β Δ, and in the end the same. From one evaluation to the next p changes by
    Δ_t + β (Δ_t − Δ_{t−1}) = β Δ_t − η g(p).

    Nesterov, Soviet Math. Dokl. 27 (1983) 372; in this form Sutskever et al., ICML 2013, eq. 3, 4.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    momentum: float = 0.9

    def __post_init__(self) -> None:
        check_rate("nesterov", self.rate, self.schedule)
        check_decay("nesterov", momentum=self.momentum)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[NesterovMemory]:
        return begin(self, problem, x)

    def step(self, problem: Problem, state: RuleState[NesterovMemory]) -> RuleState[NesterovMemory]:
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> NesterovMemory:
        return NesterovMemory(np.zeros_like(gradient))

    def update(
        self, maths: Maths, weights: Value, gradient: Value, memory: NesterovMemory, rate: Value
    ) -> tuple[Value, NesterovMemory]:
        descent = rate * gradient
        velocity = self.momentum * memory.velocity - descent
        return self.momentum * velocity - descent, NesterovMemory(velocity)


METHOD = Method(
    name="nesterov",
    family="first order",
    order=1,
    optimizer=Nesterov,
    source="Nesterov, Soviet Math. Dokl. 27 (1983) 372; Sutskever et al., ICML 2013",
    bounds=True,
)
