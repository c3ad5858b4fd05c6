"""L-BFGS-B: the limited-memory quasi-Newton method for bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symopt.optim.bounds import Box, box_of
from symopt.optim.first_order.cauchy_point import cauchy_point, compact, subspace_step
from symopt.optim.first_order.limited_memory import (
    LimitedMemoryState,
    Memory,
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
class LBFGSB:
    """L-BFGS for bounds: the model's minimum in the box, then a search on the way there.

    The quadratic model is that of L-BFGS, in its compact form. Its minimum along the projected
    gradient (the generalized Cauchy point) says which bounds hold; among the other entries the
    model is minimized, and projected onto the box (Morales and Nocedal 2011; or, where that
    would not descend, cut at the first bound).
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
        check_at_least(1, "l-bfgs-b", memory=self.memory)
        check_search("l-bfgs-b", self, armijo=False)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> LimitedMemoryState:
        point, box = evaluate(problem, x), box_of(problem)
        sizes = typical_sizes(problem, x) if self.scaled else np.ones_like(x)
        memory = first_memory(sizes * box.projected(x, point.gradient))
        return LimitedMemoryState(point, memory, sizes)

    def step(self, problem: Problem, state: LimitedMemoryState) -> LimitedMemoryState:
        box, point = box_of(problem), state.point
        direction = _direction(state, box)
        if not float(point.gradient @ direction) < 0:
            return restarted(state, direction, box.projected(point.x, point.gradient))
        trial = search(self, problem, box, point, direction, 1.0)
        if trial is None:
            return restarted(state, direction, box.projected(point.x, point.gradient))
        return moved(state, trial.point, self.memory)


def _direction(state: LimitedMemoryState, box: Box) -> Vector:
    """From the point to the minimum of the model in the box, or nearly so."""
    sizes, gradient = state.sizes, state.sizes * state.point.gradient
    down, up = box.reach(state.point.x)
    down, up = down / sizes, up / sizes
    # The model's minimum, where that is in the box: the same as below with less rounding.
    newton = state.memory.newton_step(gradient)
    if bool((np.clip(newton, -down, up) == newton).all()):
        return sizes * newton
    try:
        inside = _model_step(state.memory, gradient, down, up)
    except np.linalg.LinAlgError:  # pairs that all but repeat one another
        inside = _model_step(Memory((), state.memory.scale), gradient, down, up)
    return sizes * inside


def _model_step(memory: Memory, gradient: Vector, down: Vector, up: Vector) -> Vector:
    """To the Cauchy point, and on to the minimum of the model among the free entries."""
    hessian = compact(memory, len(gradient))
    cauchy = cauchy_point(gradient, down, up, hessian)
    further = subspace_step(gradient, cauchy, hessian)
    projected = np.clip(cauchy.step + further, -down, up)
    if float(gradient @ projected) < 0:
        return projected
    return cauchy.step + _part_inside(cauchy.step, further, down, up) * further


def _part_inside(step: Vector, further: Vector, down: Vector, up: Vector) -> float:
    """How much of what is added to a step stays in the box; at most all of it."""
    room = np.where(further < 0, down + step, up - step)
    moving = further != 0
    return float(np.min(room[moving] / np.abs(further[moving]), initial=1.0))


METHOD = Method(
    name="l-bfgs-b",
    family="quasi-Newton",
    order=1,
    optimizer=LBFGSB,
    source="Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16 (1995) 1190",
    bounds=True,
)
