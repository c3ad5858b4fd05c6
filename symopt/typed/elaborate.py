"""Expressions: from what was written to scalars in index form.

One `Elaborator` serves one file. It finds the meaning of names, infers ranges, broadcasts, and
introduces auxiliary definitions where a value would otherwise be computed more than once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import assert_never

from symopt.diagnostics import Diagnostic, Report
from symopt.primitives import operators
from symopt.primitives.record import Elementwise
from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.infer import axes_used
from symopt.typed.program import (
    Apply,
    Count,
    Definition,
    IntegerPower,
    Number,
    Product,
    RandomDraw,
    Read,
    Reduce,
    ReductionName,
    Scalar,
    Sum,
)
from symopt.typed.reads import free_indices
from symopt.typed.ranges import greatest, inside, least, nonnegative
from symopt.typed.scope import Axis, Environment, Scope, Variable
from symopt.typed.values import (
    Shape,
    Value,
    broadcast_shapes,
    broken_value,
    mapped,
    scalar_value,
    transposed,
)
from symopt.types import Clamp, Entry, Integer, Range, atom, constant, depends_on, dim, index

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
        self.guards: list[frozenset[str]] = []  # indices that enclosing conditions look at
        self.active: list[str] = []  # functions being expanded
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
            self.new_index("ijklmn"[axis % 6], constant(0), size)
            for axis, size in enumerate(shape)
        )

    def fail(self, diagnostic: Diagnostic, span: Span) -> Value:
        self.report.add(diagnostic)
        return broken_value(span)

    @property
    def index_sizes(self) -> dict[str, Integer]:
        """For every index array, the size that its entries are below."""
        return {
            name: variable.index_of
            for name, variable in self.scope.variables.items()
            if variable.index_of is not None
        }

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Look at an expression without keeping its mistakes or auxiliary definitions."""
        kept = self.report, self.introduced, self.draws
        self.report, self.introduced, self.draws = Report(), [], []
        try:
            yield
        finally:
            self.report, self.introduced, self.draws = kept

    @contextmanager
    def guarded(self, condition: Scalar) -> Iterator[None]:
        """Within: reads whose index the condition looks at may be out of range, unused."""
        self.guards.append(frozenset(free_indices(condition)))
        try:
            yield
        finally:
            self.guards.pop()

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
                return mapped(value.shape, (value,), lambda s: _negated(s[0]), span)
            case tree.Compare() | tree.Logical() | tree.Not():
                return self._condition(expression, env)
            case tree.Conditional():
                return self._conditional(expression, env)
            case tree.Subscript():
                return self._subscript(expression, env)
            case tree.Transpose(operand, span):
                return transposed(self.value(operand, env), span)
            case tree.Call():
                from symopt.typed.functions import call

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
            return env.arguments[text]
        if text in self.scope.variables:
            return self._variable(self.scope.variables[text], span)
        if text in self.scope.broken:
            return broken_value(span)
        if text in self.scope.dims:
            return scalar_value(Count(dim(text)), span, simple=True)
        if text in self.scope.later:
            return self.fail(errors.used_before(text, span, self.scope.later[text]), span)
        if text in CONSTANTS:
            return scalar_value(Number(CONSTANTS[text]), span, simple=True)
        from symopt.typed.functions import FUNCTION_NAMES

        if text in self.scope.functions or text in FUNCTION_NAMES:
            return self.fail(errors.function_as_value(text, span), span)
        known = {*self.scope.names, *self.scope.later, *env.indices, *env.arguments}
        return self.fail(errors.unknown_name(text, span, known), span)

    def _variable(self, variable: Variable, span: Span) -> Value:
        shape = tuple(u - o for u, o in zip(variable.shape, variable.origin, strict=True))
        return Value(shape, lambda place: self.read(variable, place, span), span, simple=True)

    def read(self, variable: Variable, place: tuple[Integer, ...], span: Span) -> Scalar:
        """One element; integer data is a count."""
        if variable.index_of is not None:
            return Count(atom(Entry(variable.name, place)))
        return Read(variable.name, place, span)

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
                from symopt.typed.products import matrix_product

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
            signed = (s if sign == "+" else _negated(s) for sign, s in zip(signs, scalars, strict=True))
            return Sum(tuple(signed))

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
            shape = common
        return mapped(shape, values, combine, span)

    def _power(self, power: tree.Power, env: Environment) -> Value:
        base = self.value(power.base, env)
        exponent = _integer_literal(power.exponent)
        if exponent is not None and not base.broken:
            return mapped(base.shape, (base,), lambda s: _integer_power(s[0], exponent), power.span)
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
                return self.elementwise(
                    values, _applied(operators.negation, span), span, "negate"
                )
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
        probe = condition.at(tuple(loop_index(loop) for loop in self.loops_over(condition.shape)))
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
                result = Apply(
                    operators.select, (here, element.at(place[1:]), result), array.span
                )
            return result

        return Value((constant(len(elements)), *shapes.pop()), at, array.span)

    # ── subscripts ───────────────────────────────────────────────────────────────────────────

    def _subscript(self, expression: tree.Subscript, env: Environment) -> Value:
        base = self.value(expression.base, env)
        if base.broken:
            for subscript in expression.subscripts:
                if not isinstance(subscript, tree.Slice):
                    self.integer(subscript, env)
            return broken_value(expression.span)
        name = expression.base.name if isinstance(expression.base, tree.Name) else "the array"
        variable = self._variable_behind(expression.base, env)
        if len(expression.subscripts) > len(base.shape):
            found = len(expression.subscripts)
            return self.fail(
                errors.too_many_subscripts(name, base.shape, found, expression.span),
                expression.span,
            )
        fixed: list[Integer | None] = []  # None keeps the axis
        starts: list[Integer] = []
        shape: list[Integer] = []
        for axis, subscript in enumerate(expression.subscripts):
            origin = variable.origin[axis] if variable else constant(0)
            extent = base.shape[axis]
            if isinstance(subscript, tree.Slice):
                start, stop = self._slice(subscript, extent, origin, name, env)
                fixed.append(None)
                starts.append(start - origin)
                shape.append(stop - start)
                continue
            place = self.integer(subscript, env)
            if place is None:
                return broken_value(expression.span)
            fixed.append(self.placed(place, origin, origin + extent, subscript.span, name) - origin)
        rest = len(base.shape) - len(fixed)
        fixed += [None] * rest
        starts += [constant(0)] * rest
        shape += base.shape[len(base.shape) - rest :]

        def at(place: tuple[Integer, ...]) -> Scalar:
            kept = iter(zip(place, starts, strict=True))
            moved = (sum(next(kept), constant(0)) if f is None else f for f in fixed)
            scalar = base.at(tuple(moved))
            return Read(scalar.tensor, scalar.indices, expression.span) if isinstance(scalar, Read) else scalar

        return Value(tuple(shape), at, expression.span, base.simple)

    def _variable_behind(self, base: tree.Expression, env: Environment) -> Variable | None:
        if isinstance(base, tree.Name) and base.name not in env.arguments:
            return self.scope.variables.get(base.name)
        return None

    def _slice(
        self, part: tree.Slice, extent: Integer, origin: Integer, name: str, env: Environment
    ) -> tuple[Integer, Integer]:
        start = self.integer(part.start, env) if part.start else origin
        stop = self.integer(part.stop, env) if part.stop else origin + extent
        start, stop = start or origin, stop or origin + extent
        beyond = stop - (origin + extent)
        if beyond.value is not None and beyond.value > 0:
            self.report.add(
                errors.out_of_range(f"{start}:{stop}", extent, f"ends at {stop}", part.span, name)
            )
        return start, stop

    def placed(
        self, place: Integer, lower: Integer, upper: Integer, span: Span, name: str
    ) -> Integer:
        """An index as it is used: proven inside, clamped under a guard, or left to be checked."""
        sizes = self.index_sizes
        if inside(place, lower, upper, self.ranges, sizes):
            return place
        if any(place.indices & guard for guard in self.guards):
            return atom(Clamp(place - lower, upper - lower)) + lower
        low = least(place, self.ranges, sizes) - lower
        high = greatest(place, self.ranges, sizes) - upper
        if low.value is not None and low.value < 0 and not place.tensors:
            if place.value is not None:
                self.report.add(errors.negative_index(span))
            else:
                reach = f"reaches {low + lower}"
                self.report.add(errors.out_of_range(span.text, upper - lower, reach, span, name))
        elif high.value is not None and nonnegative(high) and not place.tensors:
            reach = f"reaches {high + upper}"
            self.report.add(errors.out_of_range(span.text, upper - lower, reach, span, name))
        return place

    def integer(self, expression: tree.Expression, env: Environment) -> Integer | None:
        """An integer expression of dims, indices and integer data; None after a report."""
        match expression:
            case tree.Number(value, True):
                return constant(int(value))
            case tree.Negate(operand):
                inner = self.integer(operand, env)
                return None if inner is None else -inner
            case tree.Chain(first, rest) if not {"/", "@"} & {operator for operator, _ in rest}:
                return self._integer_chain(first, rest, env)
        value = self.value(expression, env)
        if value.broken:
            return None
        if not value.shape:
            scalar = value.scalar
            if isinstance(scalar, Count):
                return scalar.value
        what = f"shape {errors.shape_text(value.shape)}" if value.shape else "a real number"
        self.report.add(errors.real_index(expression.span, what))
        return None

    def _integer_chain(
        self,
        first: tree.Expression,
        rest: Iterable[tuple[tree.Operator, tree.Expression]],
        env: Environment,
    ) -> Integer | None:
        result = self.integer(first, env)
        for operator, operand in rest:
            right = self.integer(operand, env)
            if result is None or right is None:
                return None
            match operator:
                case "+":
                    result = result + right
                case "-":
                    result = result - right
                case "*":
                    result = result * right
                case "//":
                    result = result // right
                case _:
                    result = result % right
        return result

    # ── loops ────────────────────────────────────────────────────────────────────────────────

    def clause_range(
        self, clause: tree.ForClause, where: tuple[tree.Expression, ...], env: Environment
    ) -> Axis | None:
        """The range of one `for` clause: as written, or read off the axes used in `where`."""
        if clause.stop is None:
            return self.inferred_range(clause.index, clause.span, where, env)
        lower = self.integer(clause.start, env) if clause.start else constant(0)
        upper = self.integer(clause.stop, env)
        if lower is None or upper is None:
            return None
        return Axis(lower, upper, clause.span)

    def inferred_range(
        self, name: str, span: Span, where: tuple[tree.Expression, ...], env: Environment
    ) -> Axis | None:
        """The range that the axes an index is used on agree on."""
        axes = [axis for part in where for axis in axes_used(self, name, part, env)]
        if not axes:
            self.report.add(errors.no_range(name, span))
            return None
        for other in axes[1:]:
            if not axes[0].same(other):
                places = axes[0].span, other.span
                self.report.add(errors.two_dims(name, axes[0].upper, other.upper, places))
                return None
        return axes[0]

    def bound_clauses(
        self,
        clauses: Iterable[tree.ForClause],
        where: tuple[tree.Expression, ...],
        env: Environment,
    ) -> tuple[tuple[Range, ...], Environment] | None:
        """Loops for the clauses, in order, and the environment inside them."""
        loops: list[Range] = []
        for clause in clauses:
            if clause.index in env.indices:
                self.report.add(errors.index_shadows(clause.index, clause.span))
                return None
            axis = self.clause_range(clause, where, env)
            if axis is None:
                return None
            loop = self.new_index(clause.index, axis.lower, axis.upper)
            loops.append(loop)
            env = env.with_index(clause.index, index(loop.index))
        return tuple(loops), env

    def reduce(
        self, reduction: ReductionName, loops: tuple[Range, ...], body: Scalar, span: Span
    ) -> Scalar:
        return Reduce(reduction, loops, body, span) if loops else body

    # ── sharing ──────────────────────────────────────────────────────────────────────────────

    def shared(self, value: Value, stem: str) -> Value:
        """The value under a name of its own, so that using it twice computes it once."""
        if value.simple or value.broken:
            return value
        own = self.loops_over(value.shape)
        places = tuple(index(loop.index) for loop in own)
        body = value.at(places)
        outer_names = depends_on(
            frozenset(free_indices(body)) - {loop.index for loop in own}, self.ranges
        )
        outer = tuple(loop for name, loop in self.ranges.items() if name in outer_names)
        name = self.fresh(f"~{stem}")  # no name in a file starts like this
        outer_places = tuple(index(loop.index) for loop in outer)
        sizes = self.index_sizes
        shape = tuple(greatest(place, self.ranges, sizes) + 1 for place in outer_places)
        self.introduced.append(
            Definition(
                name=name,
                axes=outer + own,
                target=outer_places + places,
                shape=shape + value.shape,
                origin=(constant(0),) * (len(outer) + len(own)),
                body=body,
                accumulate=False,
                auxiliary=True,
                mark=None,
                description=None,
                span=value.span,
            )
        )
        return Value(
            value.shape,
            lambda place: Read(name, outer_places + place, value.span),
            value.span,
            simple=True,
        )


def loop_index(loop: Range) -> Integer:
    return index(loop.index)


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


def _integer_power(base: Scalar, exponent: int) -> Scalar:
    return IntegerPower(base, exponent)


def _integer_literal(expression: tree.Expression) -> int | None:
    match expression:
        case tree.Number(value, True) if abs(value) <= 1024:
            return int(value)
        case tree.Negate(tree.Number(value, True)) if abs(value) <= 1024:
            return -int(value)
    return None
