"""`expect` lines: what they are about, and the number that is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import expectation_errors as errors
from symopt.typed.program import (
    Apply,
    Count,
    Expectation,
    Finite,
    IntegerPower,
    Number,
    Product,
    Quantity,
    Scalar,
    Sum,
)
from symopt.typed.scope import Environment, Variable
from symopt.typed.subscripts import integer
from symopt.types import Integer

if TYPE_CHECKING:
    from symopt.typed.checker import Unit

_BEST = ("minimum", "maximum")


def check_expectations(
    unit: Unit, file: tree.File, objective: tree.Objective | None
) -> tuple[Expectation | Finite, ...]:
    """The expectations of a file in its order; reports those that make no sense."""
    best = "maximum" if objective is not None and objective.sense == "maximize" else "minimum"
    unread = objective is None and any(isinstance(s, tree.Unread) for s in file.statements)
    squares = objective is None and not unit.losses
    found: list[Expectation | Finite] = []
    for statement in file.statements:
        match statement:
            case tree.FiniteExpectation(span):
                found.append(Finite(_line(span), span))
            case tree.Expectation():
                reader = _Reader(unit, None if unread else best, squares)
                if (expectation := reader.expectation(statement)) is not None:
                    found.append(expectation)
            case _:
                pass
    return tuple(found)


def _line(span: Span) -> str:
    return " ".join(span.text.split())


class _Reader:
    """Reads one expectation; None stands for a mistake that was reported."""

    def __init__(self, unit: Unit, best: str | None, least_squares: bool) -> None:
        self.unit, self.least_squares = unit, least_squares
        self.best = best  # `minimum` or `maximum`; None where the objective may be unread

    def expectation(self, written: tree.Expectation) -> Expectation | None:
        report = self.unit.report
        match written.condition:
            case tree.Compare((left, right), (comparison,)):
                pass
            case tree.Compare():
                report.add(errors.several_comparisons(written.condition.span))
                return None
            case _:
                report.add(errors.no_comparison(written.condition.span))
                return None
        if comparison == "!=":
            report.add(errors.unequal(written.condition.span))
            return None
        if not _names_quantity(left):
            swapped = _names_quantity(right)
            report.add(
                errors.reversed_sides(left.span, right.span)
                if swapped
                else errors.of_expression(left.span)
            )
            return None
        quantity = self.quantity(left)
        value = self.constant(right, "the number expected")
        tolerance = None
        if written.tolerance is not None:
            tolerance = self.constant(written.tolerance, "the tolerance")
            if comparison != "==":
                report.add(errors.needless_tolerance(written.tolerance.span, comparison))
            elif tolerance is not None and tolerance < 0:
                report.add(errors.negative_tolerance(written.tolerance.span))
        elif comparison == "==":
            report.add(errors.missing_tolerance(written.span, value))
        if quantity is None or value is None:
            return None
        text = _line(written.span)
        return Expectation(quantity, comparison, value, tolerance or 0.0, text, written.span)

    # ── the left side ────────────────────────────────────────────────────────────────────────

    def quantity(self, written: tree.Expression) -> Quantity | None:
        match written:
            case tree.Name(name, span) if name in _BEST:
                return self.objective(name, span)
            case tree.Call("stderr", (inner,)) if not isinstance(inner, tree.Generator):
                if not self.least_squares:
                    self.unit.report.add(errors.no_standard_errors(written.span))
                return self.element("stderr", inner)
            case _:
                return self.element("value", written)

    def objective(self, name: str, span: Span) -> Quantity | None:
        unit = self.unit
        if unit.scope.span_of(name) is not None:
            unit.report.add(errors.ambiguous(name, span))
        elif self.best is not None and name != self.best:
            unit.report.add(errors.wrong_sense(name, span, self.best))
        return Quantity("objective", name, ())

    def element(self, kind: str, written: tree.Expression) -> Quantity | None:
        """A number, or one element of an array."""
        unit = self.unit
        base, subscripts = written, ()
        if isinstance(written, tree.Subscript):
            base, subscripts = written.base, written.subscripts
        assert isinstance(base, tree.Name), "the left side was looked at"
        variable = self.variable(base)
        if variable is None:
            return None
        name, shape = base.name, variable.shape
        if not subscripts and shape:
            unit.report.add(errors.whole_array(name, shape, written.span))
            return None
        if len(subscripts) != len(shape):
            count = len(subscripts)
            unit.report.add(errors.wrong_indices(name, shape, count, written.span))
            return None
        place: list[Integer] = []
        for axis, part in enumerate(subscripts):
            if isinstance(part, tree.Slice):
                unit.report.add(errors.whole_array(name, shape, written.span))
                return None
            at = self.index(variable, axis, part)
            if at is None:
                return None
            place.append(at)
        return Quantity("stderr" if kind == "stderr" else "value", name, tuple(place))

    def variable(self, written: tree.Name) -> Variable | None:
        """The parameter or definition of a name."""
        unit, name, span = self.unit, written.name, written.span
        if name in unit.scope.broken:
            return None
        if name in unit.data or name in unit.scope.dims:
            what = "data" if name in unit.data else "a size"
            unit.report.add(errors.not_found_by_fit(name, what, span))
            return None
        variable = unit.scope.variables.get(name)
        if variable is None:
            known = [n for n in unit.scope.variables if n not in unit.data]
            unit.report.add(errors.unknown_quantity(name, span, known, self.best or _BEST[0]))
        return variable

    def index(self, variable: Variable, axis: int, written: tree.Expression) -> Integer | None:
        unit = self.unit
        at = integer(unit.elaborator, written, Environment())
        if at is None:
            return None
        if at.indices or at.tensors:
            unit.report.add(errors.varying_index(written.span))
            return None
        low, high = variable.origin[axis], variable.shape[axis]
        below = (at - low).value
        above = (at - high).value
        if (below is not None and below < 0) or (above is not None and above >= 0):
            name = variable.name
            unit.report.add(errors.index_outside(name, at, low, high - 1, written.span))
            return None
        return at

    # ── the right side ───────────────────────────────────────────────────────────────────────

    def constant(self, written: tree.Expression, what: str) -> float | None:
        unit = self.unit
        value = unit.elaborator.value(written, Environment())
        if value.broken:
            return None
        number = None if value.shape else _folded(value.scalar)
        if number is None or unit.elaborator.introduced:
            unit.elaborator.introduced.clear()
            unit.report.add(errors.not_constant(written.span, what))
            return None
        if not np.isfinite(number):
            unit.report.add(errors.not_a_number(written.span, what, number))
            return None
        return number


def _names_quantity(written: tree.Expression) -> bool:
    """Whether this is a name, an element, or the standard error of one."""
    match written:
        case tree.Name(name):
            return name not in ("pi", "e", "inf")
        case tree.Subscript(tree.Name()):
            return True
        case tree.Call("stderr", (tree.Name() | tree.Subscript(tree.Name()),), ()):
            return True
    return False


def _folded(scalar: Scalar) -> float | None:
    """The number that a scalar is; None where it depends on anything."""
    match scalar:
        case Number(value):
            return value
        case Count(whole):
            return None if whole.value is None else float(whole.value)
        case Sum(parts) | Product(parts) | Apply(_, parts):
            numbers = [_folded(part) for part in parts]
        case IntegerPower(base):
            numbers = [_folded(base)]
        case _:
            return None
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return None
    with np.errstate(all="ignore"):
        match scalar:
            case Sum():
                return float(np.sum(known))
            case Product():
                return float(np.prod(known))
            case IntegerPower(_, exponent):
                return float(np.float64(known[0]) ** exponent)
            case Apply(function):
                return float(function.reference(*map(np.float64, known)))
