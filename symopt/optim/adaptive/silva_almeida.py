"""Silva and Almeida's adaptive steps: rates by factors, and no step that raises the objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim import errors
from symopt.optim.adaptive.local_steps import agreement, resting
from symopt.optim.bounds import box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_decay, check_fraction, check_not_negative, check_positive
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate
from symopt.optim.rates import first_rate

_NAME = "silva-almeida"
_FAILURES = 5  # in a row, after which all rates are halved
_HOPELESS = 40  # more than it takes where only the rounding of the objective is in the way


@dataclass(frozen=True, slots=True, eq=False)
class SilvaAlmeidaState:
    point: Point  # the place evaluated last, of those where all was finite
    ahead: Vector  # the place to evaluate next
    base: Point  # the last place that was kept
    rates: Vector
    average: Vector  # of gradients, with momentum
    failures: int = 0  # in a row
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class SilvaAlmeida:
    """z = g + momentum z, x -= η ⊙ z, with a rate η for each unknown.

    η grows by the factor u where the derivative keeps its sign, and falls by d where it changes.
    A step that raises the objective by more than the fraction `tolerance` is taken back: the rates
    follow from the derivatives at its end as always, but the next step begins at the place
    before, without momentum. After five failures in a row all rates are halved each time.

    Without `rate` the rates begin at one judged by the curvature at the start. All samples are
    used in each step: values on different batches cannot be compared, and the rates do not anneal,
    since signs agree more often than not even at the minimum.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8)
    max_iter: ClassVar[int] = 10_000

    rate: float | None = None
    u: float = 1.2
    d: float = 0.7
    momentum: float = 0.0
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        check_positive(_NAME, rate=self.rate)
        if not 1 < self.u < np.inf:
            raise errors.bad_option(_NAME, "u", self.u, "above 1")
        check_fraction(_NAME, d=self.d)
        check_decay(_NAME, momentum=self.momentum)
        check_not_negative(_NAME, tolerance=self.tolerance)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> SilvaAlmeidaState:
        point = evaluate(problem, x)
        rate = first_rate(problem, point) if self.rate is None else self.rate
        box, rates = box_of(problem), np.full_like(x, rate)
        slopes = box.projected(x, point.gradient)
        return SilvaAlmeidaState(point, box.move(x, -rates * slopes), point, rates, slopes)

    def step(self, problem: Problem, state: SilvaAlmeidaState) -> SilvaAlmeidaState:
        point, base, box = evaluate(problem, state.ahead), state.base, box_of(problem)
        before = box.projected(base.x, base.gradient)
        slopes = box.projected(point.x, point.gradient)  # 0 where held: rates do not grow there
        agrees = agreement(slopes, before)
        rates = np.where(agrees < 0, self.d, np.where(agrees > 0, self.u, 1.0)) * state.rates
        if point.finite and point.value <= base.value + self.tolerance * abs(base.value):
            base, failures = point, 0
            average = slopes + self.momentum * state.average
        else:
            failures, average = state.failures + 1, before
            # Rates that have grown since the last step would lead even further.
            rates = np.minimum(rates, state.rates)
            if failures > _FAILURES or not point.finite:
                rates = state.rates / 2
        ahead = box.move(base.x, -rates * average)
        shown = point if point.finite else state.point
        outcome = resting(base.x, ahead, average)
        if outcome is not None and (failures > _HOPELESS or not point.finite):
            outcome = Status.STALLED
        return SilvaAlmeidaState(shown, ahead, base, rates, average, failures, outcome)


METHOD = Method(
    name=_NAME,
    family="adaptive steps",
    order=1,
    optimizer=SilvaAlmeida,
    source="Silva and Almeida, LNCS 412 (1990) 110",
    bounds=True,
)
