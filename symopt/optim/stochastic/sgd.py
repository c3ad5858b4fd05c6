"""Stochastic gradient descent: each step goes down the gradient of its own batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from symopt.optim import errors
from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_decay, check_not_negative
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance, begin
from symopt.optim.schedules import ScheduleLike, check_rate


class SGDMemory(NamedTuple):
    velocity: Value  # the sum of past gradients, those of long ago forgotten; 0 without momentum


@dataclass(frozen=True, slots=True)
class SGD:
    """w ← w − η g, with g of the step's samples.

    `weight_decay` adds this multiple of w to g. With `momentum` β the step is along u ← β u + g
    instead, and with `nesterov` along g + β u: PyTorch's form, in which a rate that changes
    applies to the past as well.

    Robbins and Monro, Ann. Math. Statist. 22 (1951) 400.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_rate("sgd", self.rate, self.schedule)
        check_decay("sgd", momentum=self.momentum)
        check_not_negative("sgd", weight_decay=self.weight_decay)
        if self.nesterov and not self.momentum:
            raise errors.bad_option("sgd", "nesterov", True, "False without momentum")

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[SGDMemory]:
        # The steps of a momentum add up to 1/(1 − β) of one, and so does their noise.
        return begin(self, problem, x, share=1 - self.momentum)

    def step(self, problem: Problem, state: RuleState[SGDMemory]) -> RuleState[SGDMemory]:
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> SGDMemory:
        return SGDMemory(np.zeros_like(gradient) if self.momentum else 0.0)

    def update(
        self, maths: Maths, weights: Value, gradient: Value, memory: SGDMemory, rate: Value
    ) -> tuple[Value, SGDMemory]:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * weights
        if not self.momentum:
            return -rate * gradient, memory
        velocity = self.momentum * memory.velocity + gradient
        along = gradient + self.momentum * velocity if self.nesterov else velocity
        return -rate * along, SGDMemory(velocity)


METHOD = Method(
    name="sgd",
    family="stochastic",
    order=1,
    optimizer=SGD,
    source="Robbins and Monro, Ann. Math. Statist. 22 (1951) 400",
    stochastic=True,
    batches=True,
    bounds=True,
)
