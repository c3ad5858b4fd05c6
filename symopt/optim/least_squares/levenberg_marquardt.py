"""Levenberg-Marquardt: damped Gauss-Newton steps, for least squares and its relatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import Box, box_of
from symopt.optim.least_squares.damped_length import DampedStep, step_of_length
from symopt.optim.least_squares.forms import FACTORS, Factor, Form, LocalModel, begin
from symopt.optim.least_squares.local_models import CurvatureModel, ResidualModel
from symopt.optim.least_squares.secant_model import SecantModel, next_model
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_positive
from symopt.optim.problem import Matrix, Needs, Point, Problem, Vector, typical_sizes
from symopt.optim.trust_region import RadiusRule, parabola_minimum

Model: TypeAlias = LocalModel | SecantModel

_EPSILON = float(np.finfo(np.float64).eps)
_NOISE = 64 * _EPSILON  # relative rounding of a sum of squares
# Near enough to a minimum to trust undamped steps where the objective no longer tells: the model
# promises a decrease of at most this fraction (1e-4 sqrt(dof) standard errors), or the step is
# at most this fraction of the parameters (a zero residual, whose relative rounding is large).
_NEAR_DECREASE = 1e-8
_NEAR_STEP = 1e-7
_CONTRACTION = 0.9  # what is left to gain must shrink by this, or it is rounding
_MOST_DAMPING = 1e40


@dataclass(frozen=True, slots=True, eq=False)
class LevenbergMarquardtState:
    point: Point
    form: Form
    model: LocalModel
    scales: Vector  # largest column sizes met so far
    sizes: Vector  # typical sizes of the parameters
    damping: float
    growth: float  # by what the next rejected step raises the damping
    polishing: bool = False  # whether the objective has become too flat to judge steps by
    outcome: Status | None = None

    @property
    def remark(self) -> str:
        """How steps are computed, if not densely."""
        return self.form.remark


@dataclass(frozen=True, slots=True)
class LevenbergMarquardt:
    """Steps (G + damping * D^2)^-1 g, with D the largest column sizes so far (Moré).

    The damping follows the ratio of achieved to promised decrease (Nielsen). Where the decrease
    drowns in rounding, steps go on for as long as they lessen the gradient: that is the noise
    floor of double precision. `factor` says how steps are computed: "qr" of the Jacobian, dense
    "normal" equations, "sparse" ones, block elimination of what meets only in small blocks
    ("schur"), conjugate gradients on products ("krylov"), or by what the problem provides, its
    size and its sparsity; the result's `remark` then says what was chosen.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.GAUSS_NEWTON
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 2_000

    damping: float = 100.0  # cautious: a first step too far may end on a plateau (BoxBOD)
    factor: Factor = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.damping < np.inf:
            raise errors.bad_option("lm", "damping", self.damping, "positive")
        if self.factor not in FACTORS:
            raise errors.bad_option("lm", "factor", self.factor, f"one of {', '.join(FACTORS)}")

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> LevenbergMarquardtState:
        form, point, model = begin(problem, x, self.factor, seed)
        scales = _raised(np.zeros_like(x), model)
        return LevenbergMarquardtState(
            point, form, model, scales, typical_sizes(problem, x), self.damping, 2.0
        )

    def step(self, problem: Problem, state: LevenbergMarquardtState) -> LevenbergMarquardtState:
        box = box_of(problem)
        if state.polishing:
            return self._polish(problem, box, state)
        damping, growth = state.damping, state.growth
        while damping < _MOST_DAMPING:
            step = _bounded_step(state, box, damping)
            if step is not None:
                promised = state.model.reduction(step)
                if abs(promised) <= _rounding(state) or _relative(step, state) <= _EPSILON:
                    return self._polish(problem, box, state)
                # Bounds can turn a step uphill; more damping turns it back.
                target = state.point.value - 1e-4 * promised
                reached = self._attempt(problem, state, step, target) if promised > 0 else None
                if reached is not None:
                    ratio = (state.point.value - reached[0].value) / promised
                    # A ratio above 1 is good luck, not a reason for more than Gauss-Newton.
                    factor = max(0.1, 1 - (2 * min(ratio, 1.0) - 1) ** 3)
                    lowered = max(damping * factor, state.model.least_damping)
                    return _moved(state, *reached, damping=lowered)
            damping, growth = damping * growth, growth * 2
        return replace(state, outcome=Status.STALLED)

    def _attempt(
        self, problem: Problem, state: LevenbergMarquardtState, step: Vector, target: float
    ) -> tuple[Point, LocalModel] | None:
        """The point after the step and the model there; None if not finite or above `target`."""
        x = box_of(problem).move(state.point.x, step)
        value, residuals = state.form.value(problem, x)
        if not value <= target:
            return None
        point, model = state.form.linearize(problem, x, value, residuals)
        return (point, model) if point.finite else None

    def _polish(
        self, problem: Problem, box: Box, state: LevenbergMarquardtState
    ) -> LevenbergMarquardtState:
        """A step where the objective is too flat to judge it, or the end.

        The judge is the decrease that an undamped step still promises: the gradient, in the
        metric of the model, which is known far below the rounding of the objective.
        """
        step, promised = _undamped(state, box)
        value = state.point.value
        near = abs(promised) <= _NEAR_DECREASE * abs(value)
        if not near and _relative(step, state) > _NEAR_STEP:
            return replace(state, outcome=_verdict(state, box))
        allowed = _NEAR_DECREASE * abs(value) if near else promised
        # Undamped steps overshoot where the residuals are large and curved.
        for damping in (state.model.least_damping, state.damping):
            step = _bounded_step(state, box, damping)
            if step is None or not promised > 0:
                continue
            reached = self._attempt(problem, state, step, value + allowed)
            if reached is None:
                continue
            moved = _moved(state, *reached, damping=state.damping)
            if _undamped(moved, box)[1] < _CONTRACTION * promised:
                visible = moved.point.value < value - _rounding(state)
                return replace(moved, polishing=not visible)
        return replace(state, outcome=Status.PRECISION)


