"""Gradient descent with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_decay
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance, begin
from symopt.optim.schedules import ScheduleLike, check_rate


class MomentumMemory(NamedTuple):
    velocity: Value  # Δ, the last change


@dataclass(frozen=True, slots=True)
class Momentum:
    """Δ ← β Δ − η g(w), w ← w + Δ, with β the `momentum`.

    Polyak, USSR Comput. Math. Math. Phys. 4 (1964) 1 (the heavy ball).
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    momentum: float = 0.9

    def __post_init__(self) -> None:
        check_rate("momentum", self.rate, self.schedule)
        check_decay("momentum", momentum=self.momentum)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[MomentumMemory]:
        return begin(self, problem, x)

    def step(self, problem: Problem, state: RuleState[MomentumMemory]) -> RuleState[MomentumMemory]:
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> MomentumMemory:
        return MomentumMemory(np.zeros_like(gradient))

    def update(
        self, maths: Maths, weights: Value, gradient: Value, memory: MomentumMemory, rate: Value
    ) -> tuple[Value, MomentumMemory]:
        velocity = self.momentum * memory.velocity - rate * gradient
        return velocity, MomentumMemory(velocity)


METHOD = Method(
    name="momentum",
    family="first order",
    order=1,
    optimizer=Momentum,
    source="Polyak, USSR Comput. Math. Math. Phys. 4 (1964) 1",
    bounds=True,
    aliases=("heavy-ball",),
)
