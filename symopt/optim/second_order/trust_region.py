"""Trust-region Newton methods: the least point of a quadratic model where it is believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from symopt.optim.bounds import Box, box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_choice, check_positive
from symopt.optim.problem import (
    Matrix,
    Needs,
    Point,
    Problem,
    Vector,
    dense_hessian,
    evaluate,
    typical_sizes,
)
from symopt.optim.rounding import EPSILON, relative_change
from symopt.optim.second_order.quadratic import QuadraticModel
from symopt.optim.trust_region import RadiusRule, parabola_minimum

Curvature: TypeAlias = Literal["hessian", "gauss-newton"]

_NOISE = 64 * EPSILON  # relative rounding of a value
# Near enough to a minimum for the noise floor, as in Levenberg-Marquardt: the model promises at
# most this fraction of the objective, or the step is at most this fraction of the parameters.
_NEAR_DECREASE = 1e-8
_NEAR_STEP = 1e-7
_CONTRACTION = 0.9  # what is left to gain must shrink by this, or it is rounding
_SMALLEST = 1e-40  # of the radius that a step began with
_RULE = RadiusRule()
_MISTAKEN = 0.5  # the other model takes over where its error was below this part of this one's


@dataclass(frozen=True, slots=True, eq=False)
class TrustRegionState:
    point: Point
    scales: Vector  # the region is |scales * step| <= radius
    sizes: Vector  # typical sizes of the parameters
    radius: float
    curvature: Curvature  # that of the model in use
    first: float  # the value at the start
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class TrustRegion:
    """Steps to the least point of g's + s'Hs/2 with |D s| <= radius, H the Hessian.

    `subproblem` says how: "exact" (Moré and Sorensen 1983; dense) or "steihaug" (truncated
    conjugate gradients, by products). `radius` is the first one, as a fraction of the start; D are
    the typical sizes. Negative curvature is followed to the boundary, so that saddles are left.
    With `curvature="auto"`, where the problem has a Gauss-Newton matrix, H is that or the Hessian,
    whichever foretold the last step better (Dennis, Gay, Welsch 1981); far from a minimum of a sum
    of squares it often is the better model, and no minimum is believed but by the Hessian. Where
    the decrease drowns in rounding, steps go on for as long as they lessen the gradient.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.HVP
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 5_000

    subproblem: Literal["exact", "steihaug"] = "exact"
    radius: float = 1.0
    curvature: Literal["auto", "hessian"] = "auto"

    def __post_init__(self) -> None:
        check_choice(("exact", "steihaug"), "trust-region", subproblem=self.subproblem)
        check_choice(("auto", "hessian"), "trust-region", curvature=self.curvature)
        check_positive("trust-region", radius=self.radius)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> TrustRegionState:
        point, sizes = evaluate(problem, x), typical_sizes(problem, x)
        scales = 1 / sizes
        length = float(np.linalg.norm(scales * x)) or float(np.sqrt(len(x)))
        curvature: Curvature = "gauss-newton" if self._has_both(problem) else "hessian"
        return TrustRegionState(
            point, scales, sizes, self.radius * length, curvature, abs(point.value)
        )

    def step(self, problem: Problem, state: TrustRegionState) -> TrustRegionState:
        box, before = box_of(problem), state
        model = self._model(problem, state)
        while state.radius > _SMALLEST * before.radius:
            if not model.finite:
                return replace(before, outcome=Status.NONFINITE)
            step = model.step(box, state.radius)
            promised = model.reduction(step)
            if not np.isfinite(promised):
                return replace(before, outcome=Status.NONFINITE)
            change = relative_change(state.point.x, step, state.sizes)
            if abs(promised) <= _rounding(state) or change <= EPSILON:
                if state.curvature == "hessian":
                    return _polished(problem, box, replace(before, curvature="hessian"), model)
                state = replace(before, curvature="hessian")
                model = self._model(problem, state)
                continue
            trial = _tried(problem, box, model, step, promised)
            radius = trial.following(state.radius, float(np.linalg.norm(state.scales * step)))
            curvature = self._better(problem, state, step, trial.change, promised)
            if trial.reached is not None:
                return replace(state, point=trial.reached, radius=radius, curvature=curvature)
            changed = curvature != state.curvature
            state = replace(state, radius=radius, curvature=curvature)
            model = self._model(problem, state) if changed else model
        return replace(before, outcome=Status.STALLED)

    def _has_both(self, problem: Problem) -> bool:
        return self.curvature == "auto" and Needs.GAUSS_NEWTON in problem.provides

    def _model(self, problem: Problem, state: TrustRegionState) -> QuadraticModel:
        point, exact = state.point, self.subproblem == "exact"
        matrix = None
        if exact and state.curvature == "hessian":
            matrix = dense_hessian(problem, point.x)
        elif exact:
            matrix = problem.gauss_newton(point.x)[0]
        return QuadraticModel(point, state.scales, _product(problem, state, matrix), matrix)

    def _better(
        self,
        problem: Problem,
        state: TrustRegionState,
        step: Vector,
        change: float,
        promised: float,
    ) -> Curvature:
        """The model to go on with, after a step that changed the objective by `change`."""
        if not (self._has_both(problem) and np.isfinite(change)):
            return state.curvature
        other: Curvature = "hessian" if state.curvature == "gauss-newton" else "gauss-newton"
        x, gradient = state.point.x, state.point.gradient
        product = problem.hvp(x, step) if other == "hessian" else problem.gnvp(x, step)
        expected = float(step @ (gradient + product / 2))
        mistaken = abs(change - expected) >= _MISTAKEN * abs(change + promised)
        return state.curvature if mistaken else other


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """What a step did."""

    change: float  # of the objective
    ratio: float  # of achieved to promised decrease
    bend: float  # where the parabola along the step is least
    reached: Point | None  # the new point, if the step is accepted

    def following(self, radius: float, length: float) -> float:
        """The radius after it."""
        ratio = -np.inf if self.reached is None else self.ratio
        return _RULE.following(radius, ratio, length, self.bend)


