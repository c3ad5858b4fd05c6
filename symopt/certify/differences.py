"""Central differences with an estimate of their own error, and where there is a kink in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symopt.certify.sweep import all_points, parts_at, slope_expressions
from symopt.primitives.operators import ZERO, integer_power, not_equal, select
from symopt.primitives.record import Elementwise, Primitive
from symopt.statements.evaluate import Values, evaluate_expression
from symopt.statements.expression import operands, postorder, replaced
from symopt.statements.program import Program

Array = NDArray[Any]

_FIRST_STEP = 2.0**-5
_SHRINK = 2.0
_STEPS = 18
_ORDERS = 6  # how often steps are extrapolated
_PATIENCE = 3  # steps that make nothing better before the last
_ROUNDING = 2.0**-50  # of values, relative: some roundings


@dataclass(frozen=True, slots=True)
class Difference:
    """A derivative along a direction by differences, and how far off it may be.

    With a `kink` at the very point, there is none.
    """

    value: Array
    error: Array
    kink: bool = False


def differentiate(function: Callable[[float], Array], same: Callable[[float], bool]) -> Difference:
    """The derivative of a function at 0.

    Ridders' method: central differences of ever smaller steps, extrapolated to step 0; the step
    and order whose estimates agree best are taken, and their difference, with what rounding does at
    that step, is the error. `same(h)` says that there is no kink within h; larger steps are not
    used.
    """
    step = next((h for h in (_FIRST_STEP / _SHRINK**k for k in range(_STEPS)) if same(h)), None)
    if step is None:
        zero = np.zeros_like(np.asarray(function(0.0), dtype=float))
        return Difference(zero, np.full_like(zero, np.inf), kink=True)
    table = _Table()
    with np.errstate(all="ignore"):
        for number in range(_STEPS):
            h = step / _SHRINK**number
            if not table.add(function(h), function(-h), h):
                break
    return Difference(table.best, table.error)


@dataclass(slots=True)
class _Table:
    """The last row of Ridders' table, and the best entry so far."""

    row: list[Array] = field(default_factory=list)
    best: Array = field(default_factory=lambda: np.zeros(0))
    error: Array = field(default_factory=lambda: np.zeros(0))
    idle: int = 0

    def add(self, ahead: Array, behind: Array, h: float) -> bool:
        """Take in a step; whether another one may be better."""
        rounding = _ROUNDING * np.maximum(np.abs(ahead), np.abs(behind)) / h
        following = [(ahead - behind) / (2 * h)]
        if not self.row:
            self.best, self.error = following[0], np.full_like(following[0], np.inf)
        factor, improved = 1.0, not self.row or not np.isfinite(following[0]).all()
        for earlier in self.row:
            factor *= _SHRINK**2
            last = following[-1]
            following.append((factor * last - earlier) / (factor - 1))
            wrong = np.maximum(abs(following[-1] - last), abs(following[-1] - earlier)) + rounding
            better = wrong < self.error
            improved |= bool((wrong < 0.5 * self.error).any())
            self.best = np.where(better, following[-1], self.best)
            self.error = np.where(better, wrong, self.error)
        self.row = following[:_ORDERS]
        self.idle = 0 if improved else self.idle + 1
        return self.idle < _PATIENCE


def branches(program: Program, values: Values) -> tuple[Array, ...]:
    """Which way every choice of a program goes: between two points where these are the same, the
    program is smooth.

    Choices are the piecewise constant parts of expressions and of their derivatives, such as the
    sign in the derivative of `abs`, and the winners of `max` and `min`.
    """
    found: list[Array] = []
    for statement in program.statements:
        if statement.winner is not None:
            found.append(values.tensors[statement.winner.tensor])
        nodes = [n for n in postorder(statement.expression) if isinstance(n, Primitive)]
        if not any(_choices(node.record) for node in nodes):
            continue
        indices, _ = all_points(statement, values)
        known = parts_at(statement, values, indices)
        with np.errstate(all="ignore"):
            for node in nodes:
                symbols, choices = _choices(node.record) or ((), ())
                own = dict(zip(symbols, operands(node), strict=bool(symbols)))
                found += [evaluate_expression(replaced(c, own), known) for c in choices]
    return tuple(found)


def same_branches(first: tuple[Array, ...], second: tuple[Array, ...]) -> bool:
    """Whether all choices go the same way; a nan is the same as a nan."""
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))


Choices = tuple[tuple[sympy.Symbol, ...], tuple[sympy.Expr, ...]]


@lru_cache(maxsize=256)
def _choices(record: Elementwise) -> Choices | None:
    """The piecewise constant parts of a primitive and its partials, in symbols; None if smooth."""
    symbols = tuple(sympy.Symbol(f"argument{k}", real=True) for k in range(record.arity))
    if record is integer_power:
        return None
    if record is select:
        return symbols, (not_equal(symbols[0], ZERO),)
    found = sorted(_constant_parts(record(*symbols), record.analytic), key=str)
    return (symbols, tuple(found)) if found else None


def _constant_parts(node: sympy.Expr, analytic: bool) -> set[sympy.Expr]:
    """The piecewise constant parts in a node and its slopes; of functions in these that have kinks
    of their own, as `clip` in the slope of `huber` has, in the slopes of these, too."""
    found: set[sympy.Expr] = set()
    for part in {part for slope in (node, *slope_expressions(node)) for part in postorder(slope)}:
        if not isinstance(part, Primitive):
            continue
        if part.record.constant:
            found.add(part)
        elif not (analytic or part.record.analytic or part == node or part.record is select):
            found |= _constant_parts(part, analytic)
    return found
