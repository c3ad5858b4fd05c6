"""BFGS: a dense approximation of the inverse Hessian, learnt from gradients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.problem import (
    Mask,
    Matrix,
    Needs,
    Point,
    Problem,
    Vector,
    evaluate,
    typical_sizes,
)
from symopt.optim.rounding import EPSILON
from symopt.optim.searches.choice import WolfeSearch, check_search, search
from symopt.optim.searches.verdict import at_noise_floor


@dataclass(frozen=True, slots=True, eq=False)
class BFGSState:
    point: Point
    inverse: Matrix  # approximates the inverse Hessian
    sizes: Vector  # typical sizes of the parameters
    fresh: bool  # whether `inverse` has not learnt anything yet
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class BFGS:
    """x -= t H g with t from a line search, H ← (I - s yᵀ/y·s) H (I - y sᵀ/y·s) + s sᵀ/y·s.

    s is the step, y the change of the gradient over it, and H approximates the inverse Hessian. It
    begins with a diagonal inverse Hessian of squared parameter sizes, judged by the start
    (`scaled=False`: the identity), which makes it blind to the parameters' units. Entries held by
    a bound are left out of the step; a line ends at the first bound it meets.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-10, step=EPSILON, value=EPSILON)
    max_iter: ClassVar[int] = 5_000

    scaled: bool = True
    search: WolfeSearch = "more-thuente"
    decrease: float = 1e-4
    curvature: float = 0.9

    def __post_init__(self) -> None:
        check_search("bfgs", self, armijo=False)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> BFGSState:
        point = evaluate(problem, x)
        sizes = typical_sizes(problem, x) if self.scaled else np.ones_like(x)
        return BFGSState(point, _first_inverse(point, sizes), sizes, fresh=True)

    def step(self, problem: Problem, state: BFGSState) -> BFGSState:
        box, point = box_of(problem), state.point
        direction = box.feasible(
            point.x, point.gradient, lambda free: _direction(state.inverse, point.gradient, free)
        )
        shortened = box.shortened(point.x, direction)
        if point.gradient @ shortened < 0:
            direction = shortened
        slope = float(point.gradient @ direction)
        if not slope < 0:
            return _restarted(state, direction)
        trial = search(self, problem, box, point, direction, 1.0)
        if trial is None:
            return _restarted(state, direction)
        inverse = _updated(state.inverse, point, trial.point, rescale=state.fresh)
        return BFGSState(trial.point, inverse, state.sizes, fresh=False)


def _first_inverse(point: Point, sizes: Vector) -> Matrix:
    """Squared sizes, scaled so that the first step moves an entry by its size."""
    steepest = float(np.max(np.abs(sizes * point.gradient), initial=0.0))
    scale = 1 / steepest if 0 < steepest < np.inf else 1.0
    return np.diag(scale * sizes**2)


def _direction(inverse: Matrix, gradient: Vector, free: Mask) -> Vector:
    """The quasi-Newton step among the free entries."""
    if free.all():
        return -(inverse @ gradient)
    held = ~free
    # The inverse of the free block of the Hessian, from blocks of its inverse (Schur complement).
    coupling = inverse[np.ix_(free, held)]
    correction = np.linalg.solve(inverse[np.ix_(held, held)], coupling.T @ gradient[free])
    direction = np.zeros_like(gradient)
    direction[free] = coupling @ correction - inverse[np.ix_(free, free)] @ gradient[free]
    return direction


def _updated(inverse: Matrix, old: Point, new: Point, *, rescale: bool) -> Matrix:
    """The inverse after the step from old to new."""
    s, y = new.x - old.x, new.gradient - old.gradient
    curvature = float(s @ y)
    if not curvature > EPSILON * float(np.linalg.norm(s) * np.linalg.norm(y)):
        return inverse
    product = inverse @ y
    spread = float(y @ product)
    if rescale:
        # Shanno and Phua 1978, upwards only: the first step went down the steepest directions,
        # and to take their curvature for that of the others would make steps too short there.
        scale = max(1.0, curvature / spread)
        inverse, product, spread = scale * inverse, scale * product, scale * spread
    # The published formula with its three terms gathered into one symmetric product: s aᵀ + a sᵀ.
    a = ((1 + spread / curvature) / 2 * s - product) / curvature
    cross = np.outer(s, a)
    updated = cross + cross.T
    updated += inverse
    return updated


def _restarted(state: BFGSState, direction: Vector) -> BFGSState:
    """The same point after a direction failed: with a new inverse, or the end."""
    point = state.point
    if state.fresh:
        return replace(state, outcome=Status.STALLED)
    if at_noise_floor(point, direction, state.sizes):
        return replace(state, outcome=Status.PRECISION)
    return replace(state, inverse=_first_inverse(point, state.sizes), fresh=True)


METHOD = Method(
    name="bfgs",
    family="quasi-Newton",
    order=1,
    optimizer=BFGS,
    source="Broyden, Fletcher, Goldfarb, Shanno 1970; Nocedal and Wright 2006, ch. 6",
    bounds=True,
)
