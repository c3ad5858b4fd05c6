"""The perceptron rule: the weights move for each sample that is wrong, and rest for the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.chance import Chance
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate
from symopt.optim.rates import first_rate
from symopt.optim.schedules import Pace, ScheduleLike, check_rate, pace_of

_NAME = "perceptron"


@dataclass(frozen=True, slots=True, eq=False)
class PerceptronState:
    point: Point  # the weights before the pass, and the loss of all its samples there
    ahead: Vector  # the weights after it
    pace: Pace
    mistakes: int  # so far: samples, or batches, for which the weights moved
    chance: Chance
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class Perceptron:
    """A step is a pass over the samples in random order, w -= rate * (gradient on one sample).

    It is made for losses that are zero where a sample is right: on max(-y * (x @ w), 0), summed or
    averaged over samples, it is w += rate y x for each sample that is wrong. (Written this way a
    tie counts as wrong, as it should where weights begin at zero.) Where there is a separating
    plane the weights find one after (R/γ)² mistakes at most, whatever the rate, if they begin
    at zero; then the gradient of the whole objective is exactly zero, which ends the run. Where
    there is none the weights never settle.

    Other losses are never right: there it is descent sample by sample at a fixed rate, and where
    the objective is of no samples, descent. Without `rate` that is judged by the curvature at
    the start. With `batch_size` above 1 samples are taken so many at once.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8)
    max_iter: ClassVar[int] = 10_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    batch_size: int = 1

    def __post_init__(self) -> None:
        check_rate(_NAME, self.rate, self.schedule)
        check_at_least(1, _NAME, batch_size=self.batch_size)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> PerceptronState:
        point = evaluate(problem, x)
        rate = first_rate(problem, point) if self.rate is None else self.rate
        pace = pace_of(rate, self.schedule)
        return self._passed(problem, point, PerceptronState(point, x, pace, 0, Chance(seed)))

    def step(self, problem: Problem, state: PerceptronState) -> PerceptronState:
        return self._passed(problem, evaluate(problem, state.ahead), state)

    def _passed(self, problem: Problem, point: Point, state: PerceptronState) -> PerceptronState:
        """The state after a pass from a point over all samples of a problem."""
        box, rate, count = box_of(problem), state.pace.rate, problem.samples
        x, mistakes = point.x, state.mistakes
        order = state.chance.generator().permutation(count)
        for first in range(0, count, self.batch_size):
            gradient = point.gradient
            if count > 1:
                gradient = problem.batch(order[first : first + self.batch_size]).grad(x)
            if gradient.any():
                x, mistakes = box.move(x, -rate * gradient), mistakes + 1
        # A pass of many samples may come back to where it began without being done.
        still = count == 1 and mistakes > state.mistakes and np.array_equal(x, point.x)
        return PerceptronState(
            point,
            x,
            state.pace.following,
            mistakes,
            state.chance.following,
            Status.STEP if still else None,
        )


METHOD = Method(
    name=_NAME,
    family="stochastic",
    order=1,
    optimizer=Perceptron,
    source="Rosenblatt, Psych. Review 65 (1958) 386; Novikoff, Math. Theory of Automata (1962) 615",
    stochastic=True,
    bounds=True,
)
