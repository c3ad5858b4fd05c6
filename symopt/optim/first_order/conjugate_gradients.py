"""Nonlinear conjugate gradients: directions that do not undo one another's work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, assert_never, get_args

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least, check_choice
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate, typical_sizes
from symopt.optim.rates import first_length
from symopt.optim.rounding import EPSILON
from symopt.optim.searches.choice import WolfeSearch, check_search, search
from symopt.optim.searches.line import Trial
from symopt.optim.searches.verdict import is_short, verdict

Formula = Literal["fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "dai-yuan", "hager-zhang"]
_MANY = 50
_CORRELATION = 0.2  # Powell's test: |g.g_old| beyond this part of g.g
_DESCENT = 1e-8  # the least cosine of the angle between a direction and the descending gradient
_TRUNCATION = 0.01  # η of Hager and Zhang (2005), eq. 1.6


@dataclass(frozen=True, slots=True, eq=False)
class ConjugateGradientsState:
    point: Point
    direction: Vector  # of the next step
    first: float  # the length with which its search begins
    sizes: Vector  # typical sizes of the parameters
    moved: Vector  # the last step
    count: int = 0  # steps since the direction was the gradient's
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class ConjugateGradients:
    """Steps along v <- beta v - g, with y the change of the gradient g over the last step:

    - fletcher-reeves: beta = g.g / g_old.g_old
    - polak-ribiere: beta = max(0, g.y / g_old.g_old), known as PR+
    - hestenes-stiefel: beta = g.y / v.y
    - dai-yuan: beta = g.g / v.y
    - hager-zhang: beta = g.(y - 2 v y.y / v.y) / v.y, kept from becoming too negative

    All five are the same on quadratics with exact searches, and end there in n steps. v starts
    again as -g after `restart` steps (by default n, but at least 50: with few unknowns the next
    rule does it when it is time), where two gradients in a row are far from orthogonal (Powell,
    Math. Program. 12 (1977) 241), and where v does not descend.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8, step=EPSILON, value=EPSILON)
    max_iter: ClassVar[int] = 20_000

    formula: Formula = "hestenes-stiefel"
    search: WolfeSearch = "more-thuente"
    restart: int | None = None
    decrease: float = 1e-4
    curvature: float = 0.1

    def __post_init__(self) -> None:
        check_choice(get_args(Formula), "cg", formula=self.formula)
        check_at_least(1, "cg", restart=self.restart)
        check_search("cg", self, armijo=False)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> ConjugateGradientsState:
        point, sizes = evaluate(problem, x), typical_sizes(problem, x)
        first = first_length(point, sizes)
        nowhere = np.full_like(x, np.inf)
        return ConjugateGradientsState(point, -point.gradient, first, sizes, nowhere)

    def step(self, problem: Problem, state: ConjugateGradientsState) -> ConjugateGradientsState:
        point, direction = state.point, state.direction
        trial = search(self, problem, box_of(problem), point, direction, state.first)
        if trial is None:
            return self._after_failure(state)
        return self._after(state, trial)

    def _after(self, state: ConjugateGradientsState, trial: Trial) -> ConjugateGradientsState:
        old, new = state.point, trial.point
        count = state.count + 1
        direction = -new.gradient
        if count < (self.restart or max(len(new.x), _MANY)) and not _correlated(old, new):
            beta = conjugacy(self.formula, old, new, state.direction)
            conjugate = direction + beta * state.direction
            if _descends(conjugate, new.gradient):
                direction = conjugate
            else:
                count = 0
        else:
            count = 0
        first = _following_length(state, trial, direction)
        return ConjugateGradientsState(new, direction, first, state.sizes, new.x - old.x, count)

    def _after_failure(self, state: ConjugateGradientsState) -> ConjugateGradientsState:
        """Down the gradient, or the end."""
        point = state.point
        if state.count == 0:
            if is_short(point, state.moved, state.sizes):
                return replace(state, outcome=Status.PRECISION)
            step = state.first * state.direction
            return replace(state, outcome=verdict(point, step, state.sizes))
        size = state.first * float(np.linalg.norm(state.direction))
        first = size / float(np.linalg.norm(point.gradient))
        return replace(state, direction=-point.gradient, first=first, count=0)


def conjugacy(formula: Formula, old: Point, new: Point, direction: Vector) -> float:
    """How much of the last direction goes into the next one: beta; nan where it is not defined."""
    g, before = new.gradient, old.gradient
    change = g - before
    along = float(direction @ change)
    with np.errstate(all="ignore"):
        match formula:
            case "fletcher-reeves":
                return float(np.divide(g @ g, before @ before))
            case "polak-ribiere":
                return float(np.maximum(np.divide(g @ change, before @ before), 0.0))
            case "hestenes-stiefel":
                return float(np.divide(g @ change, along))
            case "dai-yuan":
                return float(np.divide(g @ g, along))
            case "hager-zhang":
                bent = change - direction * np.divide(2 * (change @ change), along)
                smallest = min(_TRUNCATION, float(np.linalg.norm(before)))
                least = -1 / (float(np.linalg.norm(direction)) * smallest)
                return float(np.maximum(np.divide(bent @ g, along), least))
            case _:
                assert_never(formula)


def _following_length(state: ConjugateGradientsState, trial: Trial, direction: Vector) -> float:
    """Where the next search begins: at the minimum of a parabola that falls as the last step did.

    Nocedal and Wright 2006, eq. 3.60; or with the same slope times length, if that is shorter.
    """
    slope = float(trial.point.gradient @ direction)
    before = float(state.point.gradient @ state.direction)
    if not slope < 0:
        return trial.length
    scaled = trial.length * before / slope
    fallen = trial.value - state.point.value
    parabola = 2.02 * fallen / slope
    return parabola if 0 < parabola < scaled else scaled


def _correlated(old: Point, new: Point) -> bool:
    """Whether two gradients in a row, which a quadratic would make orthogonal, are far from it."""
    g = new.gradient
    return abs(float(g @ old.gradient)) >= _CORRELATION * float(g @ g)


def _descends(direction: Vector, gradient: Vector) -> bool:
    slope = float(direction @ gradient)
    size = float(np.linalg.norm(direction) * np.linalg.norm(gradient))
    return slope < -_DESCENT * size


_SOURCES: tuple[tuple[Formula, str, tuple[str, ...]], ...] = (
    ("fletcher-reeves", "Fletcher and Reeves, Comput. J. 7 (1964) 149", ()),
    (
        "polak-ribiere",
        "Polak and Ribière 1969; Gilbert and Nocedal, SIAM J. Optim. 2 (1992) 21",
        (),
    ),
    ("hestenes-stiefel", "Hestenes and Stiefel, J. Res. NBS 49 (1952) 409", ("cg",)),
    ("dai-yuan", "Dai and Yuan, SIAM J. Optim. 10 (1999) 177", ()),
    ("hager-zhang", "Hager and Zhang, SIAM J. Optim. 16 (2005) 170", ()),
)
METHODS = tuple(
    Method(
        name=f"cg-{formula}",
        family="first order",
        order=1,
        optimizer=ConjugateGradients,
        source=source,
        aliases=aliases,
        preset=(("formula", formula),),
    )
    for formula, source, aliases in _SOURCES
)
