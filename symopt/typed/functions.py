"""Calls: elementwise functions, reductions, vector functions, and the file's own functions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symopt.primitives import operators
from symopt.primitives.registry import PRIMITIVES
from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.infer import children
from symopt.typed.products import matrix_product
from symopt.typed.program import (
    Apply,
    Count,
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
from symopt.typed.scope import Environment
from symopt.typed.values import (
    Place,
    Value,
    broken_value,
    mapped,
    scalar_value,
)
from symopt.types import Integer, Range, constant, index

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


@dataclass(frozen=True, slots=True)
class Points:
    """What a reduction runs over: loops, the condition that keeps a point, and the body there."""

    loops: tuple[Range, ...]
    condition: Scalar | None
    body: Scalar
    span: Span


def call(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    """The value of a call."""
    name, span = expression.function, expression.span
    if name in elaborator.scope.functions:
        return _user_function(elaborator, expression, env)
    if name in REDUCTIONS and not _is_elementwise_extremum(expression):
        return _reduction(elaborator, expression, env)
    if name in ("max", "min"):
        return _extremum(elaborator, expression, env)
    if name in _VECTOR:
        return _vector_function(elaborator, expression, env)
    if name in ("normal", "uniform") and elaborator.random_shape is not None:
        return _random(elaborator, expression, env)
    if name in ELEMENTWISE:
        return _elementwise(elaborator, expression, env)
    if name in LATER:
        return elaborator.fail(
            errors.not_supported(f"{LATER[name]} such as `{name}`", expression.function_span), span
        )
    if name in elaborator.scope.broken:
        return broken_value(span)
    known = {*FUNCTION_NAMES, *elaborator.scope.functions}
    is_value = name in elaborator.scope.variables
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
                    expression.function, "arrays or numbers", "a `for`", argument.span
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


# ── reductions ───────────────────────────────────────────────────────────────────────────────


def _reduction(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    name, span = expression.function, expression.span
    for keyword in expression.keywords:
        if keyword.name != "axis":
            return elaborator.fail(
                errors.unknown_keyword(name, keyword.name, keyword.span, ("axis",)), span
            )
    build = REDUCTIONS[name]
    arguments = expression.arguments
    if arguments and isinstance(arguments[0], tree.Generator):
        if len(arguments) > 1 or expression.keywords:
            expected = "either one `for` or arrays with `axis=`"
            return elaborator.fail(errors.wrong_arguments(name, expected, len(arguments), span), span)
        points = _generator_points(elaborator, arguments[0], env)
        return broken_value(span) if points is None else scalar_value(build(points), span)
    if name == "dot":
        return _dot(elaborator, expression, env)
    if len(arguments) != 1:
        return elaborator.fail(
            errors.wrong_arguments(name, "one array", len(arguments), span), span
        )
    assert not isinstance(arguments[0], tree.Generator)
    value = elaborator.value(arguments[0], env)
    if value.broken:
        return value
    if not value.shape:
        return elaborator.fail(errors.needs_array(name, value.span), span)
    axis = _axis(elaborator, expression, value, env) if expression.keywords else None
    if expression.keywords and axis is None:
        return broken_value(span)
    return _over_axes(elaborator, value, axis, build, span)


def _over_axes(
    elaborator: Elaborator,
    value: Value,
    axis: int | None,
    build: Callable[[Points], Scalar],
    span: Span,
) -> Value:
    axes = range(len(value.shape)) if axis is None else (axis,)
    kept = tuple(size for number, size in enumerate(value.shape) if number not in axes)

    def at(place: Place) -> Scalar:
        loops = {number: elaborator.new_index("k", constant(0), value.shape[number]) for number in axes}
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
    axis = elaborator.integer(keyword.value, env)
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
    bound = elaborator.bound_clauses(generator.clauses, where, env)
    if bound is None:
        return None
    loops, inner = bound
    condition: Scalar | None = None
    with ExitStack() as guards:
        for part in generator.filters:
            found = elaborator.scalar(part, inner, "a filter")
            condition = (
                found
                if condition is None
                else Apply(operators.both, (condition, found), part.span)
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
    fixed = not any(
        edge.indices & {loop.index for loop in points.loops}
        for loop in points.loops
        for edge in (loop.lower, loop.upper)
    )
    if points.condition is None and fixed:
        total: Integer = constant(1)
        for loop in points.loops:
            total = total * (loop.upper - loop.lower)
        return Count(total)
    return Reduce("sum", points.loops, _kept(points, Number(1.0), 0.0), points.span)


def _mean(points: Points) -> Scalar:
    return Apply(operators.divide, (_sum(points), _count(points)), points.span)


def _squares(points: Points) -> Scalar:
    return _sum(Points(points.loops, points.condition, IntegerPower(points.body, 2), points.span))


def _norm(points: Points) -> Scalar:
    return Apply(operators.root, (_squares(points),), points.span)


REDUCTIONS: dict[str, Callable[[Points], Scalar]] = {
    "sum": _sum,
    "mean": _mean,
    "prod": _plain("prod", 1.0),
    "max": _plain("max", float("-inf")),
    "min": _plain("min", float("inf")),
    "logsumexp": _plain("logsumexp", float("-inf")),
    "norm": _norm,
    "sumsq": _squares,
    "dot": _sum,
}


def _dot(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    """`dot(a, b)` is `a @ b`; with `axis=` the sum of the products along that axis."""
    if len(expression.arguments) != 2:
        found = len(expression.arguments)
        return elaborator.fail(
            errors.wrong_arguments("dot", "two arrays", found, expression.span), expression.span
        )
    first, second = expression.arguments
    assert not isinstance(first, tree.Generator) and not isinstance(second, tree.Generator)
    left, right = elaborator.value(first, env), elaborator.value(second, env)
    if not expression.keywords:
        return matrix_product(elaborator, left, right, expression.span)
    product = elaborator.elementwise((left, right), Product, expression.span, "multiply")
    if product.broken:
        return product
    axis = _axis(elaborator, expression, product, env)
    if axis is None:
        return broken_value(expression.span)
    return _over_axes(elaborator, product, axis, _sum, expression.span)


# ── functions of vectors: the last axis ──────────────────────────────────────────────────────


def _log_normalizer(elaborator: Elaborator, logits: Value) -> Value:
    """log(sum(exp(row))) for every row, under a name of its own."""
    return elaborator.shared(
        _over_axes(elaborator, logits, len(logits.shape) - 1, REDUCTIONS["logsumexp"], logits.span),
        "logsumexp",
    )


def _log_softmax(elaborator: Elaborator, logits: Value, span: Span) -> Value:
    logits = elaborator.shared(logits, "logits")
    normalizer = _log_normalizer(elaborator, logits)
    return Value(
        logits.shape,
        lambda place: Sum((logits.at(place), Product((Number(-1.0), normalizer.at(place[:-1]))))),
        span,
    )


def _softmax(elaborator: Elaborator, logits: Value, span: Span) -> Value:
    logs = _log_softmax(elaborator, logits, span)
    return mapped(logs.shape, (logs,), lambda s: Apply(PRIMITIVES["exp"], s, span), span)


def _cross_entropy(elaborator: Elaborator, logits: Value, label: Value, span: Span) -> Value:
    """−log softmax(logits)[label] per row; a row of probabilities may stand for a label."""
    logs = _log_softmax(elaborator, logits, span)
    if label.shape == logits.shape:
        return _rows(elaborator, logs, label, span, lambda log, p: Product((Number(-1.0), p, log)))
    if label.shape != logits.shape[:-1]:
        diagnostic = errors.wrong_shape("labels", logits.shape[:-1], label.shape, label.span)
        return elaborator.fail(diagnostic, span)
    probe = label.at(tuple(constant(0) for _ in label.shape))
    if not isinstance(probe, Count):
        return elaborator.fail(errors.real_index(label.span, "real labels"), span)

    def at(place: Place) -> Scalar:
        entry = label.at(place)
        assert isinstance(entry, Count)
        row = elaborator.placed(entry.value, constant(0), logits.shape[-1], label.span, "logits")
        return Product((Number(-1.0), logs.at((*place, row))))

    return Value(logits.shape[:-1], at, span)


def _kl(elaborator: Elaborator, p: Value, q: Value, span: Span) -> Value:
    """Σ p log(p/q) over the last axis; an element with p = 0 counts 0."""
    if p.shape != q.shape:
        return elaborator.fail(
            errors.cannot_combine("compare", p.shape, q.shape, p.span, q.span, span), span
        )
    log = PRIMITIVES["log"]

    def term(a: Scalar, b: Scalar) -> Scalar:
        ratio = Sum((Apply(log, (a,), span), Product((Number(-1.0), Apply(log, (b,), span)))))
        return Apply(operators.smul, (a, ratio), span)

    return _rows(elaborator, elaborator.shared(p, "p"), elaborator.shared(q, "q"), span, term)


def _rows(
    elaborator: Elaborator,
    a: Value,
    b: Value,
    span: Span,
    term: Callable[[Scalar, Scalar], Scalar],
) -> Value:
    """The sum over the last axis of a function of two arrays of one shape."""
    product = Value(a.shape, lambda place: term(a.at(place), b.at(place)), span)
    return _over_axes(elaborator, product, len(a.shape) - 1, _sum, span)


_VECTOR: dict[str, tuple[int, Callable[..., Value]]] = {
    "softmax": (1, _softmax),
    "log_softmax": (1, _log_softmax),
    "cross_entropy": (2, _cross_entropy),
    "kl": (2, _kl),
}


def _vector_function(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    count, build = _VECTOR[expression.function]
    values = _arguments(elaborator, expression, env, count, count)
    if values is None:
        return broken_value(expression.span)
    if not values[0].shape:
        return elaborator.fail(
            errors.needs_array(expression.function, values[0].span), expression.span
        )
    return build(elaborator, *values, expression.span)


# ── random start values ──────────────────────────────────────────────────────────────────────


def _random(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    """`normal(mean, sd)` or `uniform(low, high)`: standard draws, moved and scaled."""
    values = _arguments(elaborator, expression, env, 2, 2)
    shape = elaborator.random_shape
    assert shape is not None
    if values is None:
        return broken_value(expression.span)
    name = elaborator.fresh(expression.function)
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
    bound: dict[str, Value] = {}
    for argument, value in zip(function.arguments, values, strict=True):
        if not _fits(elaborator, argument, value):
            return broken_value(span)
        again = _uses(function.value, argument.name) > 1
        bound[argument.name] = elaborator.shared(value, f"{name}.{argument.name}") if again else value
    elaborator.active.append(name)
    try:
        return elaborator.value(function.value, Environment({}, bound))
    finally:
        elaborator.active.pop()


def _fits(elaborator: Elaborator, argument: tree.Argument, value: Value) -> bool:
    if argument.shape is None:
        return True
    expected: list[Integer] = []
    for size, found in zip(argument.shape, value.shape, strict=False):
        # A size that is not a name of the file is the function's own, and fits anything.
        own = isinstance(size, tree.Name) and size.name not in elaborator.scope.dims
        wanted = found if own else elaborator.integer(size, Environment())
        if wanted is None:
            return False
        expected.append(wanted)
    if len(argument.shape) != len(value.shape) or tuple(expected) != value.shape:
        wanted_shape = tuple(expected) if len(argument.shape) == len(value.shape) else ()
        elaborator.report.add(
            errors.wrong_shape(f"argument `{argument.name}`", wanted_shape, value.shape, value.span)
        )
        return False
    return True


def _uses(node: tree.Expression | tree.Generator | tree.Slice, name: str) -> int:
    """How often a name is used; inside a `for` counts as many times."""
    if isinstance(node, tree.Name):
        return int(node.name == name)
    total = sum(_uses(child, name) for child in children(node))
    return 2 * total if isinstance(node, tree.Generator) else total


FUNCTION_NAMES = frozenset({*ELEMENTWISE, *REDUCTIONS, *_VECTOR, *LATER, "normal", "uniform"})

