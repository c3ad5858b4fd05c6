"""Steepest descent: down the gradient as far as a line search says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from symopt.optim.bounds import box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate, typical_sizes
from symopt.optim.rates import first_length
from symopt.optim.rounding import EPSILON
from symopt.optim.searches.choice import Search, check_search, search
from symopt.optim.searches.verdict import verdict


@dataclass(frozen=True, slots=True, eq=False)
class SteepestDescentState:
    point: Point
    length: float  # the last step length, where the next search begins
    sizes: Vector  # typical sizes of the parameters
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class SteepestDescent:
    """x -= t g, with t from a line search; entries that a bound holds stay.

    "exact" goes to the minimum along the line: successive directions are orthogonal, and on a
    quadratic the error shrinks by ((κ − 1)/(κ + 1))² a step at worst (κ the condition number).
    "armijo" takes the first of t, t/2, t/4, ... that lowers the objective enough; "more-thuente",
    "hager-zhang" and "strong-wolfe" (a plain one) also ask for a slope that is flat enough.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6, step=1e-9, value=EPSILON)
    max_iter: ClassVar[int] = 20_000

    search: Search = "exact"
    decrease: float = 1e-4
    curvature: float = 0.1

    def __post_init__(self) -> None:
        check_search("steepest-descent", self)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> SteepestDescentState:
        point, sizes = evaluate(problem, x), typical_sizes(problem, x)
        return SteepestDescentState(point, first_length(point, sizes), sizes)

    def step(self, problem: Problem, state: SteepestDescentState) -> SteepestDescentState:
        box, point = box_of(problem), state.point
        direction = -box.projected(point.x, point.gradient)
        # Halving only shortens: it has to begin with more.
        first = 2 * state.length if self.search == "armijo" else state.length
        trial = search(self, problem, box, point, direction, first)
        if trial is None:
            return replace(state, outcome=verdict(point, state.length * direction, state.sizes))
        return replace(state, point=trial.point, length=trial.length)


METHOD = Method(
    name="steepest-descent",
    family="first order",
    order=1,
    optimizer=SteepestDescent,
    source="Cauchy, C. R. Acad. Sci. 25 (1847) 536; Nocedal and Wright 2006, ch. 3",
    bounds=True,
)
