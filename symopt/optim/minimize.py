"""Minimizing: the functions that users call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from symopt.optim.callables import Objective, VectorLike
from symopt.optim.driver import Iterate, iterates
from symopt.optim.problem import Problem
from symopt.optim.result import Row, result_of, row_of
from symopt.optim.run import Fixed, MethodLike, Scale, prepare

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult  # pyright: ignore[reportMissingTypeStubs]: has none


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
    validation: Any = None,
    stream: Iterable[Any] | None = None,
    options: Mapping[str, object] | None = None,
    *,
    batch_size: int | None = None,
    scale: Scale = None,
) -> OptimizeResult:
    """The best point found, as a `scipy.optimize.OptimizeResult`.

    `method` is a name from `methods()` or an optimizer's settings; "auto", the default, chooses by
    the structure of the problem. `tol` replaces the method's gradient tolerance (see `Stopping`).
    `fixed` names parameters (`"w"`), entries (`"w[3]"`) or flat indices that keep their start.
    `callback` is called after each step as `callback(intermediate_result=...)` or `callback(x)`, by
    its signature; raising StopIteration ends the run. `options` are the method's settings.

    `batch_size` is how many samples each step sees, drawn without replacement until all have had
    their turn (also `options={"batch_size": ...}`); methods made for batches take 32 by default.
    `stream` gives the samples instead: an iterable of data, mappings or data frames, of any length,
    one batch each. `validation` is such data that the method does not learn from: its loss is
    measured after each pass over the samples (100 batches of a stream) and drives schedules.
    `scale` measures the unknowns in other units: sizes by name, a vector, or "auto" for those of
    the start.

    Beside SciPy's fields the result has `method`, the `reason` why it was chosen and the `remark`
    of how it computed, if not as always, `batch_size` (None where each step saw all samples),
    `params` and `trace` (a structured array with columns iteration, value, grad_norm, step, time
    and, where it was asked for, validation), and for least squares `residuals`, `covariance`,
    `stderr` and `dof`.
    A run that does not succeed ends at its best point; one that never sees the whole objective, at
    its last.
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
        validation=validation,
        stream=stream,
        options=options,
        batch_size=batch_size,
        scale=scale,
    )
    rows: list[Row] = []
    last: Iterate | None = None
    for last in iterates(run, _listener(callback)):
        if not rows or last.iteration > rows[-1][0]:
            rows.append(row_of(last))
    assert last is not None, "a run has at least its start"
    return result_of(run, last, rows)


def iterate(
    problem: Problem | Objective,
    method: MethodLike = None,
    x0: VectorLike | None = None,
    tol: float | None = None,
    max_iter: int | None = None,
    max_time: float | None = None,
    seed: int | None = None,
    fixed: Fixed = (),
    validation: Any = None,
    stream: Iterable[Any] | None = None,
    options: Mapping[str, object] | None = None,
    *,
    batch_size: int | None = None,
    scale: Scale = None,
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
        validation=validation,
        stream=stream,
        options=options,
        batch_size=batch_size,
        scale=scale,
    )
    return iterates(run)


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