def _tried(
    problem: Problem, box: Box, model: QuadraticModel, step: Vector, promised: float
) -> _Trial:
    point = model.point
    x = box.move(point.x, step)
    value = problem.value(x)
    change = value - point.value
    bend = parabola_minimum(float(point.gradient @ step), change)
    # Bounds can turn a step uphill; a smaller region turns it back.
    ratio = -change / promised if promised > 0 and np.isfinite(change) else -np.inf
    if not ratio > _RULE.accept:
        return _Trial(change, ratio, bend, None)
    reached = Point(x, value, problem.grad(x))
    return _Trial(change, ratio, bend, reached if reached.finite else None)


def _product(
    problem: Problem, state: TrustRegionState, matrix: Matrix | None
) -> Callable[[Vector], Vector]:
    x = state.point.x
    if matrix is not None:
        return lambda v: matrix @ v
    if state.curvature == "hessian":
        return lambda v: problem.hvp(x, v)
    return lambda v: problem.gnvp(x, v)


def _polished(
    problem: Problem, box: Box, state: TrustRegionState, model: QuadraticModel
) -> TrustRegionState:
    """A step where the objective is too flat to judge it, or the end.

    The judge is what the model promises for a step from the new gradient, which is known far below
    the rounding of the objective.
    """
    point = state.point
    step = model.step(box, state.radius)
    promised, value = model.reduction(step), point.value
    near = abs(promised) <= _NEAR_DECREASE * abs(value)
    if abs(promised) <= _worth(state):
        return replace(state, outcome=Status.PRECISION)
    if not near and relative_change(point.x, step, state.sizes) > _NEAR_STEP:
        return replace(state, outcome=Status.STALLED)
    if promised > 0:
        reached = evaluate(problem, box.move(point.x, step))
        allowed = _NEAR_DECREASE * abs(value) if near else promised
        if reached.finite and reached.value <= value + allowed:
            after = replace(model, point=reached)
            if after.reduction(after.step(box, state.radius)) < _CONTRACTION * promised:
                return replace(state, point=reached)
    return replace(state, outcome=Status.PRECISION)


def _rounding(state: TrustRegionState) -> float:
    """The changes of the objective that are lost in its rounding."""
    return max(_NOISE * abs(state.point.value), _worth(state))


def _worth(state: TrustRegionState) -> float:
    """What is nothing to an objective that falls to zero: squares of the start's rounding."""
    return EPSILON**2 * state.first


METHOD = Method(
    name="trust-region",
    family="second order",
    order=2,
    optimizer=TrustRegion,
    source="Moré and Sorensen, SIAM J. Sci. Stat. Comput. 4 (1983) 553; Steihaug 1983; Toint 1981",
    bounds=True,
    aliases=("trust-exact",),
    variants=(("trust-ncg", (("subproblem", "steihaug"),)),),
)
