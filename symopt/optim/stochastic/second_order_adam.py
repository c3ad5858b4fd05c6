"""Second-order Adam: Adam's direction, with rates from the drift of the gradient that it causes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from symopt.optim import errors
from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_at_least, check_decay, check_positive
from symopt.optim.problem import Needs, Problem, Vector
from symopt.optim.rules import Maths, RuleState, Value, advance_curved, begin_curved
from symopt.optim.schedules import ScheduleLike, check_rate
from symopt.optim.stochastic.adam import RELATIVE, AdamMemory, normalized

_GROWTH = 1.2  # of a rate that the drift says nothing about


class SecondOrderAdamMemory(NamedTuple):
    gains: Value  # the rates η, in units of the first one
    direction: Value  # Adam's, of the last step
    mean: Value  # the average of the gradients
    square: Value  # that of their squares
    drift: Value  # that of the products
    # What the same averages of ones have come to, three numbers.
    mean_weight: Value
    square_weight: Value
    drift_weight: Value


@dataclass(frozen=True, slots=True)
class SecondOrderAdam:
    """w ← w − η d, with Adam's direction d = ĝ/(√v̂ + ε) and a rate for each weight.

    Such a step changes the gradient by −H (η d), and the drift is the average of H (η d), freed of
    its start at zero as Adam's averages ĝ and v̂ are. Where it agrees in sign with ĝ, ĝ/drift is
    the number of such steps to a zero gradient, and η ← η clip(ĝ/drift, ½, 2); elsewhere
    η ← 1.2 η. Rates stay between `lowest` and `highest` times the first one, with which all of
    them begin; its schedule acts on all. Without a `rate` it is as in Adam.

    The idea is a speculation in McAllester, TTIC 31230 (2017, 2018), which leaves the rule open.
    What is done about signs and limits is our completion, not a published method; so is dividing
    the step by √v̂ but not the ĝ of the ratio, both sides of which are then gradients.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.HVP
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6)
    max_iter: ClassVar[int] = 20_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    beta1: float = 0.9
    beta2: float = 0.999
    beta3: float = 0.9  # of the drift
    eps: float = 1e-8
    lowest: float = 1e-3
    highest: float = 10.0

    def __post_init__(self) -> None:
        check_rate("second-order-adam", self.rate, self.schedule)
        check_decay("second-order-adam", beta1=self.beta1, beta2=self.beta2, beta3=self.beta3)
        check_positive("second-order-adam", eps=self.eps)
        if not 0 < self.lowest <= 1:
            raise errors.bad_option("second-order-adam", "lowest", self.lowest, "in (0, 1]")
        check_at_least(1, "second-order-adam", highest=self.highest)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RuleState[SecondOrderAdamMemory]:
        return begin_curved(self, problem, x, relative=RELATIVE)

    def step(
        self, problem: Problem, state: RuleState[SecondOrderAdamMemory]
    ) -> RuleState[SecondOrderAdamMemory]:
        return advance_curved(self, problem, state)

    def memory(self, gradient: Vector, rate: float) -> SecondOrderAdamMemory:
        zeros = np.zeros_like(gradient)
        ones = np.ones_like(gradient)
        return SecondOrderAdamMemory(ones, zeros, zeros, zeros, zeros, 0.0, 0.0, 0.0)

    def direction(
        self, maths: Maths, gradient: Value, memory: SecondOrderAdamMemory, rate: Value
    ) -> tuple[Value, SecondOrderAdamMemory]:
        """η d with the rates of the last step, and the memory with the new averages in it."""
        before = AdamMemory(
            memory.mean, memory.square, 0.0, memory.mean_weight, memory.square_weight
        )
        direction, after = normalized(self, maths, gradient, before, amsgrad=False)
        kept = memory._replace(
            direction=direction,
            mean=after.mean,
            square=after.square,
            mean_weight=after.mean_weight,
            square_weight=after.square_weight,
        )
        return rate * memory.gains * direction, kept

    def curvature(self, problem: Problem, x: Vector, direction: Vector) -> Vector:
        return problem.hvp(x, direction)

    def update(
        self,
        maths: Maths,
        weights: Value,
        gradient: Value,
        memory: SecondOrderAdamMemory,
        rate: Value,
        product: Value,
    ) -> tuple[Value, SecondOrderAdamMemory]:
        drift = self.beta3 * memory.drift + (1 - self.beta3) * product
        weight = self.beta3 * memory.drift_weight + (1 - self.beta3)
        average, change = memory.mean / memory.mean_weight, drift / weight
        agree = maths.maximum(maths.sign(average) * maths.sign(change), 0)  # 1 or 0
        # Where they disagree, the ratio is not used, and shall not be one to zero.
        ratio = average / (agree * change + (1 - agree))
        clipped = maths.minimum(maths.maximum(ratio, 0.5), 2)
        grown = memory.gains * (agree * clipped + (1 - agree) * _GROWTH)
        gains = maths.minimum(maths.maximum(grown, self.lowest), self.highest)
        kept = memory._replace(gains=gains, drift=drift, drift_weight=weight)
        return -rate * gains * memory.direction, kept


METHOD = Method(
    name="second-order-adam",
    family="stochastic",
    order=2,
    optimizer=SecondOrderAdam,
    source="our completion of a speculation in McAllester, TTIC 31230 (2017, 2018)",
    stochastic=True,
    batches=True,
    bounds=True,
)
