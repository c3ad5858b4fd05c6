"""Rprop: steps whose sizes follow from the signs of the derivatives alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from symopt.optim import errors
from symopt.optim.adaptive.local_steps import agreement, resting
from symopt.optim.bounds import box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_choice, check_fraction
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate
from symopt.optim.rates import first_sizes

_NAME = "rprop"
_PATIENCE = 32  # steps of about the least sizes, after which they surround the minimum


@dataclass(frozen=True, slots=True, eq=False)
class RpropState:
    point: Point  # the place evaluated last
    ahead: Vector  # the place to evaluate next
    base: Vector  # where the step to `ahead` began
    remembered: Vector  # the derivatives that the next ones are compared with
    sizes: Vector  # of the steps, without sign
    units: Vector  # what the sizes are limited in
    settled: int = 0  # steps in a row in which the sizes were about the least
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class Rprop:
    """Each unknown moves against the sign of its derivative, by a size of its own.

    "simplified": if the derivative after the step has the sign of the remembered one, the size
    grows by the factor `growth`, the derivative is remembered and the next step begins there.
    Else the unknown returns to where it was before the step, and the size shrinks by `shrink`. At
    the least size the derivative is remembered nevertheless: it is that of the place itself,
    whose sign the other unknowns have changed. Without this the unknown would try the
    wrong direction forever.

    "irprop-": the same sizes; where the sign has changed, the unknown rests for a step instead of
    returning, and its derivative counts as zero in the next comparison.

    Sizes begin at `first` and stay between `least` and `most`, each times the size of the
    unknown, judged by the start and a step down from there. With scaled=False they are lengths as
    they are; then "irprop-" is `torch.optim.Rprop` with lr=first, etas=(shrink, growth) and
    step_sizes=(least, most).

    All samples are used in each step: with batches the sizes do not anneal, since signs agree
    more often than not even at the minimum. `point` is the place of the last derivative.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8)
    max_iter: ClassVar[int] = 10_000

    variant: Literal["simplified", "irprop-"] = "simplified"
    first: float = 0.01
    growth: float = 1.2
    shrink: float = 0.5
    least: float = 1e-6
    most: float = 50.0
    scaled: bool = True

    def __post_init__(self) -> None:
        check_choice(("simplified", "irprop-"), _NAME, variant=self.variant)
        if not 1 < self.growth < np.inf:
            raise errors.bad_option(_NAME, "growth", self.growth, "above 1")
        check_fraction(_NAME, shrink=self.shrink)
        if not 0 <= self.least <= self.most:
            raise errors.bad_option(_NAME, "least", self.least, "from 0 to `most`")
        if not (self.first > 0 and self.least <= self.first <= self.most):
            raise errors.bad_option(_NAME, "first", self.first, "positive, from `least` to `most`")

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RpropState:
        point, box = evaluate(problem, x), box_of(problem)
        units = first_sizes(problem, point) if self.scaled else np.ones_like(x)
        sizes, remembered = self.first * units, box.projected(x, point.gradient)
        ahead = box.move(x, -np.sign(remembered) * sizes)
        return RpropState(point, ahead, point.x, remembered, sizes, units)

    def step(self, problem: Problem, state: RpropState) -> RpropState:
        point, box, units = evaluate(problem, state.ahead), box_of(problem), state.units
        slopes = box.projected(point.x, point.gradient)  # 0 where held: sizes do not grow there
        agrees = agreement(slopes, state.remembered)
        factor = np.where(agrees > 0, self.growth, np.where(agrees < 0, self.shrink, 1.0))
        sizes = np.clip(factor * state.sizes, self.least * units, self.most * units)
        changed = agrees < 0
        if self.variant == "irprop-":
            base, remembered = point.x, np.where(changed, 0.0, slopes)
        else:
            base = np.where(changed, state.base, point.x)
            far = state.sizes > self.least * units
            remembered = np.where(changed & far, state.remembered, slopes)
        ahead = box.move(base, -np.sign(remembered) * sizes)
        free = slopes != 0
        small = float(np.sum((sizes / units)[free])) <= 2 * self.least * np.count_nonzero(free)
        settled = state.settled + 1 if small else 0
        outcome = Status.STEP if settled >= _PATIENCE else None
        if not changed.any():  # which may rest for a step only
            outcome = outcome or resting(point.x, ahead, remembered)
        return RpropState(point, ahead, base, remembered, sizes, units, settled, outcome)


METHOD = Method(
    name=_NAME,
    family="adaptive steps",
    order=1,
    optimizer=Rprop,
    source="Riedmiller and Braun, ICNN 1993, 586; Igel and Hüsken, NC 2000, 115 (iRprop-)",
    bounds=True,
)
