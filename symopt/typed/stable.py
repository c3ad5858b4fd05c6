"""Stable forms: what over- or underflows as written is rewritten within one definition.

Each rule is an identity of real numbers whose right side is at least as accurate everywhere. In
sums only the first two terms are looked at: these are added first, so that taking them together
cannot undo a cancellation with a third.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from symopt.primitives import operators
from symopt.primitives.registry import PRIMITIVES
from symopt.source import Span
from symopt.typed.program import (
    Apply,
    Count,
    Definition,
    IntegerPower,
    Number,
    Product,
    Read,
    Reduce,
    Rewrite,
    Scalar,
    Sum,
)

ONE, MINUS_ONE, MINUS_INFINITY = Number(1.0), Number(-1.0), Number(float("-inf"))


def stabilise(definitions: Iterable[Definition]) -> tuple[list[Definition], list[Rewrite]]:
    """The definitions in stable form, and what was rewritten in them."""
    result: list[Definition] = []
    rewrites: list[Rewrite] = []
    for definition in definitions:
        rewriter = _Rewriter(definition.span)
        result.append(replace(definition, body=rewriter.scalar(definition.body)))
        rewrites.extend(rewriter.found)
    return result, list(dict.fromkeys(rewrites))


@dataclass(frozen=True, slots=True)
class _Form:
    """A stable form, and the rule that led to it."""

    scalar: Scalar
    before: str
    after: str


@dataclass(slots=True)
class _Rewriter:
    """Rewrites one body from the inside out; `span` is the definition's, for parts without one."""

    span: Span
    found: list[Rewrite] = field(default_factory=list)

    def scalar(self, scalar: Scalar) -> Scalar:
        match scalar:
            case Number() | Count() | Read():
                return scalar
            case Product(factors):
                return Product(tuple(map(self.scalar, factors)))
            case IntegerPower(base, exponent):
                return IntegerPower(self.scalar(base), exponent)
            case Reduce(reduction, loops, body, span):
                return Reduce(reduction, loops, self.scalar(body), span)
            case Sum(terms, span):
                done = Sum(tuple(map(self.scalar, terms)), span)
                return self.taken(done, _difference(done), span or self.span)
            case Apply(function, arguments, span):
                done = Apply(function, tuple(map(self.scalar, arguments)), span)
                return self.taken(done, _stable_call(done), span)

    def taken(self, scalar: Scalar, form: _Form | None, span: Span) -> Scalar:
        """The stable form where there is one, which is then noted."""
        if form is None:
            return scalar
        self.found.append(Rewrite(span, form.before, form.after))
        return form.scalar


def _stable_call(call: Apply) -> _Form | None:
    match call.function.name:
        case "log":
            return _logarithm(call.arguments[0], call.span)
        case "log1p" if (log := _log_of(call.arguments[0])) is not None:
            return _Form(_apply("softplus", log, call.span), "log1p(exp(z))", "softplus(z)")
        case "divide":
            numerator, denominator = call.arguments
            return _quotient(numerator, denominator, call.span)
    return None


# ── logarithms ───────────────────────────────────────────────────────────────────────────────


def _logarithm(argument: Scalar, span: Span) -> _Form | None:
    log = _log_of(argument)
    if log is not None:
        if isinstance(argument, Apply) and argument.function.name == "exp":
            return _Form(log, "log(exp(z))", "z")
        return _Form(log, "log(sum(exp(v)))", "logsumexp(v)")
    if isinstance(argument, Apply) and argument.function.name == "sigmoid":
        form = _apply("log_sigmoid", argument.arguments[0], span)
        return _Form(form, "log(sigmoid(z))", "log_sigmoid(z)")
    other = _beside_one(argument)
    if other is None:
        return None
    log = _log_of(other)
    if log is not None:
        return _Form(_apply("softplus", log, span), "log(1 + exp(z))", "softplus(z)")
    return _Form(_apply("log1p", other, span), "log(1 + u)", "log1p(u)")


