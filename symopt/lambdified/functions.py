"""SymPy's functions in terms of our primitives: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import sympy
from sympy.codegen import cfunctions, numpy_nodes

from symopt.lambdified.nodes import Nodes
from symopt.primitives import operators

Build = Callable[..., sympy.Expr]  # of the nodes' maker and the arguments
_NAN = float("nan")


def _named(name: str) -> Build:
    return lambda nodes, *arguments: nodes.call(name, *arguments)


def _reciprocal(name: str) -> Build:
    return lambda nodes, x: nodes.divide(nodes.constant(1.0), nodes.call(name, x))


def _of_reciprocal(name: str) -> Build:
    return lambda nodes, x: nodes.call(name, nodes.divide(nodes.constant(1.0), x))


def _extremum(kind: str) -> Build:
    function = operators.maximum if kind == "max" else operators.minimum
    return lambda nodes, *arguments: nodes.fold(function, arguments)


def _arc_cotangent(nodes: Nodes, x: sympy.Expr) -> sympy.Expr:
    """SymPy's, odd but for acot(0) = π/2: atan(1/x), where x = -0 counts as 0."""
    return nodes.call("atan", nodes.divide(nodes.constant(1.0), _without_sign_of_zero(nodes, x)))


def _without_sign_of_zero(nodes: Nodes, x: sympy.Expr) -> sympy.Expr:
    zero = nodes.constant(0.0)
    return nodes.select(nodes.apply(operators.equal, x, zero), zero, x)


def _heaviside(nodes: Nodes, x: sympy.Expr, at_zero: sympy.Expr) -> sympy.Expr:
    zero, one = nodes.constant(0.0), nodes.constant(1.0)
    below = nodes.select(nodes.apply(operators.less, x, zero), zero, nodes.constant(_NAN))
    rest = nodes.select(nodes.apply(operators.equal, x, zero), at_zero, below)
    return nodes.select(nodes.apply(operators.greater, x, zero), one, rest)


def _log_gamma(nodes: Nodes, x: sympy.Expr) -> sympy.Expr:
    """Not real below 0."""
    negative = nodes.apply(operators.less, x, nodes.constant(0.0))
    return nodes.select(negative, nodes.constant(_NAN), nodes.call("lgamma", x))


def _fraction(nodes: Nodes, x: sympy.Expr) -> sympy.Expr:
    return nodes.add(x, nodes.negative(nodes.call("floor", x)))


def _factorial(nodes: Nodes, x: sympy.Expr) -> sympy.Expr:
    return nodes.call("gamma", nodes.add(x, nodes.constant(1.0)))


def _kronecker(nodes: Nodes, i: sympy.Expr, j: sympy.Expr) -> sympy.Expr:
    return nodes.apply(operators.equal, i, j)


def _exclusive_or(nodes: Nodes, *arguments: sympy.Expr) -> sympy.Expr:
    truths = [nodes.apply(operators.negation, one) for one in arguments]
    odd = nodes.fold(operators.not_equal, truths)  # of an even number of them, negations cancel
    return odd if len(arguments) % 2 == 0 else nodes.apply(operators.negation, odd)


def _all(nodes: Nodes, *arguments: sympy.Expr) -> sympy.Expr:
    return nodes.fold(operators.both, arguments)


def _any(nodes: Nodes, *arguments: sympy.Expr) -> sympy.Expr:
    return nodes.fold(operators.either, arguments)


