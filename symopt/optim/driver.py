"""The one loop: runs a method, watches it, and decides when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from symopt.diagnostics import DerivativeUnavailable, SymoptError
from symopt.optim import errors
from symopt.optim.bounds import Box, box_of
from symopt.optim.feeds import Serving
from symopt.optim.optimizer import State, Status, Stopping
from symopt.optim.problem import Point, Vector, typical_sizes
from symopt.optim.run import Run
from symopt.optim.schedules import Pace
from symopt.optim.working import ProblemRaised

_EPSILON = float(np.finfo(np.float64).eps)
_FARTHEST = 1e14  # sizes of the start; a parameter that ends there was going on without end
_STEEP = 1e-2  # part of the objective that a parameter's own size may still be worth in the end
_FLAT = 1e-10  # below this part of its start the objective is about zero, and slopes say nothing
_BARREN = 20  # values in a row for each unknown, and one more, that say nothing if not finite
_SINGLE = float(np.finfo(np.float32).eps)
_PATIENCE = 3  # steps in a row without change before the value counts as settled
Tell = Callable[["Iterate"], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Iterate:
    """One step of a run, in the terms of the problem as written.

    Values and gradients are of the samples that the step has seen. `grad_norm` is the largest
    entry of the gradient, those held by a bound or fixed left out, and nan where the method uses
    none; `step` the length of the last step; `time` the seconds since the start; `validation` the
    loss of the validation data where that was measured, else nan. `status` is set in the last one
    only, which repeats an iteration if the run ended without another step or, where it did not
    succeed, at a point that is not the best so far: then it has that one.
    """

    iteration: int
    point: Point
    grad_norm: float
    step: float
    time: float
    validation: float
    state: State
    status: Status | None = None
    explanation: str | None = None  # where a non-finite value, or an error, came from

    @property
    def x(self) -> Vector:
        return self.point.x

    @property
    def fun(self) -> float:
        return self.point.value


def iterates(run: Run, tell: Tell = lambda iterate: True) -> Iterator[Iterate]:
    """The run step by step, from the start (iteration 0) on; `tell` may end it."""
    began = perf_counter()
    servings = run.feed.servings()
    # Methods meet overflow and worse at trial points, and check for it.
    with np.errstate(all="ignore"):
        first = _first(servings)
        state = _begin(run, first)
    loop = _Loop(run, servings, tell, began)
    return loop.unbegun(state) if isinstance(state, _Unbegun) else loop.iterates(first, state)


def _first(servings: Iterator[Serving]) -> Serving:
    try:
        serving = next(servings, None)
    except ProblemRaised as raised:
        raise raised.error from None
    if serving is None:
        raise errors.empty_stream()
    return serving


@dataclass(frozen=True, slots=True)
class _Ending:
    """Why a run ends without another step."""

    status: Status
    explanation: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Unbegun:
    """In place of a state, where a look around the start, which is sound itself, was cut short."""

    point: Point
    ending: _Ending
    outcome: Status | None = None


def _begin(run: Run, first: Serving) -> State | _Unbegun:
    """The state at the start; whatever is wrong there is the caller's to hear as it is."""
    problem = first.problem
    counts = problem.counts
    try:
        state = run.optimizer.init(problem, problem.x0, run.seed)
    except KeyboardInterrupt:
        if counts.first is None or not counts.first.finite:
            raise
        return _Unbegun(counts.first, _Ending(Status.INTERRUPTED))
    except ProblemRaised as raised:
        known = counts.first is not None and counts.first.finite and counts.values > 1
        if not known or isinstance(raised.error, SymoptError):
            raise raised.error from None
        assert counts.first is not None, "a value is known"
        return _Unbegun(counts.first, _Ending(Status.RAISED, str(raised)))
    if not state.point.finite:
        raise errors.nonfinite_start(problem.explain_nonfinite(state.point.x))
    return state


@dataclass(slots=True)
class _Losses:
    """The mean of the losses since they were last measured."""

    total: float = 0.0
    count: int = 0

    def add(self, loss: float) -> None:
        self.total += loss
        self.count += 1

    def take(self) -> float:
        mean = self.total / self.count
        self.total, self.count = 0.0, 0
        return mean