def _log_of(scalar: Scalar) -> Scalar | None:
    """The logarithm of exp(z), or of a sum or mean of such, without computing it as one."""
    match scalar:
        case Apply(function, (z,)) if function.name == "exp":
            return z
        case Reduce("sum", loops, body, span):
            term = _log_of(body)
            return None if term is None else Reduce("logsumexp", loops, term, span)
        case Apply(operators.select, (condition, body, Number(0.0)), span):
            term = _log_of(body)
            if term is None:
                return None
            return Apply(operators.select, (condition, term, MINUS_INFINITY), span)
        case Apply(operators.divide, (Reduce() as total, Count() as count), span):
            log = _log_of(total)
            return None if log is None else Sum((log, _negated(_apply("log", count, span))), span)
    return None


def _beside_one(scalar: Scalar) -> Scalar | None:
    """u where a sum of two terms is 1 + u."""
    match scalar:
        case Sum((Number(1.0), other)) | Sum((other, Number(1.0))):
            return other
    return None


# ── differences and quotients ────────────────────────────────────────────────────────────────


def _difference(total: Sum) -> _Form | None:
    """1 − f(z) and f(z) − 1, where they lead a sum, for functions that have a complement."""
    first, second = total.terms[:2]
    others = total.terms[2:]
    for one, term in ((first, second), (second, first)):
        call = _negated(term) if one == ONE else term
        if one not in (ONE, MINUS_ONE) or not isinstance(call, Apply):
            continue
        found = _complement(call)
        if found is None:
            continue
        complement, name, after = found
        scalar = complement if one == ONE else _negated(complement)
        before = f"1 - {name}" if one == ONE else f"{name} - 1"
        after = after if one == ONE else after[1:] if after[0] == "-" else f"-{after}"
        return _Form(Sum((scalar, *others), total.span) if others else scalar, before, after)
    return None


def _complement(call: Apply) -> tuple[Scalar, str, str] | None:
    """1 − f(z), with f(z) and the complement in words."""
    z, span = call.arguments[0], call.span
    match call.function.name:
        case "exp":
            return _negated(_apply("expm1", z, span)), "exp(z)", "-expm1(z)"
        case "sigmoid":
            return _apply("sigmoid", _negated(z), span), "sigmoid(z)", "sigmoid(-z)"
        case "erf":
            return _apply("erfc", z, span), "erf(z)", "erfc(z)"
        case "erfc":
            return _apply("erf", z, span), "erfc(z)", "erf(z)"
        case "cos":
            half = _apply("sin", Product((Number(0.5), z)), span)
            return Product((Number(2.0), IntegerPower(half, 2))), "cos(z)", "2*sin(z/2)^2"
    return None


def _quotient(numerator: Scalar, denominator: Scalar, span: Span) -> _Form | None:
    """1/(1 + exp(z)) is a sigmoid, and exp(z)/sum(exp(v)) a softmax."""
    top = _log_of(numerator)
    bottom = _log_of(denominator)
    if top is not None and bottom is not None:
        form = _apply("exp", Sum((top, _negated(bottom)), span), span)
        return _Form(form, "exp(z) / sum(exp(v))", "exp(z - logsumexp(v))")
    other = _beside_one(denominator)
    log = _log_of(other) if other is not None else None
    if log is None:
        return None
    if top == log:
        return _Form(_apply("sigmoid", log, span), "exp(z) / (1 + exp(z))", "sigmoid(z)")
    if top is not None:
        return None
    sigmoid = _apply("sigmoid", _negated(log), span)
    scalar = sigmoid if numerator == ONE else Product((numerator, sigmoid))
    return _Form(scalar, "u / (1 + exp(z))", "u * sigmoid(-z)")


def _apply(name: str, argument: Scalar, span: Span) -> Scalar:
    return Apply(PRIMITIVES[name], (argument,), span)


def _negated(scalar: Scalar) -> Scalar:
    match scalar:
        case Number(value):
            return Number(-value)
        case Product((Number(-1.0), single)):
            return single
        case Product((Number(-1.0), *rest)):
            return Product(tuple(rest))
    return Product((MINUS_ONE, scalar))