def _implies(nodes: Nodes, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    return nodes.apply(operators.either, nodes.apply(operators.negation, a), b)


def _equivalent(nodes: Nodes, *arguments: sympy.Expr) -> sympy.Expr:
    none = nodes.apply(operators.negation, _any(nodes, *arguments))
    return nodes.apply(operators.either, _all(nodes, *arguments), none)


def _not(build: Build) -> Build:
    return lambda nodes, *a: nodes.apply(operators.negation, build(nodes, *a))


def _log_of_sum(nodes: Nodes, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """log(exp(a) + exp(b)) = max(a, b) + log1p(exp(-|a - b|))."""
    largest = nodes.apply(operators.maximum, a, b)
    apart = nodes.call("abs", nodes.add(a, nodes.negative(b)))
    equal = nodes.apply(operators.equal, a, b)  # both may be infinite
    gap = nodes.select(equal, nodes.constant(0.0), apart)
    return nodes.add(largest, nodes.call("log1p", nodes.call("exp", nodes.negative(gap))))


def _first(nodes: Nodes, x: sympy.Expr) -> sympy.Expr:
    return x


def _zero(nodes: Nodes, x: sympy.Expr) -> sympy.Expr:
    return nodes.constant(0.0)


_COMPARISONS: Mapping[type[sympy.Basic], Build] = {
    kind: (lambda nodes, a, b, function=function: nodes.apply(function, a, b))
    for kind, function in {
        sympy.StrictLessThan: operators.less,
        sympy.LessThan: operators.less_equal,
        sympy.StrictGreaterThan: operators.greater,
        sympy.GreaterThan: operators.greater_equal,
        sympy.Equality: operators.equal,
        sympy.Unequality: operators.not_equal,
    }.items()
}

FUNCTIONS: Mapping[type[sympy.Basic], Build] = MappingProxyType(
    {
        **_COMPARISONS,
        sympy.exp: _named("exp"),
        sympy.log: _named("log"),
        sympy.sin: _named("sin"),
        sympy.cos: _named("cos"),
        sympy.tan: _named("tan"),
        sympy.sec: _reciprocal("cos"),
        sympy.csc: _reciprocal("sin"),
        sympy.cot: _reciprocal("tan"),
        sympy.asin: _named("asin"),
        sympy.acos: _named("acos"),
        sympy.atan: _named("atan"),
        sympy.asec: _of_reciprocal("acos"),
        sympy.acsc: _of_reciprocal("asin"),
        sympy.acot: _arc_cotangent,
        sympy.atan2: _named("atan2"),
        sympy.sinh: _named("sinh"),
        sympy.cosh: _named("cosh"),
        sympy.tanh: _named("tanh"),
        sympy.sech: _reciprocal("cosh"),
        sympy.csch: _reciprocal("sinh"),
        sympy.coth: _reciprocal("tanh"),
        sympy.asinh: _named("asinh"),
        sympy.acosh: _named("acosh"),
        sympy.atanh: _named("atanh"),
        sympy.asech: _of_reciprocal("acosh"),
        sympy.acsch: _of_reciprocal("asinh"),
        sympy.acoth: _of_reciprocal("atanh"),
        sympy.sinc: _named("sinc"),
        sympy.Abs: _named("abs"),
        sympy.sign: _named("sign"),
        sympy.floor: _named("floor"),
        sympy.ceiling: _named("ceil"),
        sympy.frac: _fraction,
        sympy.Mod: _named("remainder"),
        sympy.Max: _extremum("max"),
        sympy.Min: _extremum("min"),
        sympy.Heaviside: _heaviside,
        sympy.KroneckerDelta: _kronecker,
        sympy.erf: _named("erf"),
        sympy.erfc: _named("erfc"),
        sympy.gamma: _named("gamma"),
        sympy.loggamma: _log_gamma,
        sympy.factorial: _factorial,
        sympy.re: _first,
        sympy.conjugate: _first,
        sympy.im: _zero,
        sympy.And: _all,
        sympy.Or: _any,
        sympy.Not: _not(_first),
        sympy.Nand: _not(_all),
        sympy.Nor: _not(_any),
        sympy.Xor: _exclusive_or,
        sympy.Implies: _implies,
        sympy.Equivalent: _equivalent,
        sympy.ITE: _named("select"),
        sympy.UnevaluatedExpr: _first,
        cfunctions.expm1: _named("expm1"),
        cfunctions.log1p: _named("log1p"),
        cfunctions.log2: _named("log2"),
        cfunctions.log10: _named("log10"),
        cfunctions.exp2: lambda nodes, x: nodes.call("power", nodes.constant(2.0), x),
        cfunctions.hypot: _named("hypot"),
        cfunctions.Cbrt: _named("cbrt"),
        cfunctions.Sqrt: _named("sqrt"),
        cfunctions.fma: lambda nodes, a, b, c: nodes.add(nodes.multiply(a, b), c),
        numpy_nodes.logaddexp: _log_of_sum,
    }
)
