"""RMSprop: gradients divided by the root of their recent mean square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_decay, check_positive
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance, begin
from symopt.optim.schedules import ScheduleLike, check_rate

_RELATIVE = 1e-3


class RMSpropMemory(NamedTuple):
    square: Value  # the average of the squared gradients
    mean: Value  # that of the gradients; 0 if not centered
    velocity: Value  # 0 without momentum


@dataclass(frozen=True, slots=True)
class RMSprop:
    """s ← α s + (1 − α) g², w ← w − η g/(√s + ε).

    `centered` divides by the standard deviation √(s − m²), with m the average of g: the diagonal
    of the gradient's covariance. With `momentum` β the step is along u ← β u + g/(√s + ε).
    Without a `rate`, η is a thousandth of the weights' sizes at the start.

    Tieleman and Hinton, Coursera: Neural Networks for Machine Learning, lecture 6.5 (2012);
    centered as in Graves, arXiv:1308.0850, eq. 38 to 41; in PyTorch's form.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        check_rate("rmsprop", self.rate, self.schedule)
        check_decay("rmsprop", alpha=self.alpha, momentum=self.momentum)
        check_positive("rmsprop", eps=self.eps)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[RMSpropMemory]:
        return begin(self, problem, x, relative=_RELATIVE)

    def step(self, problem: Problem, state: RuleState[RMSpropMemory]) -> RuleState[RMSpropMemory]:
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> RMSpropMemory:
        zeros = np.zeros_like(gradient)
        return RMSpropMemory(
            zeros, zeros if self.centered else 0.0, zeros if self.momentum else 0.0
        )

    def update(
        self, maths: Maths, weights: Value, gradient: Value, memory: RMSpropMemory, rate: Value
    ) -> tuple[Value, RMSpropMemory]:
        alpha = self.alpha
        square = alpha * memory.square + (1 - alpha) * (gradient * gradient)
        mean, variance = memory.mean, square
        if self.centered:
            mean = alpha * mean + (1 - alpha) * gradient
            # Where the gradient is always the same, rounding may leave less than 0.
            variance = maths.maximum(square - mean * mean, 0.0)
        along = gradient / (maths.sqrt(variance) + self.eps)
        if self.momentum:
            along = self.momentum * memory.velocity + along
        velocity = along if self.momentum else memory.velocity
        return -rate * along, RMSpropMemory(square, mean, velocity)


METHOD = Method(
    name="rmsprop",
    family="stochastic",
    order=1,
    optimizer=RMSprop,
    source="Tieleman and Hinton, lecture 6.5 (2012)",
    stochastic=True,
    batches=True,
    bounds=True,
)
