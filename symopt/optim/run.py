"""Everything about a run that is decided before its first step."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from operator import index
from typing import Any, Literal, TypeAlias, cast, get_args, get_type_hints

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import box_of
from symopt.optim.callables import Objective, VectorLike
from symopt.optim.choosing import AUTO, Automatic, choose
from symopt.optim.feeds import Batches, Feed, Stream, Whole, rebound
from symopt.optim.methods import METHODS, find_method, option_names
from symopt.optim.optimizer import Method, Optimizer, Stopping
from symopt.optim.problem import Mask, Problem, SeededStart, Vector
from symopt.optim.scaling import scales_of
from symopt.optim.single import as_seen, in_double
from symopt.optim.working import Counts, WorkingProblem

MethodLike: TypeAlias = str | Optimizer[Any] | None
Fixed: TypeAlias = str | int | Iterable[str | int]
Scale: TypeAlias = Mapping[str, VectorLike] | VectorLike | Literal["auto"] | None

_BATCH_SIZE = 32  # of methods that are made for batches
# For options of each kind, the kinds of NumPy numbers that will do, and what to ask for.
_NUMBERS = (
    (float, "fiu", "a number"),
    (int, "iu", "a whole number"),
    (bool, "b", "true or false"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A problem, its start and samples, a method with its settings, and the limits."""

    problem: Problem
    working: WorkingProblem  # what a method for the whole objective sees
    feed: Feed
    validation: WorkingProblem | None
    method: str
    reason: str  # why it is this method
    optimizer: Optimizer[Any]
    stopping: Stopping
    max_iter: float
    max_time: float
    seed: int


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
    validation: Any,
    stream: Iterable[Any] | None,
    options: Mapping[str, object] | None,
    batch_size: int | None,
    scale: Scale,
) -> Run:
    """The run, or the `DataError` that says what cannot be done."""
    options = {} if options is None else options
    seed = None if seed is None else _seeded(seed)
    sized = in_double(_sized(problem, x0))
    start = as_seen(sized, _start(sized, x0, seed))
    free = ~_fixed_mask(sized, fixed)
    anchor = _inside(sized, start, free)
    working = WorkingProblem(sized, anchor, free, scales_of(sized, anchor, free, scale))
    chosen = _chosen(method, working, in_batches=stream is not None or batch_size is not None)
    if batch_size is None and "batch_size" not in option_names(chosen.optimizer):
        batch_size, options = _batch_size(options)
    batch_size = _whole("batch_size", batch_size)
    optimizer = _optimizer(method, chosen, options)
    _check_support(chosen.name, optimizer, working, bounded=chosen.bounds)
    stopping = optimizer.stopping
    if tol is not None:
        stopping = replace(stopping, gradient=_limit("tol", tol, optimizer.stopping.gradient))
    steps = optimizer.max_iter if stream is None else np.inf
    return Run(
        sized,
        working,
        _feed(working, chosen.batches, stream, batch_size, seed or 0),
        None if validation is None else _validating(working, validation),
        chosen.name,
        chosen.reason,
        optimizer,
        stopping,
        _limit("max_iter", max_iter, steps),
        _limit("max_time", max_time, np.inf),
        seed or 0,
    )


def _limit(name: str, given: Any, default: float) -> float:
    if given is None:
        return default
    try:
        limit = np.nan if isinstance(given, str) else float(given)
    except TypeError:
        limit = np.nan
    if not limit >= 0:
        raise errors.bad_setting(name, given, "zero or a positive number")
    return limit


def _sized(problem: Problem | Objective, x0: VectorLike | None) -> Problem:
    if not isinstance(problem, Objective):
        if not hasattr(problem, "n"):
            raise errors.not_a_problem(type(problem).__name__, callable_=callable(problem))
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


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A method by name, with what its record says; a method of the caller's own has none."""

    name: str
    optimizer: type[Optimizer[Any]]
    record: Method | None
    reason: str

    @property
    def bounds(self) -> bool:
        return self.record is None or self.record.bounds

    @property
    def batches(self) -> bool:
        return self.record is not None and self.record.batches


