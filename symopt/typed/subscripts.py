"""Brackets: integer expressions, places proven to be in range, slices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors, index_errors
from symopt.typed.program import Count, Number, Read, Scalar
from symopt.typed.ranges import greatest, inside, least, nonnegative
from symopt.typed.scope import Environment
from symopt.typed.values import Place, Value, broken_value
from symopt.types import Clamp, Integer, atom, constant

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator

LARGEST = 2**40  # a product of two such sizes may overflow, one times a real array does not

# ── integers ─────────────────────────────────────────────────────────────────────────────────


def integer(
    elaborator: Elaborator, expression: tree.Expression, env: Environment, *, size: bool = False
) -> Integer | None:
    """An integer expression of dims, indices and integer data; None after a report.

    With `size` it is the size of an axis, and a mistake is described as one.
    """
    found = _integer(elaborator, expression, env, size)
    if found is not None and any(abs(factor) > LARGEST for _, factor in found.terms):
        elaborator.report.add(index_errors.huge_integer(expression.span))
        return None
    return found


def _integer(
    elaborator: Elaborator, expression: tree.Expression, env: Environment, size: bool
) -> Integer | None:
    match expression:
        case tree.Number(value, True):
            return constant(int(min(value, 2 * LARGEST)))
        case tree.Negate(operand):
            inner = integer(elaborator, operand, env, size=size)
            return None if inner is None else -inner
        case tree.Chain(_, rest) if not {"/", "@"} & {operator for operator, _ in rest}:
            return _chain(elaborator, expression, env, size)
        case tree.Power(base, tree.Number(exponent, True)):
            inner = integer(elaborator, base, env, size=size)
            return None if inner is None else _power(inner, exponent)
    value = elaborator.value(expression, env)
    if value.broken:
        return None
    if not value.shape:
        match value.scalar:
            case Count(whole):
                return whole
            # A function that uses an argument as an index may be given a number: `row(2)`.
            case Number(number) if isinstance(expression, tree.Name) and number.is_integer():
                return constant(int(number))
    text = expression.span.text
    what = f"`{text}`, a real number" if len(text) <= 30 else "a real number"
    if value.shape:
        what = f"an array of shape {errors.shape_text(value.shape)}"
    report = index_errors.real_size if size else index_errors.real_index
    elaborator.report.add(report(expression.span, what))
    return None


def _power(base: Integer, exponent: float) -> Integer:
    """base ^ exponent; an exponent beyond 64 makes no difference to what is too large."""
    power = constant(1)
    for _ in range(int(exponent) if exponent <= 64 else 64 + int(exponent) % 2):
        power = power * base
    return power


def _chain(
    elaborator: Elaborator, chain: tree.Chain, env: Environment, size: bool
) -> Integer | None:
    result = integer(elaborator, chain.first, env, size=size)
    for operator, operand in chain.rest:
        right = integer(elaborator, operand, env, size=size)
        if result is None or right is None:
            return None
        if operator in ("//", "%") and right.value == 0:
            elaborator.report.add(index_errors.division_by_zero(operand.span))
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


# ── places ───────────────────────────────────────────────────────────────────────────────────


def placed(
    elaborator: Elaborator, place: Integer, axis: tuple[Integer, Integer], span: Span, name: str
) -> Integer:
    """An index as it is used: proven inside, clamped under a guard, or left to be checked."""
    lower, upper = axis
    ranges, sizes = elaborator.ranges, elaborator.index_sizes
    if inside(place, lower, upper, ranges, sizes):
        return place
    if elaborator.is_guarded(place):
        return atom(Clamp(place - lower, upper - lower)) + lower
    least_place, greatest_place = least(place, ranges, sizes), greatest(place, ranges, sizes)
    low, high = least_place - lower, greatest_place - upper
    if (low.value or 0) < 0 and not place.tensors:
        if place.value is not None and place.value < 0:
            elaborator.report.add(index_errors.negative_index(span, upper))
        else:
            elaborator.report.add(
                index_errors.out_of_range(place, span.text, axis, least_place, span, name)
            )
    elif nonnegative(high) and not place.tensors:
        elaborator.report.add(
            index_errors.out_of_range(place, span.text, axis, greatest_place, span, name)
        )
    return place


def _edges(
    elaborator: Elaborator,
    part: tree.Slice,
    axis: tuple[Integer, Integer],
    name: str,
    env: Environment,
) -> tuple[Integer, Integer] | None:
    """Where a slice starts and stops; None after a report."""
    lower, upper = axis
    start = integer(elaborator, part.start, env) if part.start else lower
    stop = integer(elaborator, part.stop, env) if part.stop else upper
    if start is None or stop is None:
        return None
    for edge, node in ((start, part.start), (stop, part.stop)):
        if edge.value is not None and edge.value < 0 and node is not None:
            elaborator.report.add(index_errors.negative_index(node.span, upper))
            return None
    beyond = stop - upper
    if beyond.value is not None and beyond.value > 0:
        elaborator.report.add(index_errors.slice_too_long(part.span, stop, upper, name))
        return None
    return start, stop


# ── subscripts ───────────────────────────────────────────────────────────────────────────────


def subscript(elaborator: Elaborator, expression: tree.Subscript, env: Environment) -> Value:
    """`base[...]`: one element, or an array of the axes that are sliced or left off."""
    ahead = _being_defined(elaborator, expression, env)
    if ahead is not None:
        return ahead
    base = elaborator.value(expression.base, env)
    if base.broken:
        for part in expression.subscripts:
            if not isinstance(part, tree.Slice):
                integer(elaborator, part, env)
        return broken_value(expression.span)
    span = expression.span
    name = expression.base.span.text
    if len(expression.subscripts) > len(base.shape):
        found = len(expression.subscripts)
        return elaborator.fail(errors.too_many_subscripts(name, base.shape, found, span), span)
    origins = origins_behind(elaborator, expression.base, env)
    fixed: list[Integer | None] = []  # None keeps the axis
    kept: list[tuple[Integer, Integer]] = []  # per kept axis where it starts and its old size
    shape: list[Integer] = []
    failed = False
    for number, part in enumerate(expression.subscripts):
        origin = origins[number] if origins else constant(0)
        extent = base.shape[number]
        axis = origin, origin + extent
        if isinstance(part, tree.Slice):
            edges = _edges(elaborator, part, axis, name, env)
            start, stop = edges or axis
            failed = failed or edges is None
            fixed.append(None)
            kept.append((start - origin, extent))
            length = stop - start
            shape.append(constant(0) if (length.value or 0) < 0 else length)
            continue
        place = integer(elaborator, part, env)
        if place is None:
            failed = True
        else:
            fixed.append(placed(elaborator, place, axis, part.span, name) - origin)
    if failed:
        return broken_value(span)
    rest = base.shape[len(fixed) :]
    fixed += [None] * len(rest)
    kept += [(constant(0), size) for size in rest]
    starts = tuple((s, size if elaborator.is_guarded(s) else None) for s, size in kept)
    return Value((*shape, *rest), _element(base, tuple(fixed), starts, span), span, base.simple)


def _being_defined(
    elaborator: Elaborator, expression: tree.Subscript, env: Environment
) -> Value | None:
    """What is known, while shapes are looked for, of an array that reads itself: its last axes."""
    base, parts = expression.base, expression.subscripts
    if not isinstance(base, tree.Name) or base.name in env.arguments:
        return None
    scope = elaborator.scope
    lengths = None if base.name in scope.variables else scope.lengths.get(base.name)
    if lengths is None or any(isinstance(part, tree.Slice) for part in parts):
        return None
    rest = tuple(length for length in lengths[len(parts) :] if length is not None)
    if len(parts) + len(rest) != len(lengths):
        return None
    return Value(rest, lambda _: Number(math.nan), expression.span)


def _element(
    base: Value,
    fixed: tuple[Integer | None, ...],
    starts: tuple[tuple[Integer, Integer | None], ...],
    span: Span,
) -> Callable[[Place], Scalar]:
    """The element of a subscripted array at a point of the axes that are kept.

    A kept axis has a start and, under a condition that looks at it, a size it is clamped to.
    """

    def moved(position: Integer, start: tuple[Integer, Integer | None]) -> Integer:
        offset, size = start
        place = offset + position
        return place if size is None else atom(Clamp(place, size))

    def at(place: Place) -> Scalar:
        kept = iter(zip(place, starts, strict=True))
        scalar = base.at(tuple(moved(*next(kept)) if part is None else part for part in fixed))
        if isinstance(scalar, Read):
            return Read(scalar.tensor, scalar.indices, span)
        return scalar

    return at


def origins_behind(
    elaborator: Elaborator, base: tree.Expression, env: Environment
) -> tuple[Integer, ...]:
    """The least indices of the tensor that a name stands for; () where they are all 0."""
    if not isinstance(base, tree.Name):
        return ()
    if base.name in env.arguments:
        return env.origins.get(base.name, ())
    variable = elaborator.scope.variables.get(base.name)
    return variable.origin if variable else ()
