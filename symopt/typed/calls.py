"""Calls: elementwise functions, random starts, the file's own functions, and the rest by name."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from symopt.diagnostics import Diagnostic
from symopt.primitives import operators
from symopt.primitives.registry import PRIMITIVES
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.functions import expanded
from symopt.typed.program import Apply, Number, Product, RandomDraw, Read, Scalar, Sum
from symopt.typed.reductions import REDUCTIONS, misused_reduction, reduction
from symopt.typed.scope import Environment
from symopt.typed.values import Value, broken_value, scalar_value
from symopt.typed.vectors import VECTOR_FUNCTIONS

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator

ELEMENTWISE = {name: record for name, record in PRIMITIVES.items() if record.public}


def call(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    """The value of a call."""
    name, span = expression.function, expression.span
    if name in elaborator.scope.functions:
        if name in elaborator.scope.broken:
            return broken_value(span)
        count = len(elaborator.scope.functions[name].arguments)
        if not _takes(elaborator, expression, count, count):
            return broken_value(span)
        return expanded(elaborator, expression, env)
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
    if name in elaborator.scope.broken or elaborator.scope.imports:
        return broken_value(span)
    if name in ("normal", "uniform"):
        return elaborator.fail(errors.random_elsewhere(name, expression.function_span), span)
    return elaborator.fail(_unknown(elaborator, expression, env.arguments), span)


def _unknown(elaborator: Elaborator, call: tree.Call, local: Container[str]) -> Diagnostic:
    """What to say of a call of nothing that is known by now."""
    name, place, scope = call.function, call.function_span, elaborator.scope
    if name in scope.functions_later and name not in local:
        return errors.used_before(name, place, scope.functions_later[name])
    is_value = name in local or scope.span_of(name) is not None
    return errors.unknown_function(name, place, {*FUNCTION_NAMES, *scope.functions}, is_value)


def mistake_in_call(
    elaborator: Elaborator, call: tree.Call, local: Container[str]
) -> Diagnostic | None:
    """What is wrong with a call in a function, whatever its arguments are."""
    name, scope = call.function, elaborator.scope
    if name in scope.functions:
        count = len(scope.functions[name].arguments)
        return misused(call, count, count)
    if name in REDUCTIONS and not _is_elementwise_extremum(call):
        return misused_reduction(call)
    if name in ("max", "min"):
        return misused(call, 2, 64)
    if name in VECTOR_FUNCTIONS:
        count = len(VECTOR_FUNCTIONS[name].arguments)
        return misused(call, count, count)
    if name in ELEMENTWISE:
        record = ELEMENTWISE[name]
        return misused(call, record.arity - len(record.defaults), record.arity)
    if name in FUNCTION_NAMES or name in scope.broken or scope.imports:
        return None
    return _unknown(elaborator, call, local)


def _takes(elaborator: Elaborator, expression: tree.Call, least: int, most: int) -> bool:
    """Whether a call has as many arguments as there may be, and no keywords, and no `for`."""
    mistake = misused(expression, least, most)
    if mistake is not None:
        elaborator.report.add(mistake)
    return mistake is None


def misused(expression: tree.Call, least: int, most: int) -> Diagnostic | None:
    """What is wrong with the arguments of a call, whatever their values are."""
    name = expression.function
    for keyword in expression.keywords:
        return errors.unknown_keyword(name, keyword.name, keyword.span, ())
    found = len(expression.arguments)
    if not least <= found <= most:
        expected = f"{least}" if least == most else f"{least} to {most}"
        noun = "argument" if (least, most) == (1, 1) else "arguments"
        return errors.wrong_arguments(name, f"{expected} {noun}", found, expression.span)
    for argument in expression.arguments:
        if isinstance(argument, tree.Generator):
            return errors.wrong_arguments(name, "numbers or arrays", "a `for`", argument.span)
    return None


def _arguments(
    elaborator: Elaborator, expression: tree.Call, env: Environment, least: int, most: int
) -> tuple[Value, ...] | None:
    """The arguments of a call that takes no keywords and no `for`; None after a report."""
    if not _takes(elaborator, expression, least, most):
        return None
    values = tuple(
        elaborator.value(argument, env)
        for argument in expression.arguments
        if not isinstance(argument, tree.Generator)
    )
    return None if any(value.broken for value in values) else values


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
    function = VECTOR_FUNCTIONS[expression.function]
    count = len(function.arguments)
    values = _arguments(elaborator, expression, env, count, count)
    if values is None:
        return broken_value(expression.span)
    if not values[0].shape and not function.of_matrices:
        diagnostic = errors.needs_array(expression.function, values[0].span, "takes")
        return elaborator.fail(diagnostic, expression.span)
    return function.build(elaborator, *values, expression.span)


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


FUNCTION_NAMES = frozenset({*ELEMENTWISE, *REDUCTIONS, *VECTOR_FUNCTIONS, "normal", "uniform"})
