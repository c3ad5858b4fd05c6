"""Stable differences: what cancels as written, by the identities of the functions in it.

Only the first two terms of a sum are looked at: these are added first, so that taking them together
cannot undo a cancellation with a third.
"""

from __future__ import annotations

from symopt.source import Span
from symopt.typed.forms import (
    MINUS_ONE,
    ONE,
    Form,
    applied,
    argument_of,
    half,
    negated,
    square,
    squared,
    twice,
    with_sign,
    without_sign,
)
from symopt.typed.opening import Names, tried
from symopt.typed.program import Number, Product, Scalar, Sum


def difference(names: Names, whole: Sum, span: Span) -> Form | None:
    """The stable form of a sum whose first two terms cancel."""
    first, second, *others = whole.terms
    for one, other in ((first, second), (second, first)):
        for rule in (_of_one, _of_softplus):
            form = rule(names, one, other, span)
            if form is not None:
                terms = (form.scalar, *others)
                scalar = Sum(terms, whole.span) if others else form.scalar
                return Form(scalar, form.before, form.after)
    return None


@tried
def _of_one(names: Names, one: Scalar, other: Scalar, span: Span) -> Form | None:
    """±1 ± f(z), as a sign times 1 ± f(z)."""
    if one not in (ONE, MINUS_ONE):
        return None
    sign = 1 if one == ONE else -1
    inner, call = without_sign(other)
    inner *= sign
    # A name may hide a sign of its own: d = -exp(z).
    hidden, call = without_sign(names.seen(call))
    inner *= hidden
    found = (_minus if inner < 0 else _plus)(names, call, span)
    if found is None:
        return None
    scalar, name, after = found
    if sign > 0:
        before = f"1 {'+' if inner > 0 else '-'} {name}"
        return Form(scalar, before, after)
    before = f"{name} - 1" if inner < 0 else f"-1 - {name}"
    return Form(negated(scalar), before, after[1:] if after[0] == "-" else f"-{after}")


def _minus(names: Names, call: Scalar, span: Span) -> tuple[Scalar, str, str] | None:
    """1 − f(z), with f(z) and the form in words."""
    base = squared(names, call)
    if base is not None:
        return _minus_square(names, base, span)
    for name in ("exp", "sigmoid", "tanh", "erf", "erfc", "cos", "cosh"):
        z = argument_of(names, call, name)
        if z is None:
            continue
        match name:
            case "exp":
                return negated(applied("expm1", span, z)), "exp(z)", "-expm1(z)"
            case "sigmoid":
                return applied("sigmoid", span, negated(z)), "sigmoid(z)", "sigmoid(-z)"
            case "tanh":
                form = twice(applied("sigmoid", span, negated(twice(z))))
                return form, "tanh(z)", "2*sigmoid(-2*z)"
            case "erf":
                return applied("erfc", span, z), "erf(z)", "erfc(z)"
            case "erfc":
                return applied("erf", span, z), "erfc(z)", "erf(z)"
            case "cos":
                form = twice(square(applied("sin", span, half(z))))
                return form, "cos(z)", "2*sin(z/2)^2"
            case _:
                form = Product((Number(-2.0), square(applied("sinh", span, half(z)))))
                return form, "cosh(z)", "-2*sinh(z/2)^2"
    return None


def _minus_square(names: Names, base: Scalar, span: Span) -> tuple[Scalar, str, str] | None:
    """1 − f(z)^2."""
    for name, other, sign in (("sin", "cos", 1), ("cos", "sin", 1), ("cosh", "sinh", -1)):
        z = argument_of(names, base, name)
        if z is not None:
            form = with_sign(sign, square(applied(other, span, z)))
            return form, f"{name}(z)^2", f"{'-' if sign < 0 else ''}{other}(z)^2"
    z = argument_of(names, base, "tanh")
    if z is None:
        return None
    return applied("sech_squared", span, z), "tanh(z)^2", "sech(z)^2"


def _plus(names: Names, call: Scalar, span: Span) -> tuple[Scalar, str, str] | None:
    """1 + f(z), where f(z) comes near −1."""
    for name in ("erf", "tanh", "cos"):
        z = argument_of(names, call, name)
        if z is None:
            continue
        match name:
            case "erf":
                return applied("erfc", span, negated(z)), "erf(z)", "erfc(-z)"
            case "tanh":
                return twice(applied("sigmoid", span, twice(z))), "tanh(z)", "2*sigmoid(2*z)"
            case _:
                form = twice(square(applied("cos", span, half(z))))
                return form, "cos(z)", "2*cos(z/2)^2"
    return None


@tried
def _of_softplus(names: Names, one: Scalar, other: Scalar, span: Span) -> Form | None:
    """softplus(z) − z, which is softplus(−z), and its negative."""
    sign, call = without_sign(one)
    z = argument_of(names, call, "softplus")
    if z is None or other != with_sign(-sign, z):
        return None
    if sign > 0:
        return Form(applied("softplus", span, negated(z)), "softplus(z) - z", "softplus(-z)")
    return Form(applied("log_sigmoid", span, z), "z - softplus(z)", "log_sigmoid(z)")
