"""Adam: averages of the gradient and of its square, both freed of their start at zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_decay, check_not_negative, check_positive
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance, begin
from symopt.optim.schedules import ScheduleLike, check_rate

RELATIVE = 1e-2


class AdamMemory(NamedTuple):
    mean: Value  # m, the average of the gradients
    square: Value  # v, that of their squares
    peak: Value  # the largest v so far; 0 without amsgrad
    # What the same averages of ones have come to: 1 − β₁ᵗ and 1 − β₂ᵗ, two numbers.
    mean_weight: Value
    square_weight: Value


def no_memory(gradient: Vector, *, amsgrad: bool) -> AdamMemory:
    """The memory before the first step."""
    zeros = np.zeros_like(gradient)
    return AdamMemory(zeros, zeros, zeros if amsgrad else 0.0, 0.0, 0.0)


class Averaging(Protocol):
    """Settings of a method with Adam's averages."""

    @property
    def beta1(self) -> float: ...
    @property
    def beta2(self) -> float: ...
    @property
    def eps(self) -> float: ...


def normalized(
    settings: Averaging, maths: Maths, gradient: Value, memory: AdamMemory, *, amsgrad: bool
) -> tuple[Value, AdamMemory]:
    """The direction m̂/(√v̂ + ε) after this gradient, and the new memory."""
    beta1, beta2, eps = settings.beta1, settings.beta2, settings.eps
    mean = beta1 * memory.mean + (1 - beta1) * gradient
    square = beta2 * memory.square + (1 - beta2) * (gradient * gradient)
    mean_weight = beta1 * memory.mean_weight + (1 - beta1)
    square_weight = beta2 * memory.square_weight + (1 - beta2)
    peak = maths.maximum(memory.peak, square) if amsgrad else memory.peak
    root = maths.sqrt(peak if amsgrad else square) / maths.sqrt(square_weight)
    kept = AdamMemory(mean, square, peak, mean_weight, square_weight)
    return mean / (mean_weight * (root + eps)), kept


@dataclass(frozen=True, slots=True)
class Adam:
    """m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², w ← w − η m̂/(√v̂ + ε).

    The hat is a division by 1 − βᵗ. `weight_decay` adds this multiple of w to g; `amsgrad` has the
    largest v so far in place of v (Reddi, Kale and Kumar, ICLR 2018), in PyTorch's form.
    Without a `rate`, η is a hundredth of the weights' sizes at the start, and the weights are
    measured in these; the paper's choice is 1e-3.

    Kingma and Ba, ICLR 2015, algorithm 1.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    def __post_init__(self) -> None:
        check_rate("adam", self.rate, self.schedule)
        check_decay("adam", beta1=self.beta1, beta2=self.beta2)
        check_positive("adam", eps=self.eps)
        check_not_negative("adam", weight_decay=self.weight_decay)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[AdamMemory]:
        return begin(self, problem, x, relative=RELATIVE)

    def step(self, problem: Problem, state: RuleState[AdamMemory]) -> RuleState[AdamMemory]:
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> AdamMemory:
        return no_memory(gradient, amsgrad=self.amsgrad)

    def update(
        self, maths: Maths, weights: Value, gradient: Value, memory: AdamMemory, rate: Value
    ) -> tuple[Value, AdamMemory]:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * weights
        direction, kept = normalized(self, maths, gradient, memory, amsgrad=self.amsgrad)
        return -rate * direction, kept


METHOD = Method(
    name="adam",
    family="stochastic",
    order=1,
    optimizer=Adam,
    source="Kingma and Ba, ICLR 2015",
    stochastic=True,
    batches=True,
    bounds=True,
)
