"""Reductions: over the points of `for` indices, or over one or all axes of an array."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symopt.diagnostics import Diagnostic
from symopt.primitives import operators
from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.infer import bound_clauses
from symopt.typed.products import matrix_product
from symopt.typed.program import (
    Apply,
    Count,
    IntegerPower,
    Number,
    Product,
    Reduce,
    ReductionName,
    Scalar,
)
from symopt.typed.ranges import nonnegative
from symopt.typed.scope import Environment
from symopt.typed.subscripts import integer
from symopt.typed.values import Place, Value, broken_value, scalar_value
from symopt.types import Integer, Range, constant, index

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


@dataclass(frozen=True, slots=True)
class Points:
    """What a reduction runs over: loops, the condition that keeps a point, and the body there."""

    loops: tuple[Range, ...]
    condition: Scalar | None
    body: Scalar
    span: Span


def reduction(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    """A call such as `sum(A, axis=0)` or `sum(x[i] for i)`."""
    name, span = expression.function, expression.span
    mistake = misused_reduction(expression)
    if mistake is not None:
        return elaborator.fail(mistake, span)
    build = REDUCTIONS[name]
    first = expression.arguments[0]
    if isinstance(first, tree.Generator):
        points = _generator_points(elaborator, first, env)
        return broken_value(span) if points is None else scalar_value(build(points), span)
    if name == "dot":
        return _dot(elaborator, expression, env)
    value = elaborator.value(first, env)
    if value.broken:
        return value
    if not value.shape:
        return elaborator.fail(errors.needs_array(name, value.span), span)
    axis = _axis(elaborator, expression, value, env) if expression.keywords else None
    if expression.keywords and axis is None:
        return broken_value(span)
    return over_axes(elaborator, value, axis, build, span)


def misused_reduction(call: tree.Call) -> Diagnostic | None:
    """What is wrong with the arguments of a reduction, whatever their values are."""
    name, arguments, span = call.function, call.arguments, call.span
    for keyword in call.keywords:
        if keyword.name != "axis":
            return errors.unknown_keyword(name, keyword.name, keyword.span, ("axis",))
    if any(isinstance(argument, tree.Generator) for argument in arguments):
        if len(arguments) == 1 and not call.keywords:
            return None
        expected = "either one `for` or arrays with `axis=`"
        return errors.wrong_arguments(name, expected, len(arguments), span)
    count, expected = (2, "two arrays") if name == "dot" else (1, "one array")
    if len(arguments) != count:
        return errors.wrong_arguments(name, expected, len(arguments), span)
    return None


def over_axes(
    elaborator: Elaborator,
    value: Value,
    axis: int | None,
    build: Callable[[Points], Scalar],
    span: Span,
) -> Value:
    """An array reduced along one axis, or along all of them."""
    axes = range(len(value.shape)) if axis is None else (axis,)
    kept = tuple(size for number, size in enumerate(value.shape) if number not in axes)

    def at(place: Place) -> Scalar:
        loops = {
            number: elaborator.new_index("k", constant(0), value.shape[number]) for number in axes
        }
        rest = iter(place)
        point = tuple(
            index(loops[number].index) if number in loops else next(rest)
            for number in range(len(value.shape))
        )
        return build(Points(tuple(loops.values()), None, value.at(point), span))

    return Value(kept, at, span)


def _axis(
    elaborator: Elaborator, expression: tree.Call, value: Value, env: Environment
) -> int | None:
    keyword = expression.keywords[0]
    axis = integer(elaborator, keyword.value, env)
    if axis is None:
        return None
    rank = len(value.shape)
    number = axis.value
    if number is None or not -rank <= number < rank:
        elaborator.report.add(errors.bad_axis(str(axis), value.shape, keyword.span))
        return None
    return number % rank


def _generator_points(
    elaborator: Elaborator, generator: tree.Generator, env: Environment
) -> Points | None:
    where = (generator.body, *generator.filters)
    bound = bound_clauses(elaborator, generator.clauses, where, env)
    if bound is None:
        return None
    loops, inner = bound
    condition: Scalar | None = None
    with ExitStack() as guards:
        for part in generator.filters:
            found = elaborator.scalar(part, inner, "a filter")
            condition = (
                found if condition is None else Apply(operators.both, (condition, found), part.span)
            )
            guards.enter_context(elaborator.guarded(found))
        body = elaborator.value(generator.body, inner)
    if body.broken:
        return None
    if body.shape:
        elaborator.report.add(errors.not_scalar("what is reduced", body.shape, body.span))
        return None
    return Points(loops, condition, body.scalar, generator.span)


def _kept(points: Points, body: Scalar, identity: float) -> Scalar:
    if points.condition is None:
        return body
    return Apply(operators.select, (points.condition, body, Number(identity)), points.span)


def _plain(reduction: ReductionName, identity: float) -> Callable[[Points], Scalar]:
    return lambda points: Reduce(
        reduction, points.loops, _kept(points, points.body, identity), points.span
    )


_sum = _plain("sum", 0.0)


def _count(points: Points) -> Scalar:
    """How many points there are; with a filter, how many it keeps."""
    own = {loop.index for loop in points.loops}
    fixed = not any(
        edge.indices & own for loop in points.loops for edge in (loop.lower, loop.upper)
    )
    if points.condition is not None or not fixed:
        return Reduce("sum", points.loops, _kept(points, Number(1.0), 0.0), points.span)
    sizes = tuple(_size(loop.upper - loop.lower, points.span) for loop in points.loops)
    return sizes[0] if len(sizes) == 1 else Product(sizes)


def _size(size: Integer, span: Span) -> Scalar:
    """The length of a range, which is empty where it ends before it starts."""
    if nonnegative(size):
        return Count(size)
    return Apply(operators.maximum, (Count(size), Number(0.0)), span)


def _mean(points: Points) -> Scalar:
    return Apply(operators.divide, (_sum(points), _count(points)), points.span)


def _squares(points: Points) -> Scalar:
    return _sum(Points(points.loops, points.condition, IntegerPower(points.body, 2), points.span))


def _norm(points: Points) -> Scalar:
    return Apply(operators.root, (_squares(points),), points.span)


@dataclass(frozen=True, slots=True)
class Reducer:
    """A reduction: what it is, and how it is built over its points."""

    summary: str
    derivative: str  # by one element x
    empty: str  # its value over nothing
    build: Callable[[Points], Scalar]

    def __call__(self, points: Points) -> Scalar:
        return self.build(points)


REDUCTIONS: dict[str, Reducer] = {
    "sum": Reducer("the sum", "1", "0", _sum),
    "mean": Reducer("the sum over the number of elements kept", "1 / count", "nan", _mean),
    "prod": Reducer(
        "the product", "the product of the others, at zeros too", "1", _plain("prod", 1.0)
    ),
    "max": Reducer(
        "the largest element", "1 for the first largest, else 0", "-inf", _plain("max", -math.inf)
    ),
    "min": Reducer(
        "the smallest element", "1 for the first smallest, else 0", "inf", _plain("min", math.inf)
    ),
    "logsumexp": Reducer(
        "log(sum(exp(x))), for numbers of any size",
        "exp(x - logsumexp)",
        "-inf",
        _plain("logsumexp", -math.inf),
    ),
    "norm": Reducer("sqrt(sum(x^2))", "x / norm, 0 where the norm is 0", "0", _norm),
    "sumsq": Reducer("sum(x^2)", "2 x", "0", _squares),
    "dot": Reducer(
        "`a @ b`; with `axis=`, the sum of products along it", "the other factor", "0", _sum
    ),
}


def _dot(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    """`dot(a, b)` is `a @ b`; with `axis=` the sum of the products along that axis."""
    first, second = expression.arguments
    assert not isinstance(first, tree.Generator) and not isinstance(second, tree.Generator)
    left, right = elaborator.value(first, env), elaborator.value(second, env)
    if left.broken or right.broken:
        return broken_value(expression.span)
    if not expression.keywords:
        return matrix_product(elaborator, left, right, expression.span)
    product = elaborator.elementwise((left, right), Product, expression.span, "multiply")
    if product.broken:
        return product
    axis = _axis(elaborator, expression, product, env)
    if axis is None:
        return broken_value(expression.span)
    return over_axes(elaborator, product, axis, _sum, expression.span)