def _chosen(method: MethodLike, problem: Problem, *, in_batches: bool) -> _Chosen:
    if isinstance(method, str) and method.strip().lower() == AUTO.name:
        method = None
    if method is None or isinstance(method, Automatic):
        choice = choose(problem, in_batches=in_batches)
        return _Chosen(choice.method.name, choice.method.optimizer, choice.method, choice.reason)
    if isinstance(method, str):
        record = find_method(method)
        return _Chosen(record.name, record.optimizer, record, "as asked")
    if not is_dataclass(method) or isinstance(method, type):
        raise errors.not_a_method(method)
    record = next((m for m in METHODS if m.describes(method)), None)
    name = record.name if record else type(method).__name__
    return _Chosen(name, type(method), record, "as asked")


def _optimizer(
    method: MethodLike, chosen: _Chosen, options: Mapping[str, object]
) -> Optimizer[Any]:
    """The method's settings, with the options put in."""
    valid = option_names(chosen.optimizer)
    for option in options:
        if option not in valid:
            raise errors.unknown_option(chosen.name, option, valid)
    _check_types(chosen, options)
    if method is None or isinstance(method, str | Automatic):
        assert chosen.record is not None, "a method by name has a record"
        return chosen.record.settings(options)
    return replace(method, **options)


def _check_types(chosen: _Chosen, options: Mapping[str, Any]) -> None:
    """Refuse what is no number where there has to be one; settings check the rest themselves."""
    hints = get_type_hints(chosen.optimizer)
    for option, value in options.items():
        kinds = get_args(hints[option]) or (hints[option],)
        numeric = {kind for kind in kinds if kind in (int, float, bool)}
        if not numeric or len(numeric) + (type(None) in kinds) < len(kinds):
            continue
        if value is None:
            if type(None) in kinds:
                continue
            raise errors.bad_option(chosen.name, option, None, "a number")
        found = np.asarray(value).dtype.kind if np.ndim(value) == 0 else "O"
        accepted, expected = next(
            (kinds, words) for kind, kinds, words in _NUMBERS if kind in numeric
        )
        if found not in accepted:
            raise errors.bad_option(chosen.name, option, value, expected)


def _check_support(
    name: str, optimizer: Optimizer[Any], working: WorkingProblem, *, bounded: bool
) -> None:
    """Refuse a method that the problem cannot serve."""
    missing = optimizer.needs & ~working.provides
    if missing:
        raise errors.missing_capability(name, missing)
    if not bounded and not box_of(working).unbounded:
        lower, upper = working.bounds
        limited = np.isfinite(lower) | np.isfinite(upper)
        raise errors.unsupported_bounds(
            name, [n for n, has in zip(working.names, limited, strict=True) if has]
        )


# ── samples ──────────────────────────────────────────────────────────────────────────────────────


def _feed(
    working: WorkingProblem,
    by_default: bool,
    stream: Iterable[Any] | None,
    batch_size: int | None,
    seed: int,
) -> Feed:
    if stream is not None:
        if batch_size is not None:
            raise errors.bad_setting("batch_size", batch_size, "left out: a stream has its own")
        return Stream(working, _iterable(stream))
    if batch_size is None and by_default:
        batch_size = min(_BATCH_SIZE, working.samples)
    if batch_size is None or working.samples <= batch_size:
        if batch_size is not None and working.samples == 1 < batch_size:
            # Asks the problem, which says why it has no batches.
            working.original.batch(np.arange(1))
        return Whole(working)
    return Batches(working, batch_size, seed)


def _iterable(stream: Any) -> Iterable[Any]:
    if isinstance(stream, Mapping) or not isinstance(stream, Iterable):
        raise errors.no_stream(type(stream).__name__)  # pyright: ignore[reportUnknownArgumentType]: any
    return cast("Iterable[Any]", stream)


def _validating(working: WorkingProblem, data: Any) -> WorkingProblem:
    """The problem on the validation data; what is evaluated there does not count."""
    return replace(rebound(working, data), counts=Counts())


def _batch_size(options: Mapping[str, Any]) -> tuple[Any, Mapping[str, object]]:
    """The batch size among the options, and the others."""
    others = {name: value for name, value in options.items() if name != "batch_size"}
    return options.get("batch_size"), others


def _seeded(given: Any) -> int:
    try:
        seed = index(given)
    except TypeError:
        seed = -1
    if seed < 0:
        raise errors.bad_setting("seed", given, "zero or a positive whole number")
    return seed


def _whole(name: str, given: Any) -> int | None:
    if given is None:
        return None
    try:
        number = index(given)
    except TypeError:
        number = 0
    if number < 1 or given is True:
        raise errors.bad_setting(name, given, "a positive whole number")
    return number
