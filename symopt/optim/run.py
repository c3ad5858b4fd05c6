"""Everything about a run that is decided before its first step."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import box_of
from symopt.optim.callables import Objective, VectorLike
from symopt.optim.methods import METHODS, default_method, find_method, option_names
from symopt.optim.optimizer import Method, Optimizer, Stopping
from symopt.optim.problem import Mask, Problem, SeededStart, Vector
from symopt.optim.single import as_seen, in_double
from symopt.optim.working import WorkingProblem

MethodLike: TypeAlias = str | Optimizer[Any] | None
Fixed: TypeAlias = str | int | Iterable[str | int]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A problem, its start, a method with its settings, and the limits."""

    problem: Problem
    working: WorkingProblem  # what the method sees
    optimizer: Optimizer[Any]
    stopping: Stopping
    max_iter: int
    max_time: float


def prepare(
    problem: Problem | Objective,
    method: MethodLike,
    x0: VectorLike | None,
    *,
    tol: float | None,
    max_iter: int | None,
    max_time: float | None,
    seed: int | None,
    fixed: Fixed,
    options: Mapping[str, object],
) -> Run:
    """The run, or the `DataError` that says what cannot be done."""
    sized = in_double(_sized(problem, x0))
    start = as_seen(sized, _start(sized, x0, seed))
    free = ~_fixed_mask(sized, fixed)
    working = WorkingProblem(sized, _inside(sized, start, free), free)
    optimizer = _optimizer(method, sized, options)
    _check_support(optimizer, working)
    stopping = optimizer.stopping
    if tol is not None:
        stopping = replace(stopping, gradient=_limit("tol", tol, optimizer.stopping.gradient))
    return Run(
        sized,
        working,
        optimizer,
        stopping,
        int(_limit("max_iter", max_iter, optimizer.max_iter)),
        _limit("max_time", max_time, np.inf),
    )


def _limit(name: str, given: float | None, default: float) -> float:
    if given is None:
        return default
    if not given >= 0:
        raise errors.bad_setting(name, given, "zero or a positive number")
    return given


def _sized(problem: Problem | Objective, x0: VectorLike | None) -> Problem:
    if not isinstance(problem, Objective):
        return problem
    if x0 is None:
        raise errors.no_start(problem.names or ())
    return problem.sized(int(np.size(x0)))


def _start(problem: Problem, x0: VectorLike | None, seed: int | None) -> Vector:
    """The start: the caller's, or the declared one."""
    if x0 is None:
        if seed is not None and isinstance(problem, SeededStart):
            return np.array(problem.start(seed), np.float64)
        declared = problem.x0
        if declared is None:
            raise errors.no_start(problem.names)
        missing = [n for n, x in zip(problem.names, declared, strict=True) if np.isnan(x)]
        if missing:
            raise errors.no_start(missing)
        return np.array(declared, np.float64)
    try:
        start = np.array(x0, np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise errors.not_numbers("x0", str(error)) from error
    if len(start) != problem.n:
        raise errors.wrong_length("x0", len(start), problem.n)
    if not np.isfinite(start).all():
        entry = int(np.flatnonzero(~np.isfinite(start))[0])
        raise errors.not_finite("x0", problem.names[entry], float(start[entry]))
    return start


def _inside(problem: Problem, start: Vector, free: Mask) -> Vector:
    """The start, its free entries moved into the bounds (strictly, where those are open)."""
    box = box_of(problem)
    inside = np.where(free, box.project(start), start)
    moved = np.flatnonzero(inside != start)
    if moved.size:
        listed = ", ".join(
            f"{problem.names[i]} from {start[i]:g} to {inside[i]:g}" for i in moved[:5]
        )
        more = f" and {moved.size - 5} more" if moved.size > 5 else ""
        warnings.warn(f"x0 is outside the bounds; moved {listed}{more}", stacklevel=4)
    return inside


def _fixed_mask(problem: Problem, fixed: Fixed) -> Mask:
    """Which entries are fixed, from names (`w`), names of entries (`w[3]`) and flat indices."""
    names = [name.replace(" ", "") for name in problem.names]
    mask = np.zeros(problem.n, bool)
    for item in (fixed,) if isinstance(fixed, str | int | np.integer) else fixed:
        if isinstance(item, str):
            wanted = item.replace(" ", "")
            hits = [wanted in (name, name.partition("[")[0]) for name in names]
            if not any(hits):
                raise errors.unknown_parameter(item, names)
            mask |= np.array(hits, bool)
        else:
            if not 0 <= item < problem.n:
                raise errors.entry_out_of_range(item, problem.n)
            mask[item] = True
    return mask


def _optimizer(
    method: MethodLike, problem: Problem, options: Mapping[str, object]
) -> Optimizer[Any]:
    """The method's settings, with the options put in."""
    if method is None or isinstance(method, str):
        automatic = method is None or method.strip().lower() == "auto"
        record = default_method(problem) if automatic else find_method(str(method))
        _check_options(record.name, record.optimizer, options)
        return record.settings(options)
    _check_options(type(method).__name__, type(method), options)
    return replace(method, **options)


def _check_options(
    name: str, optimizer: type[Optimizer[Any]], options: Mapping[str, object]
) -> None:
    valid = option_names(optimizer)
    for option in options:
        if option not in valid:
            raise errors.unknown_option(name, option, valid)


def _record(optimizer: Optimizer[Any]) -> Method | None:
    """The table's record of a method; None for one of the caller's own."""
    return next((m for m in METHODS if m.describes(optimizer)), None)


def _check_support(optimizer: Optimizer[Any], working: WorkingProblem) -> None:
    """Refuse a method that the problem cannot serve."""
    record = _record(optimizer)
    name = record.name if record else type(optimizer).__name__
    missing = optimizer.needs & ~working.provides
    if missing:
        raise errors.missing_capability(name, missing)
    if record is not None and not record.bounds and not box_of(working).unbounded:
        lower, upper = working.bounds
        limited = np.isfinite(lower) | np.isfinite(upper)
        raise errors.unsupported_bounds(
            name, [n for n, has in zip(working.names, limited, strict=True) if has]
        )
