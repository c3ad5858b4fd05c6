"""L-BFGS: BFGS that remembers only the last few steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.first_order.limited_memory import (
    LimitedMemoryState,
    first_memory,
    moved,
    restarted,
)
from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_at_least
from symopt.optim.problem import Needs, Problem, Vector, evaluate, typical_sizes
from symopt.optim.rounding import EPSILON
from symopt.optim.searches.choice import WolfeSearch, check_search, search


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

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> LimitedMemoryState:
        point = evaluate(problem, x)
        sizes = typical_sizes(problem, x) if self.scaled else np.ones_like(x)
        return LimitedMemoryState(point, first_memory(sizes * point.gradient), sizes)

    def step(self, problem: Problem, state: LimitedMemoryState) -> LimitedMemoryState:
        point, sizes = state.point, state.sizes
        direction = sizes * state.memory.newton_step(sizes * point.gradient)
        if not float(point.gradient @ direction) < 0:
            return restarted(state, direction, point.gradient)
        trial = search(self, problem, box_of(problem), point, direction, 1.0)
        if trial is None:
            return restarted(state, direction, point.gradient)
        return moved(state, trial.point, self.memory)


METHOD = Method(
    name="l-bfgs",
    family="quasi-Newton",
    order=1,
    optimizer=LBFGS,
    source="Nocedal, Math. Comput. 35 (1980) 773; Liu and Nocedal, Math. Program. 45 (1989) 503",
)