def _raised(scales: Vector, model: LocalModel) -> Vector:
    """The larger of both sizes for each column; 1 for one that has always been zero."""
    sizes = np.maximum(np.where(scales == 1.0, 0.0, scales), model.column_sizes)
    return np.where(sizes > 0, sizes, 1.0)


def _moved(
    state: LevenbergMarquardtState, point: Point, model: LocalModel, *, damping: float
) -> LevenbergMarquardtState:
    scales = _raised(state.scales, model)
    return LevenbergMarquardtState(
        point, state.form, model, scales, state.sizes, damping, growth=2.0
    )


def _verdict(state: LevenbergMarquardtState, box: Box) -> Status:
    """What it means that damped steps gain nothing while undamped ones promise much.

    That is a stationary point where the Jacobian is singular, if even a step across the whole
    scale of the model gains nothing.
    """
    step = _bounded_step(state, box, 1.0)
    flat = step is not None and abs(state.model.reduction(step)) <= _rounding(state)
    return Status.PRECISION if flat else Status.STALLED


def _rounding(state: LevenbergMarquardtState) -> float:
    """The changes of the objective that are lost in its rounding."""
    return _NOISE * abs(state.point.value)


def _relative(step: Vector, state: LevenbergMarquardtState) -> float:
    """The largest change of a parameter, as a fraction of its size."""
    sizes = np.maximum(np.abs(state.point.x), _EPSILON * state.sizes)
    return float(np.max(np.abs(step) / sizes))


def _undamped(state: LevenbergMarquardtState, box: Box) -> tuple[Vector, float]:
    """The step without damping and the decrease it promises; infinite where there is none."""
    step = _bounded_step(state, box, state.model.least_damping)
    if step is None:
        return np.full_like(state.point.x, np.inf), np.inf
    return step, state.model.reduction(step)


def _bounded_step(state: LevenbergMarquardtState, box: Box, damping: float) -> Vector | None:
    """The damped step within the box: entries that meet a bound stop there, the others go on.

    Entries that the gradient holds at a bound do not move. At most one solve for each bound met.
    """
    x, model, scales = state.point.x, state.model, state.scales
    free = ~box.active(x, state.point.gradient)
    held = np.zeros_like(x)
    step = model.step(damping, scales, free, held)
    if box.unbounded:
        return step
    while step is not None and free.any():
        within = box.move(x, step) - x
        blocked = free & (np.abs(within) < np.abs(step) * (1 - _NOISE))
        if not blocked.any():
            break
        free, held = free & ~blocked, np.where(blocked, within, held)
        step = model.step(damping, scales, free, held)
    return None if step is None else box.move(x, step) - x


METHOD = Method(
    name="lm",
    family="least squares",
    order=1,
    optimizer=LevenbergMarquardt,
    source="Levenberg 1944, Marquardt 1963; Moré, LNM 630 (1978) 105; Nielsen, IMM-REP-1999-05",
    bounds=True,
    aliases=("levenberg-marquardt",),
)