@dataclass(frozen=True, slots=True, eq=False)
class _Loop:
    """A run on its way."""

    run: Run
    servings: Iterator[Serving]
    tell: Tell
    began: float

    def unbegun(self, state: _Unbegun) -> Iterator[Iterate]:
        start = self._iterate(box_of(self.run.working), 0, state, 0.0, np.nan)
        yield self._last(start, start, state.ending)

    def iterates(self, serving: Serving, state: State) -> Iterator[Iterate]:
        box = box_of(self.run.working)
        working = self.run.working
        rules = _Rules(
            self.run.stopping,
            box,
            typical_sizes(working, state.point.x),
            state.point,
            working.original is not working.undoubled,
        )
        losses, settled = _Losses(), 0
        state, validation = self._measured(serving, state, losses)
        current = best = self._iterate(box, 0, state, 0.0, validation)
        status = self._at_start(rules, state)
        while True:
            status = status or self._limit(current)
            if status is not None:
                last = self._last(current, best, _Ending(status))
                if last.point is not current.point:
                    yield current
                yield last
                return
            yield current
            ahead = self._advance(state)
            if isinstance(ahead, _Ending):
                yield self._last(current, best, ahead)
                return
            serving, following = ahead
            status = following.outcome
            moved = following.point is not state.point
            if moved or status is None or serving.last:
                step = _length(state.point, following.point) if moved else 0.0
                following, validation = self._measured(serving, following, losses)
                current = self._iterate(box, current.iteration + 1, following, step, validation)
                best = current if self._better(current, best) else best
                if moved and self.run.feed.comparable:
                    unchanged = rules.unchanged(state.point, following.point)
                    settled = settled + 1 if unchanged else 0
                    status = status or rules.between(state.point, following.point)
                    status = status or (Status.VALUE if settled >= _PATIENCE else None)
                status = Status.EXHAUSTED if serving.last else status
                status = self._told(current) or status
            status = rules.honest(status, following.point)
            state = following

    def _at_start(self, rules: _Rules, state: State) -> Status | None:
        if self.run.working.n == 0:
            return Status.FIXED
        return state.outcome or (rules.at(state.point) if self.run.feed.comparable else None)

    def _limit(self, current: Iterate) -> Status | None:
        if current.iteration >= self.run.max_iter:
            return Status.MAX_ITER
        return Status.MAX_TIME if perf_counter() - self.began >= self.run.max_time else None

    def _advance(self, state: State) -> tuple[Serving, State] | _Ending:
        """The next step, or why there is none."""
        run = self.run
        if not run.working.counts.barren:
            run.working.counts.nonfinite = None
        try:
            with np.errstate(all="ignore"):
                serving = next(self.servings, None)
                if serving is None:
                    return _Ending(Status.EXHAUSTED)
                following = run.optimizer.step(serving.problem, state)
                trouble = _trouble(serving, following)
        except KeyboardInterrupt:
            return _Ending(Status.INTERRUPTED)
        except ProblemRaised as raised:
            # What this model cannot do is a mistake in the call, not an event of the run.
            if isinstance(raised.error, DerivativeUnavailable):
                raise raised.error from None
            return _Ending(Status.RAISED, str(raised))
        return trouble or (serving, following)

    def _told(self, current: Iterate) -> Status | None:
        try:
            return None if self.tell(current) else Status.STOPPED
        except KeyboardInterrupt:
            return Status.INTERRUPTED

    def _measured(self, serving: Serving, state: State, losses: _Losses) -> tuple[State, float]:
        """The state after schedules were told the loss, if it is time, and that of validation."""
        losses.add(state.point.value)
        if not serving.ends_epoch:
            return state, np.nan
        training, validation = losses.take(), np.nan
        if self.run.validation is not None:
            with np.errstate(all="ignore"):
                validation = self.run.validation.value(state.point.x)
        told = training if self.run.validation is None else validation
        return _paced(state, told), self.run.working.written(validation)

    def _better(self, current: Iterate, best: Iterate) -> bool:
        """Whether a point takes the place of the best; the latest, where values do not compare."""
        if not self.run.feed.comparable:
            return True
        sign = -1.0 if self.run.problem.maximize else 1.0
        return sign * current.fun <= sign * best.fun

    def _last(self, current: Iterate, best: Iterate, ending: _Ending) -> Iterate:
        """The last iterate: where the run did not succeed, its point is the best so far."""
        shown = current if ending.status.success else best
        return replace(
            current,
            point=shown.point,
            grad_norm=shown.grad_norm,
            status=ending.status,
            explanation=ending.explanation,
        )

    def _iterate(
        self, box: Box, iteration: int, state: State, step: float, validation: float
    ) -> Iterate:
        point = state.point
        norm = np.nan
        if point.gradient.size or not point.x.size:
            held = box.projected(point.x, point.gradient)
            norm = float(np.max(np.abs(held), initial=0.0))
        written = self.run.working.as_written(point)
        seconds = perf_counter() - self.began
        return Iterate(iteration, written, norm, step, seconds, validation, state)


