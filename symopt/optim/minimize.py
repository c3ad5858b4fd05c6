"""The one driver: runs a method, watches it, decides when it is done, and reports."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import Box, box_of
from symopt.optim.callables import Objective, VectorLike
from symopt.optim.covariance import estimate, findings
from symopt.optim.optimizer import State, Status, Stopping
from symopt.optim.problem import Needs, Point, Problem, Vector, typical_sizes
from symopt.optim.run import Fixed, MethodLike, Run, prepare

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult  # pyright: ignore[reportMissingTypeStubs]: has none

_EPSILON = float(np.finfo(np.float64).eps)
_PATIENCE = 3  # steps in a row without change before the value counts as settled
_NO_OPTIONS: Mapping[str, object] = MappingProxyType({})
_Row = tuple[int, float, float, float, float]
_TRACE = np.dtype(
    [
        ("iteration", np.int64),
        ("value", np.float64),
        ("grad_norm", np.float64),
        ("step", np.float64),
        ("time", np.float64),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Iterate:
    """One step of a run, in the terms of the problem as written.

    `grad_norm` is the largest entry of the gradient, those held by a bound or fixed left out;
    `step` the length of the last step; `time` the seconds since the start. `status` is set in the
    last one only, which repeats its iteration if the run ended without another step.
    """

    iteration: int
    point: Point
    grad_norm: float
    step: float
    time: float
    state: State
    status: Status | None = None
    explanation: str | None = None  # where a non-finite value came from


def minimize(
    problem: Problem | Objective,
    method: MethodLike = None,
    x0: VectorLike | None = None,
    tol: float | None = None,
    max_iter: int | None = None,
    max_time: float | None = None,
    seed: int | None = None,
    fixed: Fixed = (),
    callback: Callable[..., object] | None = None,
    options: Mapping[str, object] = _NO_OPTIONS,
) -> OptimizeResult:
    """The best point found, as a `scipy.optimize.OptimizeResult`.

    `method` is a name from `methods()` or an optimizer's settings; by default lm where it applies,
    else bfgs. `tol` replaces the method's gradient tolerance (see `Stopping`). `fixed` names
    parameters (`"w"`), entries (`"w[3]"`) or flat indices that keep their start. `callback` is
    called after each step as `callback(intermediate_result=...)` or `callback(x)`, by its
    signature; raising StopIteration ends the run. `options` are the method's settings.

    Beside SciPy's fields the result has `params` and `trace` (a structured array with columns
    iteration, value, grad_norm, step, time), and for least squares `residuals`, `covariance`,
    `stderr` and `dof`.
    """
    run = prepare(
        problem,
        method,
        x0,
        tol=tol,
        max_iter=max_iter,
        max_time=max_time,
        seed=seed,
        fixed=fixed,
        options=options,
    )
    tell = _listener(callback)
    rows: list[_Row] = []
    last: Iterate | None = None
    for last in _iterates(run):
        new = not rows or last.iteration > rows[-1][0]
        if new:
            rows.append(_row(last))
        if new and last.iteration > 0 and not tell(last):
            last = replace(last, status=Status.STOPPED)
            break
    assert last is not None, "a run has at least its start"
    return _result(run, last, rows)


def iterate(
    problem: Problem | Objective,
    method: MethodLike = None,
    x0: VectorLike | None = None,
    tol: float | None = None,
    max_iter: int | None = None,
    max_time: float | None = None,
    seed: int | None = None,
    fixed: Fixed = (),
    options: Mapping[str, object] = _NO_OPTIONS,
) -> Iterator[Iterate]:
    """The run of `minimize`, one step at a time, from the start (iteration 0) on."""
    run = prepare(
        problem,
        method,
        x0,
        tol=tol,
        max_iter=max_iter,
        max_time=max_time,
        seed=seed,
        fixed=fixed,
        options=options,
    )
    return _iterates(run)


def _iterates(run: Run) -> Iterator[Iterate]:
    began = perf_counter()
    working, optimizer, box = run.working, run.optimizer, box_of(run.working)
    # Methods meet overflow and worse at trial points, and check for it.
    with np.errstate(all="ignore"):
        state = optimizer.init(working, working.x0)
        if not state.point.finite:
            raise errors.nonfinite_start(working.explain_nonfinite(state.point.x))
        rules = _Rules(run.stopping, box, typical_sizes(working, working.x0), state.point)
    status = Status.FIXED if working.n == 0 else rules.at(state.point)
    iteration, settled = 0, 0
    current = _iterate(run, box, 0, state, 0.0, began)
    while True:
        if status is None and iteration >= run.max_iter:
            status = Status.MAX_ITER
        if status is None and perf_counter() - began >= run.max_time:
            status = Status.MAX_TIME
        yield replace(current, status=status)
        if status is not None:
            return
        working.counts.nonfinite = None
        with np.errstate(all="ignore"):
            following = optimizer.step(working, state)
            trouble = _trouble(run, following)
        if trouble is not None:
            yield replace(current, status=trouble[0], explanation=trouble[1])
            return
        moved = following.point is not state.point
        if moved:
            iteration += 1
            step = float(np.linalg.norm(following.point.x - state.point.x))
            current = _iterate(run, box, iteration, following, step, began)
            settled = settled + 1 if rules.unchanged(state.point, following.point) else 0
            status = rules.at(following.point) or rules.after(state.point, following.point)
            status = status or (Status.VALUE if settled >= _PATIENCE else None)
        status = following.outcome or status
        state = following


def _iterate(
    run: Run, box: Box, iteration: int, state: State, step: float, began: float
) -> Iterate:
    point = state.point
    held = box.projected(point.x, point.gradient)
    return Iterate(
        iteration,
        run.working.as_written(point),
        float(np.max(np.abs(held), initial=0.0)),
        step,
        perf_counter() - began,
        state,
    )


def _trouble(run: Run, following: State) -> tuple[Status, str | None] | None:
    """Whether a step ended in a non-finite value, or found nothing but such ahead; and why."""
    if not following.point.finite:
        blamed = following.point.x
    elif following.outcome is Status.STALLED and run.working.counts.nonfinite is not None:
        blamed = run.working.counts.nonfinite
    else:
        return None
    return Status.NONFINITE, run.working.explain_nonfinite(blamed)


@dataclass(frozen=True, slots=True, eq=False)
class _Rules:
    """The stopping rules, with what "relative" refers to."""

    stopping: Stopping
    box: Box
    sizes: Vector  # of the parameters, by the start
    start: Point

    def at(self, point: Point) -> Status | None:
        gradient = np.abs(self.box.projected(point.x, point.gradient))
        effect = float(np.max(gradient * np.maximum(np.abs(point.x), self.sizes), initial=0.0))
        # An objective that falls to zero is compared with the rounding of where it began.
        worth = max(abs(point.value), _EPSILON * abs(self.start.value))
        if effect <= self.stopping.gradient * worth:
            return Status.GRADIENT
        return None

    def after(self, old: Point, new: Point) -> Status | None:
        tolerance = self.stopping.step
        change, size = np.abs(new.x - old.x), np.maximum(np.abs(new.x), np.abs(old.x))
        return Status.STEP if tolerance > 0 and bool((change <= tolerance * size).all()) else None

    def unchanged(self, old: Point, new: Point) -> bool:
        tolerance = self.stopping.value
        return tolerance > 0 and abs(new.value - old.value) <= tolerance * abs(new.value)


def _listener(callback: Callable[..., object] | None) -> Callable[[Iterate], bool]:
    """A function that tells the callback of an iterate; False when it ended the run."""
    if callback is None:
        return lambda iterate: True
    try:
        by_name = "intermediate_result" in inspect.signature(callback).parameters
    except (TypeError, ValueError):  # some built-in functions have no signature
        by_name = False

    def tell(iterate: Iterate) -> bool:
        from scipy.optimize import OptimizeResult  # pyright: ignore[reportMissingTypeStubs]: has none

        point = iterate.point
        try:
            if by_name:
                callback(
                    intermediate_result=OptimizeResult(
                        x=point.x.copy(),
                        fun=point.value,
                        grad=point.gradient.copy(),
                        nit=iterate.iteration,
                        grad_norm=iterate.grad_norm,
                        step=iterate.step,
                        time=iterate.time,
                    )
                )
            else:
                callback(point.x.copy())
        except StopIteration:
            return False
        return True

    return tell


def _result(run: Run, last: Iterate, rows: list[_Row]) -> OptimizeResult:
    from scipy.optimize import OptimizeResult  # pyright: ignore[reportMissingTypeStubs]: has none

    assert last.status is not None, "a run ends with a status"
    problem, counts, x = run.problem, run.working.counts, last.point.x.copy()
    with np.errstate(all="ignore"):
        whole = run.working.free.all()
        gradient = last.point.gradient.copy() if whole else np.array(problem.grad(x))
        fitted, notes = _fitted(run, x)
    explained = [last.explanation] if last.explanation else []
    return OptimizeResult(
        x=x,
        fun=last.point.value,
        grad=gradient,
        nit=last.iteration,
        nfev=counts.values,
        njev=counts.gradients,
        nhev=counts.hessians,
        success=last.status.success,
        status=last.status.code,
        message="; ".join([last.status.message, *explained, *notes]),
        params=dict(problem.unpack(x)),
        trace=np.array(rows, dtype=_TRACE),
        **fitted,
    )


def _fitted(run: Run, x: Vector) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of a least-squares result and what is to be said about them."""
    problem = run.problem
    if not (problem.least_squares and Needs.RESIDUALS in problem.provides):
        return {}, ()
    residuals = problem.residuals(x)
    uncertainty = estimate(problem, x, residuals, run.working.free)
    fields = {
        "residuals": residuals,
        "covariance": uncertainty.covariance,
        "stderr": dict(problem.unpack(uncertainty.stderr)),
        "dof": uncertainty.dof,
    }
    return fields, findings(uncertainty, problem.names)


def _row(at: Iterate) -> _Row:
    """An iterate's line in the trace; its state, which may be large, is let go."""
    return at.iteration, at.point.value, at.grad_norm, at.step, at.time
