"""Stable forms: what the rules are made of."""

from __future__ import annotations

from dataclasses import dataclass

from symopt.primitives.registry import PRIMITIVES
from symopt.source import Span
from symopt.typed.opening import Names, tried
from symopt.typed.program import Apply, IntegerPower, Number, Product, Scalar, Sum

ONE, MINUS_ONE, ZERO = Number(1.0), Number(-1.0), Number(0.0)
MINUS_INFINITY = Number(float("-inf"))


@dataclass(frozen=True, slots=True)
class Form:
    """A stable form, and the rule that led to it, in words."""

    scalar: Scalar
    before: str
    after: str


def applied(name: str, span: Span, *arguments: Scalar) -> Scalar:
    return Apply(PRIMITIVES[name], arguments, span)


def is_call(scalar: Scalar, name: str) -> bool:
    return isinstance(scalar, Apply) and scalar.function.name == name


@tried
def argument_of(names: Names, scalar: Scalar, name: str) -> Scalar | None:
    """z where this is f(z), perhaps through a name, for the function f of that name."""
    call = names.seen(scalar)
    if isinstance(call, Apply) and is_call(call, name):
        return call.arguments[0]
    return None


def negated(scalar: Scalar) -> Scalar:
    match scalar:
        case Number(value):
            return Number(-value)
        case Product((Number(-1.0), single)):
            return single
        case Product((Number(-1.0), *rest)):
            return Product(tuple(rest))
    return Product((MINUS_ONE, scalar))


def product(*factors: Scalar) -> Scalar:
    kept = tuple(factor for factor in factors if factor != ONE)
    return kept[0] if len(kept) == 1 else Product(kept)


def total(terms: tuple[Scalar, ...], span: Span | None) -> Scalar:
    return terms[0] if len(terms) == 1 else Sum(terms, span)


def half(z: Scalar) -> Scalar:
    """z/2, which is exact; the half of 2z is z itself."""
    match z:
        case Product((Number(2.0), single)):
            return single
    return Product((Number(0.5), z))


def twice(z: Scalar) -> Scalar:
    return Product((Number(2.0), z))


def square(z: Scalar) -> Scalar:
    return IntegerPower(z, 2)


@tried
def squared(names: Names, scalar: Scalar) -> Scalar | None:
    """z where this is z^2 or z*z, perhaps through a name."""
    match names.seen(scalar):
        case IntegerPower(base, 2):
            return base
        case Product((first, second)) if first == second:
            return first
    return None


@tried
def beside_one(names: Names, scalar: Scalar) -> Scalar | None:
    """u where this is 1 + u, a sum of two terms."""
    match names.seen(scalar):
        case Sum((Number(1.0), other)) | Sum((other, Number(1.0))):
            return other
    return None


def without_sign(scalar: Scalar) -> tuple[int, Scalar]:
    """A sign and what is left."""
    match scalar:
        case Product((Number(-1.0), *_)):
            return -1, negated(scalar)
    return 1, scalar


def with_sign(sign: int, scalar: Scalar) -> Scalar:
    return scalar if sign > 0 else negated(scalar)