def _length(old: Point, new: Point) -> float:
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(new.x - old.x))


def _paced(state: State, loss: float) -> State:
    """The state, whose schedule, if it has one, was told a loss."""
    pace = getattr(state, "pace", None)
    if not isinstance(pace, Pace):
        return state
    told = pace.told(loss)
    changed: Any = state  # a frozen dataclass, which protocols cannot say
    return state if told is pace else replace(changed, pace=told)


def _trouble(serving: Serving, following: State) -> _Ending | None:
    """Whether a step ended in a non-finite value, or found nothing but such ahead; and why."""
    problem, counts, outcome = serving.problem, serving.problem.counts, following.outcome
    if not following.point.finite:
        blamed = following.point.x
    elif outcome is not None and counts.nonfinite is not None:
        # A method that compares values alone closes in on any place without finite ones around it.
        barren = not following.point.gradient.size and counts.barren > _BARREN * (problem.n + 1)
        if not (outcome is Status.STALLED or barren):
            return None
        blamed = counts.nonfinite
    else:
        return None
    return _Ending(Status.NONFINITE, problem.explain_nonfinite(blamed))


@dataclass(frozen=True, slots=True, eq=False)
class _Rules:
    """The stopping rules, with what "relative" refers to."""

    stopping: Stopping
    box: Box
    sizes: Vector  # of the parameters, by the start
    start: Point
    single: bool  # whether the objective is computed in single precision

    def at(self, point: Point) -> Status | None:
        if not point.gradient.size:
            return None
        # An objective that falls to zero is compared with the rounding of where it began. There
        # the gradient goes with the root of the objective: it is also compared with its own start.
        worth = max(abs(point.value), _EPSILON * abs(self.start.value))
        enough = max(worth, _EPSILON**0.5 * self._effect(self.start))
        if self._effect(point) <= self.stopping.gradient * enough:
            return Status.GRADIENT
        return None

    def honest(self, status: Status | None, point: Point) -> Status | None:
        """A method's verdict, unless the point belies it: far away, steep in other units, or flat.

        Methods know the rounding of doubles. In single precision they are stuck long before it.
        """
        if status is Status.STALLED and self.single and point.gradient.size:
            flat = self._effect(point) <= _SINGLE**0.5 * self._effect(self.start)
            return Status.PRECISION if flat else status
        if status is None or not status.success:
            return status
        if (np.abs(point.x) > _FARTHEST * self.sizes).any():
            return Status.UNBOUNDED
        if status in (Status.PRECISION, Status.VALUE) and point.gradient.size:
            seen = abs(point.value) > _FLAT * abs(self.start.value)
            steep = self._effect(point) > _STEEP * abs(point.value)
            return Status.STALLED if seen and steep else status
        return status

    def _effect(self, point: Point) -> float:
        """The largest change of the objective, to first order, by a parameter as its size."""
        gradient = np.abs(self.box.projected(point.x, point.gradient))
        return float(np.max(gradient * np.maximum(np.abs(point.x), self.sizes), initial=0.0))

    def between(self, old: Point, new: Point) -> Status | None:
        """Whether the new point, or the step to it, says that the run is done."""
        return self.at(new) or (Status.STEP if self._short(old, new) else None)

    def _short(self, old: Point, new: Point) -> bool:
        tolerance = self.stopping.step
        if tolerance == 0:
            return False
        change, size = np.abs(new.x - old.x), np.maximum(np.abs(new.x), np.abs(old.x))
        return bool((change <= tolerance * size).all())

    def unchanged(self, old: Point, new: Point) -> bool:
        tolerance = self.stopping.value
        return tolerance > 0 and abs(new.value - old.value) <= tolerance * abs(new.value)
