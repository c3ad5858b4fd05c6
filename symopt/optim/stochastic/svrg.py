"""SVRG: steps on few samples, their noise taken off by a full gradient now and then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from symopt.optim.bounds import box_of
from symopt.optim.chance import Chance
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate
from symopt.optim.rates import first_rate
from symopt.optim.rounding import EPSILON
from symopt.optim.schedules import Pace, ScheduleLike, check_rate, pace_of

_NAME = "svrg"
_PASSES = 2  # over the samples, by the steps between two full gradients (Johnson and Zhang)
_MOST_STEPS = 5_000  # between two full gradients, by default
_PART = 0.2  # of the rate that suits descent on the steepest of some batches
_LOOKED_AT = 8  # batches, for that
_HALVINGS = 30
_AGREEMENT = 1e-6  # of mean values and gradients


@dataclass(frozen=True, slots=True, eq=False)
class SVRGState:
    point: Point  # the snapshot: the place of the last full gradient
    ahead: Vector  # where the steps from there have led: the next snapshot
    pace: Pace
    scale: float  # of the gradients on batches
    chance: Chance
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class SVRG:
    """A step is a full gradient g̃ at a snapshot w̃ and then `inner` times, on batches B,
    w -= rate (c (g_B(w) - g_B(w̃)) + g̃): unbiased, with a variance that vanishes near a minimum.

    c is 1 where the objective is a mean over samples, and samples/batch_size where it is a sum;
    which of both is seen from the halves of the first samples. By default the batches of a
    step hold all samples twice, but are 5,000 at most.

    Without `rate` it is a fifth of what suits descent on the steepest of a few batches, judged by
    their curvature at the start; and if a step more than doubles the objective, it is made again
    at half the rate.

    All samples of the problem that a step is handed count as full: of a stream, those of a batch.
    Without samples it is gradient descent.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8, step=EPSILON)
    max_iter: ClassVar[int] = 10_000

    rate: float | None = None
    schedule: ScheduleLike = "constant"
    batch_size: int = 1
    inner: int | None = None

    def __post_init__(self) -> None:
        check_rate(_NAME, self.rate, self.schedule)
        check_at_least(1, _NAME, batch_size=self.batch_size, inner=self.inner)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> SVRGState:
        point, chance = evaluate(problem, x), Chance(seed)
        scale = 1.0
        if problem.samples > 1 and not _is_mean(problem, point):
            scale = problem.samples / min(self.batch_size, problem.samples)
        rate = self.rate
        if rate is None:
            rate = self._first_rate(problem, point, scale, chance)
        pace = pace_of(rate, self.schedule)
        state = SVRGState(point, point.x, pace, scale, chance.following)
        return self._stepped(problem, point, state)

    def step(self, problem: Problem, state: SVRGState) -> SVRGState:
        return self._stepped(problem, evaluate(problem, state.ahead), state)

    def _stepped(self, problem: Problem, snapshot: Point, state: SVRGState) -> SVRGState:
        """The state after the steps from a snapshot."""
        pace = state.pace
        ahead = self._inner(problem, snapshot, pace.rate, state)
        if self.rate is None and snapshot.finite:
            for _ in range(_HALVINGS):
                if problem.value(ahead) - snapshot.value <= abs(snapshot.value):
                    break
                pace = replace(pace, first=pace.first / 2)
                ahead = self._inner(problem, snapshot, pace.rate, state)
        chance = state.chance.following
        return SVRGState(snapshot, ahead, pace.following, state.scale, chance)

    def _inner(self, problem: Problem, snapshot: Point, rate: float, state: SVRGState) -> Vector:
        """Where the steps from a snapshot lead."""
        box, x, count = box_of(problem), snapshot.x, problem.samples
        if count == 1:
            return box.move(x, -rate * snapshot.gradient)
        for rows in self._batches(count, state.chance):
            batch = problem.batch(rows)
            change = batch.grad(x) - batch.grad(snapshot.x)
            x = box.move(x, -rate * (state.scale * change + snapshot.gradient))
        return x

    def _batches(self, count: int, chance: Chance) -> NDArray[np.intp]:
        """The samples of each step, one row a step, drawn independently."""
        size = min(self.batch_size, count)
        steps = self.inner or min(-(-_PASSES * count // size), _MOST_STEPS)
        return chance.generator().integers(count, size=(steps, size), dtype=np.intp)

    def _first_rate(self, problem: Problem, point: Point, scale: float, chance: Chance) -> float:
        rate = first_rate(problem, point)
        if problem.samples == 1:
            return rate
        for rows in self._batches(problem.samples, chance)[:_LOOKED_AT]:
            batch = problem.batch(rows)
            rate = min(rate, first_rate(batch, evaluate(batch, point.x)) / scale)
        return _PART * rate


def _is_mean(problem: Problem, point: Point) -> bool:
    """Whether the objective is a weighted mean of those of two halves of the samples.

    That holds for means, whatever is added to them, and not for sums. One weight must do for value
    and gradient, which it does not by chance.
    """
    middle = problem.samples // 2
    first = _all_of(evaluate(problem.batch(np.arange(middle)), point.x))
    second = _all_of(evaluate(problem.batch(np.arange(middle, problem.samples)), point.x))
    across, along = first - second, _all_of(point) - second
    length = float(across @ across)
    weight = float(across @ along) / length if length > 0 else 0.0
    tolerance = _AGREEMENT * float(np.linalg.norm(first) + np.linalg.norm(second))
    return 0 <= weight <= 1 and float(np.linalg.norm(along - weight * across)) <= tolerance


def _all_of(point: Point) -> Vector:
    return np.append(point.gradient, point.value)


METHOD = Method(
    name=_NAME,
    family="stochastic",
    order=1,
    optimizer=SVRG,
    source="Johnson and Zhang, NIPS 26 (2013) 315",
    stochastic=True,
    bounds=True,
)
