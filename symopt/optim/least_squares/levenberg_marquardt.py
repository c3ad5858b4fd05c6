"""Levenberg-Marquardt: damped Gauss-Newton steps, for least squares and its relatives."""

from __future__ import annotations

from collections.abc import Iterator
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
_DONE = 1e-22  # as that fraction: 1e-11 sqrt(dof) standard errors
_LAST = 64 * _EPSILON  # a step of this fraction of the parameters is their rounding
_MOST_DAMPING = 1e40
_SMALLEST = 1e-40  # of the radius that a step began with
_SMALL = 300  # unknowns, up to which dense steps cost so little that their length can be chosen
_RULE = RadiusRule()


@dataclass(frozen=True, slots=True, eq=False)
class LevenbergMarquardtState:
    point: Point
    form: Form
    model: Model
    scales: Vector  # largest column sizes met so far
    sizes: Vector  # typical sizes of the parameters
    first: float  # the value at the start
    damping: float  # of the last step
    growth: float = 2.0  # by what the next rejected step raises the damping
    radius: float = np.inf  # the longest step, in units of the scales
    missing: Matrix | None = None  # what Gauss-Newton leaves out, where that is learnt
    polishing: bool = False  # whether the objective has become too flat to judge steps by
    outcome: Status | None = None

    @property
    def remark(self) -> str:
        """How steps are computed, if not densely."""
        return self.form.remark


