"""Update rules: elementwise formulas, written once for numbers, arrays and symbols.

A rule is a pure function of weights, gradient, memory and rate. It uses + - * / and the functions
that it is handed, and never looks sideways from one weight to another: so NumPy can run it, and so
can whatever traces it. A memory is a named tuple of values like the weights, or of single numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np

from symopt.optim.bounds import Box, box_of
from symopt.optim.optimizer import Status
from symopt.optim.problem import Point, Problem, Vector, evaluate
from symopt.optim.rates import first_rate, first_sizes
from symopt.optim.schedules import Pace, ScheduleLike, pace_of

Value: TypeAlias = Any  # a number, an array or a symbol: what has + - * /
M = TypeVar("M", bound=tuple[Any, ...])
_NEAR = 1e-12  # what a step at the first rate may change of what is as good as at its end


@dataclass(frozen=True, slots=True)
class Maths:
    """The functions that rules use, for one kind of value."""

    sqrt: Callable[[Value], Value]
    exp: Callable[[Value], Value]
    maximum: Callable[[Value, Value], Value]
    sign: Callable[[Value], Value]

    def minimum(self, a: Value, b: Value) -> Value:
        return -self.maximum(-a, -b)


NUMPY = Maths(np.sqrt, np.exp, np.maximum, np.sign)


class Rule(Protocol[M]):
    """Settings with an update rule."""

    @property
    def rate(self) -> float | None:
        """The first rate; None for one that is chosen at the start."""
        ...

    @property
    def schedule(self) -> ScheduleLike: ...
    def memory(self, gradient: Vector, rate: float) -> M:
        """The memory before the first step, which has this gradient and rate."""
        ...

    def update(
        self, maths: Maths, weights: Value, gradient: Value, memory: M, rate: Value
    ) -> tuple[Value, M]:
        """The change of the weights, and the new memory."""
        ...


class CurvedRule(Protocol[M]):
    """Settings with an update rule that takes one product with the curvature in each step."""

    @property
    def rate(self) -> float | None: ...
    @property
    def schedule(self) -> ScheduleLike: ...
    def memory(self, gradient: Vector, rate: float) -> M: ...
    def direction(self, maths: Maths, gradient: Value, memory: M, rate: Value) -> tuple[Value, M]:
        """What is to be multiplied with the curvature, and the memory as `update` wants it."""
        ...

    def curvature(self, problem: Problem, x: Vector, direction: Vector) -> Vector:
        """The curvature at x times a direction."""
        ...

    def update(
        self,
        maths: Maths,
        weights: Value,
        gradient: Value,
        memory: M,
        rate: Value,
        product: Value,
    ) -> tuple[Value, M]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What a rule measures the weights and the gradient in."""

    weights: Vector
    gradient: Vector


@dataclass(frozen=True, slots=True, eq=False)
class RuleState(Generic[M]):
    """Where a rule is: the place evaluated last, and the weights that it made of it.

    The next step evaluates `ahead`, perhaps on other samples.
    """

    point: Point
    ahead: Vector
    memory: M
    pace: Pace
    box: Box | None  # None where there are no bounds
    units: Units | None  # None for those of the problem
    outcome: Status | None = None


def begin(
    rule: Rule[M],
    problem: Problem,
    x: Vector,
    *,
    relative: float | None = None,
    share: float = 1.0,
) -> RuleState[M]:
    """The state after the first update.

    A rate that is not given is a `share` of `first_rate`. For a scale-free rule it is `relative`,
    and the rule sees the weights in units of their sizes, and the loss in such that the first
    gradient is at most 1: whatever the units of a problem are, nothing is out of reach, or
    negligible beside an ε.
    """
    state = _start(rule, problem, x, relative, share)
    return _updated(rule, state, state.point)


def advance(rule: Rule[M], problem: Problem, state: RuleState[M]) -> RuleState[M]:
    """The state after another update, for the gradient at the weights ahead."""
    point = _ahead(problem, state)
    if _unmoved(state, point):
        return replace(state, outcome=_verdict(problem, point))
    return _updated(rule, state, point)


def begin_curved(
    rule: CurvedRule[M], problem: Problem, x: Vector, *, relative: float | None = None
) -> RuleState[M]:
    """The state after the first update of a rule with a product; `relative` is as in `begin`."""
    state = _start(rule, problem, x, relative, 1.0)
    return _updated_curved(rule, problem, state, state.point)


