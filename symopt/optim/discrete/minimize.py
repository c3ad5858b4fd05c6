"""The driver of methods for discrete states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symopt.optim import errors
from symopt.optim.discrete import genetic, simulated_annealing, tabu
from symopt.optim.discrete.costs import Cost
from symopt.optim.discrete.method import Candidate, DiscreteOptimizer, DiscreteProblem
from symopt.optim.discrete.neighbourhoods import Neighbourhood
from symopt.optim.optimizer import Status

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult  # pyright: ignore[reportMissingTypeStubs]: has none

_NO_OPTIONS: Mapping[str, object] = MappingProxyType({})
_TRACE = np.dtype(
    [
        ("iteration", np.int64),
        ("value", np.float64),
        ("best", np.float64),
        ("time", np.float64),
    ]
)
DISCRETE_METHODS: dict[str, type[DiscreteOptimizer[Any]]] = {
    simulated_annealing.NAME: simulated_annealing.DiscreteAnnealing,
    tabu.NAME: tabu.DiscreteTabu,
    genetic.NAME: genetic.DiscreteGenetic,
}
DiscreteMethodLike: TypeAlias = str | DiscreteOptimizer[Any]


def minimize_discrete(
    cost: Cost,
    start: Any,
    neighbourhood: Neighbourhood,
    method: DiscreteMethodLike = simulated_annealing.NAME,
    *,
    maximize: bool = False,
    max_iter: int | None = None,
    max_time: float | None = None,
    seed: int | None = None,
    callback: Callable[[Any], object] | None = None,
    options: Mapping[str, object] = _NO_OPTIONS,
) -> OptimizeResult:
    """The best state found, as a `scipy.optimize.OptimizeResult`.

    `cost(state)` is a function of permutations or of bits, as `neighbourhood` says: `Swaps()`,
    `Reversals()`, `Flips()`, or your own. Where the cost has a method `change(state, move)`, moves
    are judged by that (`Tour`, `QuadraticAssignment` and `QuadraticBits` do so); else by evaluating
    the states they lead to. `method` is "simulated-annealing", "tabu", "genetic", or one's
    settings, `options` its fields. `callback(state)` may raise StopIteration.

    The result has x, fun, nit, nfev (states evaluated), ndelta (moves evaluated), success, status,
    message and `trace`, with columns iteration, value (of the state at hand), best and time.
    """
    optimizer = _optimizer(method, options)
    sign = -1.0 if maximize else 1.0
    problem = DiscreteProblem(cost, neighbourhood, sign)
    limits = _Limits(
        _limit("max_iter", max_iter, optimizer.max_iter), _limit("max_time", max_time, np.inf)
    )
    state = optimizer.init(problem, neighbourhood.checked(start), seed or 0)
    if not np.isfinite(state.best.cost):
        raise errors.nonfinite_start(None)
    run = _Run(problem, optimizer, limits, callback)
    best, status, note, rows = run.through(state)
    return _result(problem, best, status, note, rows)


@dataclass(frozen=True, slots=True)
class _Limits:
    iterations: float
    seconds: float


_Row = tuple[int, float, float, float]
_End = tuple[Candidate, Status, str | None, list[_Row]]


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """A method on its way."""

    problem: DiscreteProblem
    optimizer: DiscreteOptimizer[Any]
    limits: _Limits
    callback: Callable[[Any], object] | None

    def through(self, state: Any) -> _End:
        """The best candidate, why the run ended, what is to be said of it, and the trace."""
        began, sign, iteration = perf_counter(), self.problem.sign, 0
        rows = [(0, sign * state.current.cost, sign * state.best.cost, 0.0)]
        while state.outcome is None:
            seconds = perf_counter() - began
            if iteration >= self.limits.iterations:
                return state.best, Status.MAX_ITER, None, rows
            if seconds >= self.limits.seconds:
                return state.best, Status.MAX_TIME, None, rows
            try:
                state = self.optimizer.step(self.problem, state)
            except KeyboardInterrupt:
                return state.best, Status.INTERRUPTED, None, rows
            except Exception as error:  # the cost is the caller's: whatever it raises
                return state.best, Status.RAISED, f"{type(error).__name__}: {error}", rows
            iteration += 1
            seconds = perf_counter() - began
            rows.append((iteration, sign * state.current.cost, sign * state.best.cost, seconds))
            if not self._told(state.best):
                return state.best, Status.STOPPED, None, rows
        return state.best, state.outcome, None, rows

    def _told(self, best: Candidate) -> bool:
        try:
            if self.callback is not None:
                self.callback(best.state.copy())
        except StopIteration:
            return False
        return True


def _optimizer(method: DiscreteMethodLike, options: Mapping[str, object]) -> DiscreteOptimizer[Any]:
    if not isinstance(method, str):
        return _checked(type(method), {**_settings(method), **options})
    name = method.strip().lower().replace("_", "-")
    if name not in DISCRETE_METHODS:
        raise errors.unknown_method(method, list(DISCRETE_METHODS), list(DISCRETE_METHODS))
    return _checked(DISCRETE_METHODS[name], options)


def _settings(optimizer: DiscreteOptimizer[Any]) -> dict[str, object]:
    return {field.name: getattr(optimizer, field.name) for field in fields(optimizer)}


def _checked(
    kind: type[DiscreteOptimizer[Any]], options: Mapping[str, object]
) -> DiscreteOptimizer[Any]:
    valid = [field.name for field in fields(kind)]
    for option in options:
        if option not in valid:
            raise errors.unknown_option(kind.__name__, option, valid)
    return kind(**options)


def _limit(name: str, given: float | None, default: float) -> float:
    if given is None:
        return default
    if not given >= 0:
        raise errors.bad_setting(name, given, "zero or a positive number")
    return given


def _result(
    problem: DiscreteProblem,
    best: Candidate,
    status: Status,
    note: str | None,
    rows: list[_Row],
) -> OptimizeResult:
    from scipy.optimize import OptimizeResult  # pyright: ignore[reportMissingTypeStubs]: has none

    # Costs along a run are sums of changes, and their rounding; this one is not.
    # Where the cost has just failed, it is not asked again.
    failed = status in (Status.RAISED, Status.INTERRUPTED)
    value = None if failed else float(problem.cost(best.state.copy()))
    return OptimizeResult(
        x=best.state.copy(),
        fun=problem.sign * best.cost if value is None else value,
        nit=rows[-1][0],
        nfev=problem.evaluations.states,
        ndelta=problem.evaluations.moves,
        success=status.success,
        status=status.code,
        message=status.message if note is None else f"{status.message}; {note}",
        trace=np.array(rows, dtype=_TRACE),
    )
