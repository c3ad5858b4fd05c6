"""L-BFGS: BFGS that remembers only the last few steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.first_order.limited_memory import Memory
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate, typical_sizes
from symopt.optim.rounding import EPSILON
from symopt.optim.searches.choice import WolfeSearch, check_search, search
from symopt.optim.searches.verdict import at_noise_floor


@dataclass(frozen=True, slots=True, eq=False)
class LBFGSState:
    point: Point
    memory: Memory  # in units of the sizes
    sizes: Vector  # typical sizes of the parameters
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class LBFGS:
    """Quasi-Newton steps from the last `memory` pairs of steps and changes of the gradient.

    The pairs correct a multiple of the unit matrix (s.y / y.y of the newest pair) in units of the
    parameters' sizes, judged by the start (`scaled=False`: in those of the parameters). Storage
    and time of a step grow as `memory` times n.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-10, step=EPSILON, value=EPSILON)
    max_iter: ClassVar[int] = 10_000

    memory: int = 20
    scaled: bool = True
    search: WolfeSearch = "more-thuente"
    decrease: float = 1e-4
    curvature: float = 0.9

    def __post_init__(self) -> None:
        check_at_least(1, "l-bfgs", memory=self.memory)
        check_search("l-bfgs", self, armijo=False)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> LBFGSState:
        point = evaluate(problem, x)
        sizes = typical_sizes(problem, x) if self.scaled else np.ones_like(x)
        return LBFGSState(point, first_memory(sizes * point.gradient), sizes)

    def step(self, problem: Problem, state: LBFGSState) -> LBFGSState:
        point, sizes = state.point, state.sizes
        direction = sizes * state.memory.newton_step(sizes * point.gradient)
        if not float(point.gradient @ direction) < 0:
            return _restarted(state, direction)
        trial = search(self, problem, box_of(problem), point, direction, 1.0)
        if trial is None:
            return _restarted(state, direction)
        step = (trial.point.x - point.x) / sizes
        change = (trial.point.gradient - point.gradient) * sizes
        return LBFGSState(trial.point, state.memory.after(step, change, self.memory), sizes)


def first_memory(gradient: Vector) -> Memory:
    """A memory without pairs, whose first step is a tenth in the steepest entry."""
    steepest = float(np.max(np.abs(gradient), initial=0.0))
    return Memory((), 0.1 / steepest if 0 < steepest < np.inf else 1.0)


def _restarted(state: LBFGSState, direction: Vector) -> LBFGSState:
    """The same point after a direction failed: without memory, or the end."""
    point, sizes = state.point, state.sizes
    if at_noise_floor(point, direction, sizes):
        return replace(state, outcome=Status.PRECISION)
    if not state.memory.pairs:
        return replace(state, outcome=Status.STALLED)
    return replace(state, memory=first_memory(sizes * point.gradient))


METHOD = Method(
    name="l-bfgs",
    family="quasi-Newton",
    order=1,
    optimizer=LBFGS,
    source="Nocedal, Math. Comput. 35 (1980) 773; Liu and Nocedal, Math. Program. 45 (1989) 503",
)