@dataclass(frozen=True, slots=True)
class LevenbergMarquardt:
    """Steps (G + damping * D^2)^-1 g, with D the largest column sizes so far (Moré).

    Where steps are cheap (dense, up to 300 unknowns), the damping is that for which |D step| is at
    most a radius, which follows the ratio of achieved to promised decrease; `radius` is the first
    one, as a multiple of the start. Near a minimum with large, curved residuals the part of the
    Hessian that G leaves out is added, as learnt from the Jacobians so far, if that foretells the
    objective better (Dennis, Gay, Welsch). Else the damping itself follows the ratio (Nielsen) from
    `damping` on. Where the decrease drowns in rounding, steps go on for as long as they lessen the
    gradient: that is the noise floor of double precision.

    `factor` says how steps are computed: "qr" of the Jacobian, dense "normal" equations, "sparse"
    ones, block elimination of what meets only in small blocks ("schur"), conjugate gradients on
    products ("krylov"), or by what the problem provides, its size and its sparsity; the result's
    `remark` then says what was chosen.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.GAUSS_NEWTON
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 2_000

    radius: float = 3.0
    damping: float = 100.0  # cautious: a first step too far may end on a plateau
    factor: Factor = "auto"

    def __post_init__(self) -> None:
        for name, value in (("radius", self.radius), ("damping", self.damping)):
            if not 0 < value < np.inf:
                raise errors.bad_option("lm", name, value, "positive")
        if self.factor not in FACTORS:
            raise errors.bad_option("lm", "factor", self.factor, f"one of {', '.join(FACTORS)}")

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> LevenbergMarquardtState:
        form, point, model = begin(problem, x, self.factor, seed)
        scales, sizes = _raised(np.zeros_like(x), model), typical_sizes(problem, x)
        state = LevenbergMarquardtState(
            point, form, model, scales, sizes, point.value, self.damping
        )
        if not _by_length(state):
            return state
        missing = np.zeros((len(x), len(x))) if isinstance(model, ResidualModel) else None
        radius = self.radius * float(np.linalg.norm(scales * sizes))
        return replace(state, damping=0.0, radius=radius, missing=missing)

    def step(self, problem: Problem, state: LevenbergMarquardtState) -> LevenbergMarquardtState:
        box = box_of(problem)
        if state.polishing:
            return self._polish(problem, box, state)
        if _by_length(state):
            return self._step_in_region(problem, box, state)
        return self._step_by_damping(problem, box, state)

    def _step_in_region(
        self, problem: Problem, box: Box, state: LevenbergMarquardtState
    ) -> LevenbergMarquardtState:
        """A step no longer than the radius: the longest that the objective agrees to."""
        radius, value = state.radius, state.point.value
        smallest = _SMALLEST * radius
        while radius > smallest:
            found = _step_within(state, box, radius)
            if found is None:
                radius = 0.1 * radius
                continue
            promised = state.model.reduction(found.step)
            if abs(promised) <= _rounding(state) or _relative(found.step, state) <= _LAST:
                return self._polish(problem, box, state)
            # Bounds can turn a step uphill; a smaller region turns it back.
            if not promised > 0:
                radius = 0.1 * min(radius, found.length)
                continue
            there, reached = self._attempt(problem, state, found.step, value - 1e-4 * promised)
            ratio = -np.inf if reached is None else (value - there) / promised
            bend = parabola_minimum(float(state.point.gradient @ found.step), there - value)
            following = _RULE.following(radius, ratio, found.length, bend)
            if reached is not None:
                # After a step that was too long there is no reason for a longer one.
                radius = following if radius == state.radius else min(radius, following)
                moved = replace(_moved(state, *reached, found.step), radius=radius)
                return _judged(replace(moved, damping=found.damping), box, promised)
            radius = following
            if isinstance(state.model, SecantModel):
                # What was learnt misled: Gauss-Newton is asked before the region shrinks for good.
                state = replace(state, model=state.model.plain)
        return replace(state, outcome=Status.STALLED)

    def _step_by_damping(
        self, problem: Problem, box: Box, state: LevenbergMarquardtState
    ) -> LevenbergMarquardtState:
        """A step of one solution for each attempt, the damping raised until one succeeds."""
        damping, growth, value = state.damping, state.growth, state.point.value
        while damping < _MOST_DAMPING:
            step = _bounded_step(state, box, damping)
            if step is not None:
                promised = state.model.reduction(step)
                if abs(promised) <= _rounding(state) or _relative(step, state) <= _EPSILON:
                    return self._polish(problem, box, state)
                # Bounds can turn a step uphill; more damping turns it back.
                reached = None
                if promised > 0:
                    reached = self._attempt(problem, state, step, value - 1e-4 * promised)[1]
                if reached is not None:
                    ratio = (value - reached[0].value) / promised
                    # A ratio above 1 is good luck, not a reason for more than Gauss-Newton.
                    factor = max(0.1, 1 - (2 * min(ratio, 1.0) - 1) ** 3)
                    lowered = max(damping * factor, state.model.least_damping)
                    return replace(_moved(state, *reached, step), damping=lowered)
            damping, growth = damping * growth, growth * 2
        return replace(state, outcome=Status.STALLED)

    def _attempt(
        self, problem: Problem, state: LevenbergMarquardtState, step: Vector, target: float
    ) -> tuple[float, tuple[Point, LocalModel] | None]:
        """The value after the step, with the point and the model there if finite and not above."""
        x = box_of(problem).move(state.point.x, step)
        value, residuals = state.form.value(problem, x)
        if not value <= target:
            return value, None
        point, model = state.form.linearize(problem, x, value, residuals)
        return value, ((point, model) if point.finite else None)

    def _polish(
        self, problem: Problem, box: Box, state: LevenbergMarquardtState
    ) -> LevenbergMarquardtState:
        """A step where the objective is too flat to judge it, or the end.

        The judge is the decrease that an undamped step still promises: the gradient, in the
        metric of the model, which is known far below the rounding of the objective.
        """
        step, promised = _undamped(state, box)
        if isinstance(state.model, SecantModel) and not 0 <= promised < np.inf:
            return self._polish(problem, box, replace(state, model=state.model.plain))
        value = state.point.value
        if _finished(state, step, promised):
            return replace(state, outcome=Status.PRECISION)
        near = abs(promised) <= _NEAR_DECREASE * abs(value)
        if not near and _relative(step, state) > _NEAR_STEP:
            other = _with_missing(state, box)
            if other is not None:
                return self._polish(problem, box, other)
            return replace(state, outcome=_verdict(state, box))
        allowed = _NEAR_DECREASE * abs(value) if near else promised
        for step in _last_steps(state, box):
            reached = self._attempt(problem, state, step, value + allowed)[1]
            if reached is None:
                continue
            moved = _moved(state, *reached, step)
            following, left = _undamped(moved, box)
            if left < _CONTRACTION * promised:
                if _finished(moved, following, left):
                    return replace(moved, outcome=Status.PRECISION)
                visible = moved.point.value < value - _rounding(state)
                return replace(moved, polishing=not visible)
        return replace(state, outcome=Status.PRECISION)


def _by_length(state: LevenbergMarquardtState) -> bool:
    dense = isinstance(state.model, ResidualModel | CurvatureModel | SecantModel)
    return dense and len(state.point.x) <= _SMALL


def _step_within(state: LevenbergMarquardtState, box: Box, radius: float) -> DampedStep | None:
    """The least damped step that is no longer than the radius."""
    # With this damping alone the step would have the length (Moré).
    most = float(np.linalg.norm(state.point.gradient / state.scales)) / radius
    return step_of_length(
        lambda damping: _bounded_step(state, box, damping),
        state.scales,
        radius,
        state.model.least_damping,
        (state.damping, 1e-3 * most, most),
    )


def _last_steps(state: LevenbergMarquardtState, box: Box) -> Iterator[Vector]:
    """The undamped step; and, where the residuals are large and curved, what will not overshoot."""
    model = state.model
    others = [replace(state, model=model.plain)] if isinstance(model, SecantModel) else []
    for one in (state, *others):
        step = _bounded_step(one, box, one.model.least_damping)
        if step is not None:
            yield step
    if not others and state.damping > 1e3 * model.least_damping:
        step = _bounded_step(state, box, state.damping)
        if step is not None:
            yield step


def _with_missing(state: LevenbergMarquardtState, box: Box) -> LevenbergMarquardtState | None:
    """The state with what Gauss-Newton leaves out, if that says it is near a minimum."""
    if state.missing is None or not isinstance(state.model, ResidualModel):
        return None
    other = replace(state, model=SecantModel(state.model, state.missing))
    promised = _undamped(other, box)[1]
    return other if 0 <= promised <= _NEAR_DECREASE * abs(state.point.value) else None


def _judged(state: LevenbergMarquardtState, box: Box, promised: float) -> LevenbergMarquardtState:
    """The state after a step that promised a decrease; its end where nothing is left to gain."""
    value = state.point.value
    if _fallen(state) and value > 0.01 * promised:
        # Linear convergence to residuals of zero, where the Jacobian is singular.
        return replace(state, outcome=Status.PRECISION)
    if promised <= 1e-6 * abs(value) or _fallen(state):
        step, left = _undamped(state, box)
        if _finished(state, step, left):
            return replace(state, outcome=Status.PRECISION)
    return state


def _finished(state: LevenbergMarquardtState, step: Vector, promised: float) -> bool:
    """Whether the undamped step is below what can be told."""
    if not np.isfinite(promised):
        return False
    return abs(promised) <= _DONE * abs(state.point.value) or _relative(step, state) <= _LAST


def _fallen(state: LevenbergMarquardtState) -> bool:
    """Whether the residuals are the rounding of those at the start."""
    return state.point.value <= _EPSILON**2 * state.first


def _raised(scales: Vector, model: LocalModel) -> Vector:
    """The larger of both sizes for each column; 1 for one that has always been zero."""
    sizes = np.maximum(np.where(scales == 1.0, 0.0, scales), model.column_sizes)
    return np.where(sizes > 0, sizes, 1.0)


def _moved(
    state: LevenbergMarquardtState, point: Point, model: LocalModel, step: Vector
) -> LevenbergMarquardtState:
    """The state at a new point, the damping as it was."""
    scales, missing, old = _raised(state.scales, model), state.missing, state.model
    following: Model = model
    if missing is not None and isinstance(model, ResidualModel):
        assert isinstance(old, ResidualModel | SecantModel), "the form of a run does not change"
        fall = state.point.value - point.value
        following, missing = next_model(old, missing, model, step, fall)
    return replace(state, point=point, model=following, scales=scales, growth=2.0, missing=missing)


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