def advance_curved(rule: CurvedRule[M], problem: Problem, state: RuleState[M]) -> RuleState[M]:
    """The state after another update, for gradient and product at the weights ahead."""
    point = _ahead(problem, state)
    if _unmoved(state, point):
        return replace(state, outcome=_verdict(problem, point))
    return _updated_curved(rule, problem, state, point)


def _start(
    rule: Rule[M] | CurvedRule[M],
    problem: Problem,
    x: Vector,
    relative: float | None,
    share: float,
) -> RuleState[M]:
    """The state before the first update."""
    point, box = evaluate(problem, x), box_of(problem)
    rate, units = rule.rate, None
    if rate is None and relative is not None:
        rate, units = relative, _units(point, first_sizes(problem, point))
    elif rate is None:
        rate = share * first_rate(problem, point)
    pace = pace_of(rate, rule.schedule)
    limits = None if box.unbounded else box
    gradient = _seen(point, limits, units)
    return RuleState(point, point.x, rule.memory(gradient, rate), pace, limits, units)


def _units(point: Point, sizes: Vector) -> Units:
    steepest = float(np.max(np.abs(sizes * point.gradient), initial=0.0))
    return Units(sizes, sizes / steepest if 0 < steepest < np.inf else sizes)


def _ahead(problem: Problem, state: RuleState[M]) -> Point:
    value, gradient = problem.value_and_grad(state.ahead)
    return Point(state.ahead, float(value), gradient)


def _unmoved(state: RuleState[M], point: Point) -> bool:
    """Whether the same samples were seen at the same place, and call for a move once more."""
    old = state.point
    if not (
        point.value == old.value
        and np.array_equal(point.x, old.x)
        and np.array_equal(point.gradient, old.gradient)
        and point.gradient.any()
    ):
        return False
    if state.box is None:
        return True
    # A velocity may press against a bound until the gradient has turned it.
    at_end = (point.x <= state.box.lower) | (point.x >= state.box.upper)
    return not bool((at_end & ~state.box.active(point.x, point.gradient)).any())


def _verdict(problem: Problem, point: Point) -> Status:
    """What it means that an update is lost in rounding: its rate may be far too small."""
    step = -first_rate(problem, point) * point.gradient
    moved = box_of(problem).move(point.x, step)
    near = bool((np.abs(moved - point.x) <= _NEAR * np.abs(point.x)).all())
    return Status.PRECISION if near else Status.STALLED


def _seen(point: Point, box: Box | None, units: Units | None) -> Vector:
    """The gradient as a rule sees it: zero where a bound holds, or memories would grow there."""
    gradient = point.gradient if box is None else box.projected(point.x, point.gradient)
    return gradient if units is None else gradient * units.gradient


def _updated(rule: Rule[M], state: RuleState[M], point: Point) -> RuleState[M]:
    units, pace = state.units, state.pace
    weights = point.x if units is None else point.x / units.weights
    gradient = _seen(point, state.box, units)
    change, memory = rule.update(NUMPY, weights, gradient, state.memory, pace.rate)
    return _moved(state, point, change, memory)


def _updated_curved(
    rule: CurvedRule[M], problem: Problem, state: RuleState[M], point: Point
) -> RuleState[M]:
    units, rate = state.units, state.pace.rate
    weights = point.x if units is None else point.x / units.weights
    gradient = _seen(point, state.box, units)
    direction, memory = rule.direction(NUMPY, gradient, state.memory, rate)
    if units is None:
        product = rule.curvature(problem, point.x, direction)
    else:
        product = units.gradient * rule.curvature(problem, point.x, units.weights * direction)
    change, memory = rule.update(NUMPY, weights, gradient, memory, rate, product)
    return _moved(state, point, change, memory)


def _moved(state: RuleState[M], point: Point, change: Vector, memory: M) -> RuleState[M]:
    """The state with the weights moved from a point, as far as bounds let them."""
    box, units = state.box, state.units
    step = change if units is None else change * units.weights
    ahead = point.x + step if box is None else box.move(point.x, step)
    ahead.setflags(write=False)
    return RuleState(point, ahead, memory, state.pace.following, box, units)
