"""AdaGrad: rates that fall with the gradients seen so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_not_negative, check_positive
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance, begin
from symopt.optim.schedules import ScheduleLike, check_rate

_RELATIVE = 0.5


class AdaGradMemory(NamedTuple):
    squares: Value  # the sum of the squared gradients


@dataclass(frozen=True, slots=True)
class AdaGrad:
    """s ← s + g², w ← w − η g/(√s + ε), with s = `initial` before the first step.

    Without a `rate`, η is half of the weights' sizes at the start.

    Duchi, Hazan and Singer, JMLR 12 (2011) 2121, fig. 1, its δ being ε.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    eps: float = 1e-10
    initial: float = 0.0

    def __post_init__(self) -> None:
        check_rate("adagrad", self.rate, self.schedule)
        check_positive("adagrad", eps=self.eps)
        check_not_negative("adagrad", initial=self.initial)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[AdaGradMemory]:
        return begin(self, problem, x, relative=_RELATIVE)

    def step(self, problem: Problem, state: RuleState[AdaGradMemory]) -> RuleState[AdaGradMemory]:
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> AdaGradMemory:
        return AdaGradMemory(np.full_like(gradient, self.initial))

    def update(
        self, maths: Maths, weights: Value, gradient: Value, memory: AdaGradMemory, rate: Value
    ) -> tuple[Value, AdaGradMemory]:
        squares = memory.squares + gradient * gradient
        return -rate * gradient / (maths.sqrt(squares) + self.eps), AdaGradMemory(squares)


METHOD = Method(
    name="adagrad",
    family="stochastic",
    order=1,
    optimizer=AdaGrad,
    source="Duchi, Hazan and Singer, JMLR 12 (2011) 2121",
    stochastic=True,
    batches=True,
    bounds=True,
)
