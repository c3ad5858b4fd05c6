"""AdamW: Adam with a weight decay that is no part of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_decay, check_not_negative, check_positive
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance, begin
from symopt.optim.schedules import ScheduleLike, check_rate
from symopt.optim.stochastic.adam import RELATIVE, AdamMemory, no_memory, normalized


@dataclass(frozen=True, slots=True)
class AdamW:
    """w ← w − η (m̂/(√v̂ + ε) + λ w), with m̂ and v̂ as in Adam and λ the `weight_decay`.

    Without a `rate`, η is a hundredth of the weights' sizes at the start, and the weights are
    measured in these; published choices are around 1e-3.

    Loshchilov and Hutter, ICLR 2019, algorithm 2, with λ times the rate in PyTorch's way.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 1e-2
    amsgrad: bool = False

    def __post_init__(self) -> None:
        check_rate("adamw", self.rate, self.schedule)
        check_decay("adamw", beta1=self.beta1, beta2=self.beta2)
        check_positive("adamw", eps=self.eps)
        check_not_negative("adamw", weight_decay=self.weight_decay)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[AdamMemory]:
        return begin(self, problem, x, relative=RELATIVE)

    def step(self, problem: Problem, state: RuleState[AdamMemory]) -> RuleState[AdamMemory]:
        return advance(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> AdamMemory:
        return no_memory(gradient, amsgrad=self.amsgrad)

    def update(
        self, maths: Maths, weights: Value, gradient: Value, memory: AdamMemory, rate: Value
    ) -> tuple[Value, AdamMemory]:
        direction, kept = normalized(self, maths, gradient, memory, amsgrad=self.amsgrad)
        return -rate * (direction + self.weight_decay * weights), kept


METHOD = Method(
    name="adamw",
    family="stochastic",
    order=1,
    optimizer=AdamW,
    source="Loshchilov and Hutter, ICLR 2019",
    stochastic=True,
    batches=True,
    bounds=True,
)
