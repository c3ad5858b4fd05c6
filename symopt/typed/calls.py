"""Calls: elementwise functions, random starts, the file's own functions, and the rest by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symopt.diagnostics import Diagnostic, Label
from symopt.primitives import operators
from symopt.primitives.registry import PRIMITIVES
from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.program import Apply, Count, Number, Product, RandomDraw, Read, Scalar, Sum
from symopt.typed.reductions import REDUCTIONS, reduction
from symopt.typed.scope import Environment
from symopt.typed.sharing import shared
from symopt.typed.subscripts import integer
from symopt.typed.values import Value, broken_value, scalar_value
from symopt.typed.vectors import VECTOR_FUNCTIONS
from symopt.typed.walk import uses
from symopt.types import Integer, dim

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator

ELEMENTWISE = {name: record for name, record in PRIMITIVES.items() if record.public}
LATER = {
    "solve": "matrix functions",
    "inv": "matrix functions",
    "det": "matrix functions",
    "logdet": "matrix functions",
    "cholesky": "matrix functions",
    "rotate": "rotations",
}


def call(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    """The value of a call."""
    name, span = expression.function, expression.span
    if name in elaborator.scope.functions:
        return _user_function(elaborator, expression, env)
    if name in REDUCTIONS and not _is_elementwise_extremum(expression):
        return reduction(elaborator, expression, env)
    if name in ("max", "min"):
        return _extremum(elaborator, expression, env)
    if name in VECTOR_FUNCTIONS:
        return _vector_function(elaborator, expression, env)
    if name in ("normal", "uniform") and elaborator.random_shape is not None:
        return _random(elaborator, expression, env)
    if name in ELEMENTWISE:
        return _elementwise(elaborator, expression, env)
    if name in LATER:
        return elaborator.fail(
            errors.not_supported(f"{LATER[name]} such as `{name}`", expression.function_span), span
        )
    if name in elaborator.scope.broken or elaborator.scope.imports:
        return broken_value(span)
    if name in ("normal", "uniform"):
        return elaborator.fail(errors.random_elsewhere(name, expression.function_span), span)
    known = {*FUNCTION_NAMES, *elaborator.scope.functions}
    is_value = name in env.arguments or elaborator.scope.span_of(name) is not None
    diagnostic = errors.unknown_function(name, expression.function_span, known, is_value)
    return elaborator.fail(diagnostic, span)


def _arguments(
    elaborator: Elaborator, expression: tree.Call, env: Environment, least: int, most: int
) -> tuple[Value, ...] | None:
    """The arguments of a call that takes no keywords and no `for`; None after a report."""
    for keyword in expression.keywords:
        elaborator.report.add(
            errors.unknown_keyword(expression.function, keyword.name, keyword.span, ())
        )
        return None
    found = len(expression.arguments)
    if not least <= found <= most:
        expected = f"{least}" if least == most else f"{least} to {most}"
        noun = "argument" if (least, most) == (1, 1) else "arguments"
        elaborator.report.add(
            errors.wrong_arguments(
                expression.function, f"{expected} {noun}", found, expression.span
            )
        )
        return None
    values: list[Value] = []
    for argument in expression.arguments:
        if isinstance(argument, tree.Generator):
            elaborator.report.add(
                errors.wrong_arguments(
                    expression.function, "numbers or arrays", "a `for`", argument.span
                )
            )
            return None
        values.append(elaborator.value(argument, env))
    return None if any(value.broken for value in values) else tuple(values)


# ── elementwise ──────────────────────────────────────────────────────────────────────────────


def _elementwise(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    record, span = ELEMENTWISE[expression.function], expression.span
    least = record.arity - len(record.defaults)
    values = _arguments(elaborator, expression, env, least, record.arity)
    if values is None:
        return broken_value(span)
    missing = record.defaults[len(record.defaults) - (record.arity - len(values)) :]
    filled = values + tuple(scalar_value(Number(number), span) for number in missing)
    return elaborator.elementwise(
        filled, lambda scalars: Apply(record, scalars, span), span, f"apply `{record.name}` to"
    )


def _is_elementwise_extremum(expression: tree.Call) -> bool:
    return expression.function in ("max", "min") and len(expression.arguments) > 1


def _extremum(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    record = operators.maximum if expression.function == "max" else operators.minimum
    values = _arguments(elaborator, expression, env, 2, 64)
    if values is None:
        return broken_value(expression.span)

    def fold(scalars: tuple[Scalar, ...]) -> Scalar:
        result, *others = scalars
        for other in others:
            result = Apply(record, (result, other), expression.span)
        return result

    return elaborator.elementwise(values, fold, expression.span, "compare")


# ── functions of vectors ─────────────────────────────────────────────────────────────────────


def _vector_function(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    count, build = VECTOR_FUNCTIONS[expression.function]
    values = _arguments(elaborator, expression, env, count, count)
    if values is None:
        return broken_value(expression.span)
    if not values[0].shape:
        diagnostic = errors.needs_array(expression.function, values[0].span, "takes")
        return elaborator.fail(diagnostic, expression.span)
    return build(elaborator, *values, expression.span)


# ── random start values ──────────────────────────────────────────────────────────────────────


def _random(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    """`normal(mean, sd)` or `uniform(low, high)`: standard draws, moved and scaled."""
    values = _arguments(elaborator, expression, env, 2, 2)
    shape = elaborator.random_shape
    assert shape is not None
    if values is None:
        return broken_value(expression.span)
    name = elaborator.fresh(f"~{expression.function}")
    elaborator.auxiliary_shapes[name] = shape
    kind = "normal" if expression.function == "normal" else "uniform"
    elaborator.draws.append(RandomDraw(name, shape, kind))
    draw = Value(shape, lambda place: Read(name, place, expression.span), expression.span)
    first, second = values

    def combine(scalars: tuple[Scalar, ...]) -> Scalar:
        a, b, x = scalars
        scale = b if kind == "normal" else Sum((b, Product((Number(-1.0), a))))
        return Sum((a, Product((scale, x))))

    return elaborator.elementwise((first, second, draw), combine, expression.span, "draw")


# ── the file's own functions ─────────────────────────────────────────────────────────────────


def _user_function(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    name, span = expression.function, expression.span
    function = elaborator.scope.functions[name]
    if name in elaborator.active:
        return elaborator.fail(errors.recursive_function(name, span), span)
    count = len(function.arguments)
    values = _arguments(elaborator, expression, env, count, count)
    if values is None:
        return broken_value(span)
    bound = _bound_arguments(elaborator, function, values)
    if bound is None:
        return broken_value(span)
    elaborator.active.append(name)
    known = elaborator.report.diagnostics
    elaborator.report.diagnostics = []
    try:
        return elaborator.value(function.value, Environment({}, bound))
    finally:
        elaborator.active.pop()
        found, elaborator.report.diagnostics = elaborator.report.diagnostics, known
        _report_from_call(elaborator, found, span)


def _report_from_call(elaborator: Elaborator, found: list[Diagnostic], span: Span) -> None:
    """Mistakes inside a function, each once, with the first call that shows it."""
    places = {(d.code, d.labels[0].span) for d in elaborator.report.diagnostics if d.labels}
    for diagnostic in found:
        if (diagnostic.code, diagnostic.labels[0].span) not in places:
            called = Label(span, "in this call")
            elaborator.report.add(replace(diagnostic, labels=(*diagnostic.labels, called)))


def _bound_arguments(
    elaborator: Elaborator, function: tree.FunctionDefinition, values: tuple[Value, ...]
) -> dict[str, Value] | None:
    """The arguments by name, and the sizes that their shapes name; None after a report."""
    sizes: dict[str, Integer] = {}
    bound: dict[str, Value] = {}
    for argument, value in zip(function.arguments, values, strict=True):
        if argument.shape is not None and not _fits(elaborator, argument, value, sizes):
            return None
        again = uses(function.value, argument.name) > 1
        stem = f"{function.name}.{argument.name}"
        bound[argument.name] = shared(elaborator, value, stem) if again else value
    own = {
        name: scalar_value(Count(size), function.name_span, simple=True)
        for name, size in sizes.items()
    }
    return {**own, **bound}


def _fits(
    elaborator: Elaborator, argument: tree.Argument, value: Value, sizes: dict[str, Integer]
) -> bool:
    """Whether a value has the shape declared; `sizes` learns those that are the function's own."""
    declared = argument.shape or ()
    expected: list[Integer] = []
    for number, size in enumerate(declared):
        if isinstance(size, tree.Name) and size.name not in elaborator.scope.dims:
            if size.name not in sizes and number < len(value.shape):
                sizes[size.name] = value.shape[number]
            expected.append(sizes.get(size.name, dim(size.name)))
            continue
        wanted = integer(elaborator, size, Environment(), size=True)
        if wanted is None:
            return False
        expected.append(wanted)
    if tuple(expected) == value.shape:
        return True
    elaborator.report.add(
        errors.wrong_argument_shape(
            argument.name, tuple(expected), value.shape, value.span, argument.span
        )
    )
    return False


FUNCTION_NAMES = frozenset(
    {*ELEMENTWISE, *REDUCTIONS, *VECTOR_FUNCTIONS, *LATER, "normal", "uniform"}
)
