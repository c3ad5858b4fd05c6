"""Expressions: from what was written to scalars in index form.

One `Elaborator` serves one file. It finds the meaning of names, infers ranges, broadcasts, and
introduces auxiliary definitions where a value would otherwise be computed more than once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import assert_never

from symopt.diagnostics import Diagnostic, Report
from symopt.primitives import operators
from symopt.primitives.record import Elementwise
from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.calls import FUNCTION_NAMES, call
from symopt.typed.functions import Expansion
from symopt.typed.packed import packed_element
from symopt.typed.packing import positions_name
from symopt.typed.products import matrix_product
from symopt.typed.program import (
    Apply,
    Count,
    Definition,
    IntegerPower,
    Number,
    Product,
    RandomDraw,
    Read,
    Scalar,
    Sum,
)
from symopt.typed.reads import integer_atoms
from symopt.typed.scope import Environment, Scope, Variable
from symopt.typed.subscripts import subscript
from symopt.typed.values import (
    Place,
    Shape,
    Value,
    broadcast_shapes,
    broken_value,
    mapped,
    scalar_value,
    transposed,
)
from symopt.types import Atom, Entry, Index, Integer, Range, atom, constant, dim, index

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}
_COMPARISONS: dict[str, Elementwise] = {
    "<": operators.less,
    "<=": operators.less_equal,
    ">": operators.greater,
    ">=": operators.greater_equal,
    "==": operators.equal,
    "!=": operators.not_equal,
}
_DIVISIONS = {
    "/": operators.divide,
    "//": operators.floor_divide,
    "%": operators.remainder,
}
_ACTIONS = {
    "+": "add", "-": "subtract", "*": "multiply", "/": "divide", "//": "divide", "%": "divide",
}  # fmt: skip
MINUS_ONE = Number(-1.0)


class Elaborator:
    """Gives expressions their meaning in a scope; mistakes go to the report."""

    def __init__(self, scope: Scope, report: Report) -> None:
        self.scope = scope
        self.report = report
        self.ranges: dict[str, Range] = {}  # every index made so far, by its unique name
        self.introduced: list[Definition] = []  # auxiliary definitions, in order
        self.draws: list[RandomDraw] = []
        self.random_shape: Shape | None = None  # set while a start value is elaborated
        self.guards: list[frozenset[Atom]] = []  # indices that enclosing conditions look at
        self.auxiliary_shapes: dict[str, Shape] = {}  # of auxiliary definitions and draws
        self.active: list[int] = []  # how deep the functions being expanded nest
        self.recurring: set[str] = set()  # tensors that are being defined step by step
        self.called: set[str] = set()  # functions expanded so far
        self.calls = 0  # how often
        self.expansions: dict[object, Expansion] = {}  # their results, by call
        self._quiet = False
        self._names: dict[str, int] = {}

    # ── names and indices ────────────────────────────────────────────────────────────────────

    def fresh(self, stem: str) -> str:
        """A name not used before: `stem`, `stem.2`, `stem.3`, ..."""
        count = self._names[stem] = self._names.get(stem, 0) + 1
        return stem if count == 1 and stem not in self.scope.names else f"{stem}.{count}"

    def new_index(self, stem: str, lower: Integer, upper: Integer) -> Range:
        """A loop of its own over a range."""
        loop = Range(self.fresh(f"{stem}"), lower, upper)
        self.ranges[loop.index] = loop
        return loop

    def loops_over(self, shape: Shape) -> tuple[Range, ...]:
        return tuple(
            self.new_index("ijklmn"[axis % 6], constant(0), size) for axis, size in enumerate(shape)
        )

    def fail(self, diagnostic: Diagnostic, span: Span) -> Value:
        self.report.add(diagnostic)
        return broken_value(span)

    @property
    def index_sizes(self) -> dict[str, Integer]:
        """For every index array, the size that its entries are below."""
        found: dict[str, Integer] = {}
        for name, variable in self.scope.variables.items():
            if variable.index_of is not None:
                found[name] = variable.index_of
            elif variable.packing is not None:
                found[positions_name(name)] = variable.stored_shape[-1]
        return found

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Look at an expression without keeping its mistakes or auxiliary definitions."""
        kept = self.report, self.introduced, self.draws, self.expansions, self._quiet
        self.report, self.introduced, self.draws = Report(), [], []
        # What a call introduces is dropped in the end, so no call outside may refer to it.
        self.expansions, self._quiet = self.expansions if self._quiet else {}, True
        try:
            yield
        finally:
            self.report, self.introduced, self.draws, self.expansions, self._quiet = kept

    def stored_shape(self, tensor: str) -> Shape:
        """The shape of a tensor as it is stored: from its least index on."""
        variable = self.scope.variables.get(tensor)
        return self.auxiliary_shapes[tensor] if variable is None else variable.stored_shape

    @contextmanager
    def guarded(self, condition: Scalar) -> Iterator[None]:
        """Within: reads whose index the condition looks at may be out of range, unused."""
        self.guards.append(integer_atoms(condition))
        try:
            yield
        finally:
            self.guards.pop()

    def is_guarded(self, place: Integer) -> bool:
        """Whether an enclosing condition looks at something that this index is made of."""
        own = {item for item in place.atoms() if isinstance(item, Index | Entry)}
        return any(own & guard for guard in self.guards)

    # ── expressions ──────────────────────────────────────────────────────────────────────────

    def value(self, expression: tree.Expression, env: Environment) -> Value:
        """The meaning of an expression."""
        match expression:
            case tree.Number(number, _, span):
                return scalar_value(Number(number), span, simple=True)
            case tree.Name():
                return self._name(expression, env)
            case tree.Chain():
                return self._chain(expression, env)
            case tree.Power():
                return self._power(expression, env)
            case tree.Negate(operand, span):
                value = self.value(operand, env)
                return self.elementwise((value,), lambda s: _negated(s[0]), span, "negate")
            case tree.Compare() | tree.Logical() | tree.Not():
                return self._condition(expression, env)
            case tree.Conditional():
                return self._conditional(expression, env)
            case tree.Subscript():
                return subscript(self, expression, env)
            case tree.Transpose(operand, span):
                return transposed(self.value(operand, env), span)
            case tree.Call():
                return call(self, expression, env)
            case tree.Array():
                return self._array(expression, env)
            case _:
                assert_never(expression)

    def scalar(self, expression: tree.Expression, env: Environment, what: str) -> Scalar:
        """The meaning of an expression that has to be a single number."""
        value = self.value(expression, env)
        if value.shape:
            self.report.add(errors.not_scalar(what, value.shape, value.span))
            return Number(math.nan)
        return value.scalar

    def _name(self, name: tree.Name, env: Environment) -> Value:
        text, span = name.name, name.span
        if text in env.indices:
            return scalar_value(Count(env.indices[text]), span, simple=True)
        if text in env.arguments:
            return replace(env.arguments[text], span=span)
        if text in self.scope.variables:
            return self._variable(self.scope.variables[text], span)
        if text in self.scope.broken:
            return broken_value(span)
        if text in self.scope.dims:
            return scalar_value(Count(dim(text)), span, simple=True)
        if text == self.scope.defining:
            return self.fail(errors.used_in_itself(text, span), span)
        if text in self.scope.later:
            return self.fail(errors.used_before(text, span, self.scope.later[text]), span)
        if text in CONSTANTS:
            return scalar_value(Number(CONSTANTS[text]), span, simple=True)
        if text in self.scope.functions or text in FUNCTION_NAMES:
            return self.fail(errors.function_as_value(text, span), span)
        known = {*self.scope.names, *self.scope.later, *env.indices, *env.arguments}
        return self.fail(self.scope.unknown_name(name, known), span)

    def _variable(self, variable: Variable, span: Span) -> Value:
        def at(place: Place) -> Scalar:
            if variable.index_of is not None:
                return Count(atom(Entry(variable.name, place)))
            if variable.packing is not None:
                return packed_element(self, variable, place, span)
            return Read(variable.name, place, span)

        return Value(variable.extents, at, span, simple=True)

    def _chain(self, chain: tree.Chain, env: Environment) -> Value:
        operators_used = {operator for operator, _ in chain.rest}
        if operators_used <= {"+", "-"}:
            return self._sum(chain, env)
        result = self.value(chain.first, env)
        for operator, operand in chain.rest:
            right = self.value(operand, env)
            span = result.span.to(right.span)
            if result.broken or right.broken:
                result = broken_value(span)
            elif operator == "@":
                result = matrix_product(self, result, right, span)
            elif operator == "*":
                result = self.elementwise((result, right), _product, span, "multiply")
            else:
                function = _DIVISIONS[operator]
                result = self.elementwise(
                    (result, right), _applied(function, span), span, _ACTIONS[operator]
                )
        return result

    def _sum(self, chain: tree.Chain, env: Environment) -> Value:
        terms = [("+", self.value(chain.first, env))]
        terms += [(operator, self.value(operand, env)) for operator, operand in chain.rest]
        signs = tuple(sign for sign, _ in terms)

        def add(scalars: tuple[Scalar, ...]) -> Scalar:
            signed = (
                s if sign == "+" else _negated(s) for sign, s in zip(signs, scalars, strict=True)
            )
            return Sum(tuple(signed), chain.span)

        action = "subtract" if set(signs[1:]) == {"-"} else "add"
        return self.elementwise(tuple(value for _, value in terms), add, chain.span, action)

    def elementwise(
        self,
        values: tuple[Value, ...],
        combine: Callable[[tuple[Scalar, ...]], Scalar],
        span: Span,
        action: str,
    ) -> Value:
        """`combine` over values broadcast together, or a report of the first that does not fit."""
        if any(value.broken for value in values):
            return broken_value(span)
        shape: Shape = ()
        so_far = values[0]
        for value in values:
            common = broadcast_shapes(shape, value.shape)
            if common is None:
                return self.fail(
                    errors.cannot_combine(
                        action, shape, value.shape, so_far.span, value.span, span
                    ),
                    span,
                )
            so_far = so_far if common == shape else value
            shape = common
        return mapped(shape, values, combine, span)

    def _power(self, power: tree.Power, env: Environment) -> Value:
        base = self.value(power.base, env)
        exponent = _integer_literal(power.exponent)
        if exponent is not None and not base.broken:
            return mapped(base.shape, (base,), lambda s: IntegerPower(s[0], exponent), power.span)
        other = self.value(power.exponent, env)
        return self.elementwise(
            (base, other), _applied(operators.power, power.span), power.span, "raise"
        )

    def _condition(
        self, expression: tree.Compare | tree.Logical | tree.Not, env: Environment
    ) -> Value:
        span = expression.span
        match expression:
            case tree.Not(operand):
                values = (self.value(operand, env),)
                return self.elementwise(values, _applied(operators.negation, span), span, "negate")
            case tree.Logical(operator, operands):
                join = operators.both if operator == "and" else operators.either
                values = tuple(self.value(operand, env) for operand in operands)
                return self.elementwise(values, _folded(join, span), span, "combine")
            case tree.Compare(operands, names):
                values = tuple(self.value(operand, env) for operand in operands)
                records = tuple(_COMPARISONS[name] for name in names)

                def compare(s: tuple[Scalar, ...]) -> Scalar:
                    parts = [
                        Apply(record, (s[k], s[k + 1]), span) for k, record in enumerate(records)
                    ]
                    return _folded(operators.both, span)(tuple(parts))

                return self.elementwise(values, compare, span, "compare")

    def _conditional(self, expression: tree.Conditional, env: Environment) -> Value:
        condition = self.value(expression.condition, env)
        if condition.broken:
            return condition
        probe = condition.at(tuple(index(loop.index) for loop in self.loops_over(condition.shape)))
        with self.guarded(probe):
            then = self.value(expression.then, env)
            otherwise = self.value(expression.otherwise, env)
        return self.elementwise(
            (condition, then, otherwise),
            _applied(operators.select, expression.span),
            expression.span,
            "choose between",
        )

    def _array(self, array: tree.Array, env: Environment) -> Value:
        elements = tuple(self.value(element, env) for element in array.elements)
        if any(element.broken for element in elements):
            return broken_value(array.span)
        shapes = {element.shape for element in elements} or {()}
        if len(shapes) > 1:
            first, second, *_ = sorted(shapes, key=str)
            return self.fail(
                errors.wrong_shape("rows of an array differ", first, second, array.span),
                array.span,
            )

        def at(place: tuple[Integer, ...]) -> Scalar:
            result: Scalar = Number(math.nan)
            for number, element in reversed(tuple(enumerate(elements))):
                here = Apply(operators.equal, (Count(place[0]), Number(float(number))), array.span)
                result = Apply(operators.select, (here, element.at(place[1:]), result), array.span)
            return result

        return Value((constant(len(elements)), *shapes.pop()), at, array.span)


def _negated(scalar: Scalar) -> Scalar:
    return Number(-scalar.value) if isinstance(scalar, Number) else Product((MINUS_ONE, scalar))


def _product(factors: tuple[Scalar, ...]) -> Scalar:
    flat: list[Scalar] = []
    for factor in factors:
        flat.extend(factor.factors if isinstance(factor, Product) else (factor,))
    return Product(tuple(flat))


def _applied(function: Elementwise, span: Span) -> Callable[[tuple[Scalar, ...]], Scalar]:
    return lambda scalars: Apply(function, scalars, span)


def _folded(function: Elementwise, span: Span) -> Callable[[tuple[Scalar, ...]], Scalar]:
    def fold(scalars: tuple[Scalar, ...]) -> Scalar:
        result, *others = scalars
        for other in others:
            result = Apply(function, (result, other), span)
        return result

    return fold


def _integer_literal(expression: tree.Expression) -> int | None:
    match expression:
        case tree.Number(value, True) if abs(value) <= 1024:
            return int(value)
        case tree.Negate(tree.Number(value, True)) if abs(value) <= 1024:
            return -int(value)
    return None
