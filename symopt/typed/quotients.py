"""Stable quotients and roots: softmax, sigmoid, tanh, sinc and hypot where they are written out."""

from __future__ import annotations

from symopt.source import Span
from symopt.typed.forms import (
    ONE,
    Form,
    applied,
    argument_of,
    beside_one,
    half,
    is_call,
    negated,
    product,
    square,
    squared,
    without_sign,
)
from symopt.typed.logarithms import log_of
from symopt.typed.opening import Names, tried
from symopt.typed.program import Apply, IntegerPower, Number, Product, Read, Reduce, Scalar, Sum


def quotient(names: Names, numerator: Scalar, denominator: Scalar, span: Span) -> Form | None:
    """The stable form of numerator / denominator."""
    for rule in (_circular, _hyperbolic, _logistic, _logistic_density, _softmax):
        form = rule(names, numerator, denominator, span)
        if form is not None:
            return form
    return None


@tried
def _circular(names: Names, above: Scalar, below: Scalar, span: Span) -> Form | None:
    """sin(x)/x and (1 − cos(x))/x^2, whose numerator is 2 sin(x/2)^2 by now."""
    if argument_of(names, above, "sin") == below:
        return Form(applied("sinc", span, below), "sin(x) / x", "sinc(x)")
    x = squared(names, below)
    match names.seen(above):
        case Product((Number(2.0), IntegerPower(Apply() as call, 2))) if x is not None:
            if is_call(call, "sin") and call.arguments[0] == half(x):
                scalar = Product((Number(0.5), square(applied("sinc", span, half(x)))))
                return Form(scalar, "(1 - cos(x)) / x^2", "sinc(x/2)^2 / 2")
    return None


@tried
def _hyperbolic(names: Names, above: Scalar, below: Scalar, span: Span) -> Form | None:
    """tanh in exponentials: of ±x, or of 2x beside 1."""
    sign, call = without_sign(names.seen(above))
    z = argument_of(names, call, "expm1")
    other = beside_one(names, below)
    if z is not None and other is not None and argument_of(names, other, "exp") == z:
        form = applied("tanh", span, half(z))
        scalar = form if sign > 0 else negated(form)
        before = "(exp(z) - 1) / (exp(z) + 1)" if sign > 0 else "(1 - exp(z)) / (1 + exp(z))"
        return Form(scalar, before, "tanh(z/2)" if sign > 0 else "-tanh(z/2)")
    match names.seen(above), names.seen(below):
        case Sum((first, minus)), Sum((third, fourth)):
            x = argument_of(names, first, "exp")
            taken, last = without_sign(minus)
            y = argument_of(names, last, "exp")
            if taken > 0 or x is None or y is None or y != negated(x):
                return None
            both = {argument_of(names, term, "exp") for term in (third, fourth)}
            if both == {x, y}:
                return Form(
                    applied("tanh", span, x),
                    "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
                    "tanh(x)",
                )
    return None


@tried
def _logistic(names: Names, above: Scalar, below: Scalar, span: Span) -> Form | None:
    """u/(1 + exp(z)), where the exponential may be made of several."""
    other = beside_one(names, below)
    log = _exponent(names, other) if other is not None else None
    if log is None:
        return None
    top = _exponent(names, above)
    if top == log:
        return Form(applied("sigmoid", span, log), "exp(z) / (1 + exp(z))", "sigmoid(z)")
    if top is not None:
        return None
    scalar = product(above, applied("sigmoid", span, negated(log)))
    return Form(scalar, "u / (1 + exp(z))", "u * sigmoid(-z)")


@tried
def _logistic_density(names: Names, above: Scalar, below: Scalar, span: Span) -> Form | None:
    """exp(z)/(1 + exp(z))^2."""
    base = squared(names, below)
    other = beside_one(names, base) if base is not None else None
    z = argument_of(names, other, "exp") if other is not None else None
    if z is None or argument_of(names, above, "exp") != z:
        return None
    scalar = Product((applied("sigmoid", span, z), applied("sigmoid", span, negated(z))))
    return Form(scalar, "exp(z) / (1 + exp(z))^2", "sigmoid(z) * sigmoid(-z)")


@tried
def _softmax(names: Names, above: Scalar, below: Scalar, span: Span) -> Form | None:
    """u·exp(z) over a sum of exponentials."""
    top = names.seen(above)
    factors = top.factors if isinstance(top, Product) else (top,)
    number, z = next(
        (
            (number, z)
            for number, factor in enumerate(factors)
            if (z := argument_of(names, factor, "exp")) is not None
        ),
        (0, None),
    )
    bottom = _exponent(names, below)
    if z is None or bottom is None:
        return None
    exponential = applied("exp", span, Sum((z, negated(bottom)), span))
    rest = (*factors[:number], *factors[number + 1 :])
    if rest:
        after = "u * exp(z - logsumexp(v))"
        return Form(product(*rest, exponential), "u * exp(z) / sum(exp(v))", after)
    return Form(exponential, "exp(z) / sum(exp(v))", "exp(z - logsumexp(v))")


@tried
def _exponent(names: Names, scalar: Scalar) -> Scalar | None:
    """z where this is exp(z), a sum of exponentials, or a product with one."""
    seen = names.seen(scalar)
    if is_call(seen, "exp") or isinstance(seen, Reduce | Read | Sum):
        return log_of(names, scalar)
    return None


def root(argument: Scalar, span: Span) -> Form | None:
    """sqrt(x^2 + y^2) and sqrt(x^2), whose squares may over- or underflow.

    Only as it is written: where a name stands for the squares, conditions are likely to ask for it
    (`if s > 0`), and then its root had better be seen to be a root of it.
    """
    nothing = Names()
    match argument:
        case Sum((first, second)) if ONE not in (first, second):
            x, y = squared(nothing, first), squared(nothing, second)
            if x is not None and y is not None:
                return Form(applied("hypot", span, x, y), "sqrt(x^2 + y^2)", "hypot(x, y)")
        case _:
            x = squared(nothing, argument)
            if x is not None:
                return Form(applied("abs", span, x), "sqrt(x^2)", "abs(x)")
    return None
