"""Newton's method: steps to where the quadratic model is stationary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_choice
from symopt.optim.problem import Mask, Needs, Problem, Vector, dense_hessian
from symopt.optim.rounding import EPSILON
from symopt.optim.schedules import ScheduleLike
from symopt.optim.second_order.definite import Modification, solve_definite
from symopt.optim.second_order.descent import (
    DescentState,
    SearchOrNone,
    check_descent,
    descended,
    started,
)
from symopt.optim.second_order.quadratic import filled


@dataclass(frozen=True, slots=True)
class Newton:
    """w -= η H⁻¹ g, with η = `rate` in (0, 1], exact in one step on a quadratic at η = 1.

    By default H is made positive definite (`modify`: "ldl", its factors L|D|L', or "eigenvalues",
    their absolute values) and the step's length is searched for from η on. `modify="none"` is the
    formula as it stands, without a search: where H is indefinite it goes to saddles and maxima or
    diverges, and beyond η = 2 everywhere. `search` chooses another search, or "none".
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.HVP
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-10, step=EPSILON, value=EPSILON)
    max_iter: ClassVar[int] = 2_000

    rate: float = 1.0
    schedule: ScheduleLike = "constant"
    modify: Modification = "ldl"
    search: SearchOrNone | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        check_choice(get_args(Modification), "newton", modify=self.modify)
        check_descent("newton", self.rate, self.schedule, self._search)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> DescentState:
        return started(problem, x, self.rate, self.schedule)

    def step(self, problem: Problem, state: DescentState) -> DescentState:
        point = state.point
        hessian = dense_hessian(problem, point.x)

        def among(free: Mask) -> Vector | None:
            block, slope = hessian[np.ix_(free, free)], point.gradient[free]
            found = solve_definite(block, -slope, self.modify)
            return None if found is None else filled(np.zeros_like(point.x), free, found)

        return descended(problem, state, among, self._search)

    @property
    def _search(self) -> SearchOrNone:
        if self.search != "auto":
            return self.search
        return "none" if self.modify == "none" else "more-thuente"


METHOD = Method(
    name="newton",
    family="second order",
    order=2,
    optimizer=Newton,
    source="Nocedal and Wright 2006, ch. 3.4; Gill, Murray, Poncelón, Saunders 1992",
    bounds=True,
)
