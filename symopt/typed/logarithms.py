"""Stable logarithms: of what is positive by its form, taken without computing it first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symopt.primitives import operators
from symopt.source import Span
from symopt.typed.forms import (
    MINUS_INFINITY,
    ONE,
    ZERO,
    Form,
    applied,
    argument_of,
    beside_one,
    is_call,
    negated,
    product,
    squared,
    twice,
    without_sign,
)
from symopt.typed.opening import Names, tried
from symopt.typed.program import (
    Apply,
    Count,
    IntegerPower,
    Number,
    Product,
    Read,
    Reduce,
    Scalar,
    Sum,
)
from symopt.typed.ranges import nonnegative

# ── the logarithm of something positive ──────────────────────────────────────────────────────


@tried
def log_of(names: Names, scalar: Scalar) -> Scalar | None:
    """The logarithm of an exponential, or of what is made of such; None where it is neither."""
    match names.seen(scalar):
        case Number(value):
            return Number(math.log(value)) if 0 < value < math.inf else None
        case Read() as read:
            return names.logarithm(read, lambda body: log_of(names, body))
        case Apply() as call:
            return _log_of_call(names, call)
        case IntegerPower(base, exponent):
            log = _log_of_more(names, base)
            return None if log is None else product(Number(float(exponent)), log)
        case Product(factors):
            logs = [log_of(names, factor) for factor in factors]
            found = tuple(log for log in logs if log is not None)
            return Sum(found) if len(found) == len(factors) else None
        case Sum(terms, span):
            return _log_of_sum(names, terms, span)
        case Reduce("sum", loops, body, span):
            term = _log_of_choice(names, body, ZERO, MINUS_INFINITY)
            return None if term is None else Reduce("logsumexp", loops, term, span)
        case Reduce("prod", loops, body, span):
            term = _log_of_choice(names, body, ONE, ZERO)
            return None if term is None else Reduce("sum", loops, term, span)
    return None


def _log_of_call(names: Names, call: Apply) -> Scalar | None:
    z, span = call.arguments[0], call.span
    match call.function.name:
        case "exp":
            return z
        case "sigmoid":
            return applied("log_sigmoid", span, z)
        case "cosh":
            return applied("log_cosh", span, z)
        case "sech_squared":
            return Product((Number(-2.0), applied("log_cosh", span, z)))
        case "divide":
            above, below = _log_of_more(names, z), _log_of_part(names, call.arguments[1], span)
            return None if above is None or below is None else Sum((above, negated(below)), span)
        case "power":
            log = _log_of_more(names, z)
            return None if log is None else Product((call.arguments[1], log))
        case "sqrt":
            log = _log_of_more(names, z)
            return None if log is None else Product((Number(0.5), log))
        case "select":
            _, then, otherwise = call.arguments
            logs = _log_of_more(names, then), _log_of_more(names, otherwise)
            if logs[0] is None or logs[1] is None:
                return None
            return Apply(operators.select, (z, *filter(None, logs)), span)
    return None


def _log_of_more(names: Names, scalar: Scalar) -> Scalar | None:
    """The logarithm of anything positive but a number."""
    return None if isinstance(scalar, Number) else log_of(names, scalar)


def _log_of_part(names: Names, scalar: Scalar, span: Span) -> Scalar | None:
    """The logarithm of a factor, which may also be a size."""
    if isinstance(scalar, Count) and nonnegative(scalar.value):
        return applied("log", span, scalar)
    return log_of(names, scalar)


def _log_of_choice(
    names: Names, scalar: Scalar, identity: Scalar, log_of_identity: Scalar
) -> Scalar | None:
    """The logarithm of a term, which a filter may replace by the identity of the reduction."""
    match scalar:
        case Apply(operators.select, (condition, body, other), span) if other == identity:
            log = _log_of_more(names, body)
            if log is None:
                return None
            return Apply(operators.select, (condition, log, log_of_identity), span)
    return _log_of_more(names, scalar)


def _log_of_sum(names: Names, terms: tuple[Scalar, ...], span: Span | None) -> Scalar | None:
    """log(c + exp(a) + exp(b) + ...), for a number c that is not negative."""
    others = [term for term in terms if not isinstance(term, Number)]
    constant = sum(term.value for term in terms if isinstance(term, Number))
    if not others or not 0 <= constant < math.inf:
        return None
    if constant and all(argument_of(names, term, "sigmoid") is not None for term in others):
        return None  # neither over- nor underflows as it is
    logs = [log for log in (log_of(names, term) for term in others) if log is not None]
    if len(logs) < len(others):
        return _log_of_difference(names, others, span) if not constant else None
    place = span or _span_of(others[0])
    if place is None:
        return None
    result, *rest = logs
    if constant == 1:
        result = applied("softplus", place, result)
    elif constant:
        result = applied("log_add_exp", place, Number(math.log(constant)), result)
    for log in rest:
        result = applied("log_add_exp", place, result, log)
    return result


def _log_of_difference(names: Names, terms: Sequence[Scalar], span: Span | None) -> Scalar | None:
    """log(exp(a) − exp(b))."""
    if len(terms) != 2 or span is None:
        return None
    first, second = sorted(map(without_sign, terms), key=lambda term: -term[0])
    if (first[0], second[0]) != (1, -1):
        return None
    a, b = (argument_of(names, term, "exp") for _, term in (first, second))
    if a is None or b is None:
        return None
    return Sum((a, applied("log1mexp", span, Sum((b, negated(a)), span))), span)


def _span_of(scalar: Scalar) -> Span | None:
    return getattr(scalar, "span", None)


# ── rules ────────────────────────────────────────────────────────────────────────────────────


def logarithm(names: Names, argument: Scalar, span: Span) -> Form | None:
    """The stable form of log(argument)."""
    for rule in (_whole, _of_expm1, _inverse_function, _of_power, _in_part, _near_one):
        form = rule(names, argument, span)
        if form is not None:
            return form
    return None


@tried
def _whole(names: Names, argument: Scalar, span: Span) -> Form | None:
    log = None if isinstance(argument, Number) else log_of(names, argument)
    if log is None or isinstance(log, Number):
        return None
    return Form(log, *_in_words(names.seen(argument)))


def _in_words(argument: Scalar) -> tuple[str, str]:
    match argument:
        case Apply(function):
            return {
                "exp": ("log(exp(z))", "z"),
                "sigmoid": ("log(sigmoid(z))", "log_sigmoid(z)"),
                "cosh": ("log(cosh(z))", "log_cosh(z)"),
                "sech_squared": ("log(1 - tanh(z)^2)", "-2*log_cosh(z)"),
                "divide": ("log(exp(a) / exp(b))", "a - b"),
                "select": ("log(exp(a) if c else exp(b))", "a if c else b"),
            }.get(function.name, ("log(exp(z)^y)", "y*z"))
        case Sum(terms) if len(terms) == 2 and ONE in terms:
            return "log(1 + exp(z))", "softplus(z)"
        case Sum(terms) if any(without_sign(term)[0] < 0 for term in terms):
            return "log(exp(a) - exp(b))", "a + log1mexp(b - a)"
        case Sum():
            return "log(exp(a) + exp(b))", "log_add_exp(a, b)"
        case Product():
            return "log(exp(a) * exp(b))", "a + b"
        case IntegerPower():
            return "log(exp(z)^n)", "n*z"
        case Reduce("prod"):
            return "log(prod(exp(v)))", "sum(v)"
    return "log(sum(exp(v)))", "logsumexp(v)"


@tried
def _of_expm1(names: Names, argument: Scalar, span: Span) -> Form | None:
    """log(1 − exp(z)) and log(exp(z) − 1), whose arguments are stable forms by now."""
    sign, call = without_sign(names.seen(argument))
    z = argument_of(names, call, "expm1")
    if z is None:
        return None
    if sign < 0:
        return Form(applied("log1mexp", span, z), "log(1 - exp(z))", "log1mexp(z)")
    scalar = Sum((z, applied("log1mexp", span, negated(z))), span)
    return Form(scalar, "log(exp(z) - 1)", "z + log1mexp(-z)")


@tried
def _inverse_function(names: Names, argument: Scalar, span: Span) -> Form | None:
    """asinh, acosh, atanh and logit where they are written out."""
    match names.seen(argument):
        case Sum((first, second)):
            for x, call in ((first, second), (second, first)):
                root = argument_of(names, call, "sqrt")
                match names.seen(root) if root is not None else None:
                    case Sum((one, other)):
                        pass
                    case _:
                        continue
                if squared(names, one) == x and other == Number(-1.0):
                    return Form(applied("acosh", span, x), "log(x + sqrt(x^2 - 1))", "acosh(x)")
                if (squared(names, one) == x and other == ONE) or (
                    squared(names, other) == x and one == ONE
                ):
                    return Form(applied("asinh", span, x), "log(x + sqrt(x^2 + 1))", "asinh(x)")
        case Apply(operators.divide, (above, below)):
            rest = beside_one(names, below)
            if rest == negated(above):
                return Form(applied("logit", span, above), "log(p / (1 - p))", "logit(p)")
            u = beside_one(names, above)
            if u is not None and rest is not None and rest == negated(u):
                scalar = twice(applied("atanh", span, u))
                return Form(scalar, "log((1 + x) / (1 - x))", "2*atanh(x)")
    return None


@tried
def _of_power(names: Names, argument: Scalar, span: Span) -> Form | None:
    match names.seen(argument):
        case IntegerPower(base, exponent) if exponent:
            even = exponent % 2 == 0
            inner = applied("abs", span, base) if even else base
            scalar = product(Number(float(exponent)), applied("log", span, inner))
            after = "n*log(abs(u))" if even else "n*log(u)"
            return Form(scalar, "log(u^n)", after)
        case Apply(function, (inner,)) if function.name == "sqrt":
            scalar = Product((Number(0.5), applied("log", span, inner)))
            return Form(scalar, "log(sqrt(u))", "log(u)/2")
    return None


@tried
def _in_part(names: Names, argument: Scalar, span: Span) -> Form | None:
    """log(exp(z) · u): the sign of the product is that of u."""
    match names.seen(argument):
        case Product(factors):
            logs = [_log_of_more(names, factor) for factor in factors]
            rest = tuple(f for f, log in zip(factors, logs, strict=True) if log is None)
            terms = tuple(log for log in logs if log is not None)
            if terms:
                scalar = Sum((*terms, applied("log", span, product(*rest))), span)
                return Form(scalar, "log(exp(z) * u)", "z + log(u)")
        case Apply(operators.divide, (above, below)):
            log = _log_of_more(names, above)
            if log is not None:
                scalar = Sum((log, negated(applied("log", span, below))), span)
                return Form(scalar, "log(exp(z) / u)", "z - log(u)")
            log = _log_of_more(names, below)
            if log is not None:
                scalar = Sum((applied("log", span, above), negated(log)), span)
                return Form(scalar, "log(u / exp(z))", "log(u) - z")
    return None


def _near_one(names: Names, argument: Scalar, span: Span) -> Form | None:
    other = beside_one(names, argument)
    if other is None:
        return None
    return Form(applied("log1p", span, other), "log(1 + u)", "log1p(u)")


@tried
def logarithm_of_one_plus(names: Names, argument: Scalar, span: Span) -> Form | None:
    """The stable form of log1p(argument)."""
    sign, other = without_sign(names.seen(argument))
    for name, found in (
        ("exp", "log1mexp"),
        ("sigmoid", "log_sigmoid"),
    ):
        z = argument_of(names, other, name)
        if z is not None and sign < 0:
            inner, word = (z, "z") if name == "exp" else (negated(z), "-z")
            form = applied(found, span, inner)
            return Form(form, f"log1p(-{name}(z))", f"{found}({word})")
    if is_call(other, "sigmoid"):
        return None
    log = _log_of_more(names, argument)
    if log is None or isinstance(log, Number):
        return None
    return Form(applied("softplus", span, log), "log1p(exp(z))", "softplus(z)")
