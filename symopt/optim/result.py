"""What a run has found, as SciPy's OptimizeResult with some fields more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.covariance import LARGEST, estimate, findings
from symopt.optim.driver import Iterate
from symopt.optim.feeds import Batches, Stream
from symopt.optim.optimizer import Remarked, Status
from symopt.optim.problem import Needs, Vector
from symopt.optim.run import Run

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult  # pyright: ignore[reportMissingTypeStubs]: has none

Row = tuple[int, float, float, float, float, float]
_COLUMNS = [
    ("iteration", np.int64),
    ("value", np.float64),
    ("grad_norm", np.float64),
    ("step", np.float64),
    ("time", np.float64),
]
_VALIDATION = ("validation", np.float64)


def row_of(at: Iterate) -> Row:
    """An iterate's line in the trace; its state, which may be large, is let go."""
    return at.iteration, at.fun, at.grad_norm, at.step, at.time, at.validation


def result_of(run: Run, last: Iterate, rows: list[Row]) -> OptimizeResult:
    """The result of a run that ended with an iterate."""
    from scipy.optimize import OptimizeResult  # pyright: ignore[reportMissingTypeStubs]: has none

    assert last.status is not None, "a run ends with a status"
    counts, x = run.working.counts, last.x.copy()
    value, gradient, fitted, notes = last.fun, last.point.gradient.copy(), {}, ()
    if last.status is not Status.RAISED:  # an objective that fails is not asked again
        with np.errstate(all="ignore"):
            value, gradient = _at_the_end(run, last)
            fitted, notes = _fitted(run, x)
    explained = [last.explanation] if last.explanation else []
    remark = last.state.remark if isinstance(last.state, Remarked) else ""
    remarks = [remark] if remark else []
    return OptimizeResult(
        x=x,
        fun=value,
        grad=gradient,
        optimality=_optimality(run, x, gradient),
        nit=last.iteration,
        nfev=counts.values,
        njev=counts.gradients,
        nhev=counts.hessians,
        success=last.status.success,
        status=last.status.code,
        message="; ".join([last.status.message, *remarks, *explained, *notes]),
        remark=remark,
        method=run.method,
        reason=run.reason,
        batch_size=run.feed.size if isinstance(run.feed, Batches) else None,
        params=dict(run.problem.unpack(x)),
        trace=_trace(rows, validated=run.validation is not None),
        **fitted,
    )


def _trace(rows: list[Row], *, validated: bool) -> np.ndarray[Any, np.dtype[Any]]:
    if validated:
        return np.array(rows, dtype=[*_COLUMNS, _VALIDATION])
    return np.array([row[:-1] for row in rows], dtype=_COLUMNS)


def _at_the_end(run: Run, last: Iterate) -> tuple[float, Vector | None]:
    """Value and gradient: of all samples, but of the last batch where these came in a stream."""
    streamed = isinstance(run.feed, Stream)
    value, gradient = last.fun, last.point.gradient
    if not streamed and not run.feed.comparable:
        value = float(run.problem.value(last.x))
    whole = run.working.free.all() and run.feed.comparable and gradient.size == run.problem.n
    if streamed or whole:
        return value, gradient.copy()
    if Needs.GRADIENT not in run.problem.provides:
        return value, None
    return value, np.array(run.problem.grad(last.x))


def _optimality(run: Run, x: Vector, gradient: Vector | None) -> float:
    """The largest entry of the gradient, those fixed or held by a bound left out; nan without."""
    if gradient is None or gradient.size != x.size:
        return np.nan
    downhill = run.working.written(1.0) * gradient
    held = box_of(run.problem).projected(x, downhill)[run.working.free]
    return float(np.max(np.abs(held), initial=0.0))


def _fitted(run: Run, x: Vector) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of a least-squares result and what is to be said about them."""
    problem = run.problem
    wanted = problem.least_squares and Needs.RESIDUALS in problem.provides
    if not wanted or isinstance(run.feed, Stream):
        return {}, ()
    residuals = problem.residuals(x)
    if problem.n > LARGEST:
        note = f"standard errors are left out: {problem.n} parameters have too large a covariance"
        return {"residuals": residuals}, (note,)
    uncertainty = estimate(problem, x, residuals, run.working.free)
    fields = {
        "residuals": residuals,
        "covariance": uncertainty.covariance,
        "stderr": dict(problem.unpack(uncertainty.stderr)),
        "dof": uncertainty.dof,
    }
    return fields, findings(uncertainty, problem.names)
