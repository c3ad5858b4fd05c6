"""Forms that neither overflow nor cancel, for sums, logarithms and quotients as SymPy writes them.

The rules are those of the language (`typed/stable.py`): identities of real numbers whose right
side is at least as accurate everywhere. In sums they look at two terms alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy

from symopt.lambdified.nodes import Nodes
from symopt.primitives import operators

_INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class Form:
    """How a SymPy node is computed: from which other nodes of SymPy's, and how from these."""

    parts: tuple[sympy.Basic, ...]
    build: Callable[..., sympy.Expr]


def logarithm(nodes: Nodes, argument: sympy.Basic) -> Form | None:
    """The logarithm of 1 + exp(z), of 1 + u, and of exp(z1) + exp(z2) + ...."""
    if not isinstance(argument, sympy.Add):
        return None
    if all(isinstance(term, sympy.exp) for term in argument.args):
        exponents = tuple(term.args[0] for term in argument.args)
        return Form(exponents, lambda *z: _log_of_exponentials(nodes, z))
    other = _beside_one(argument)
    if isinstance(other, sympy.exp):
        return Form(other.args, lambda z: nodes.call("softplus", z))
    if other is not None:
        return Form((other,), lambda u: nodes.call("log1p", u))
    return None


def _log_of_exponentials(nodes: Nodes, exponents: tuple[sympy.Expr, ...]) -> sympy.Expr:
    largest = nodes.fold(operators.maximum, exponents)
    finite = nodes.apply(operators.less, nodes.call("abs", largest), nodes.constant(_INFINITY))
    shift = nodes.select(finite, largest, nodes.constant(0.0))
    less = nodes.negative(shift)
    terms = [nodes.call("exp", nodes.add(z, less)) for z in exponents]
    return nodes.add(shift, nodes.call("log", nodes.add(*terms)))


def difference(nodes: Nodes, total: sympy.Add) -> Form | None:
    """f(z) - 1 and 1 - f(z), where f has a complement."""
    if len(total.args) != 2:
        return None
    for one, term in (total.args, total.args[::-1]):
        if one == 1 or one == -1:
            negative = isinstance(term, sympy.Mul) and term.args[0] == -1 and len(term.args) == 2
            function = term.args[1] if negative else term
            if negative != (one == 1):
                continue
            complement = _complement(nodes, function)
            if complement is None:
                continue
            sign = nodes.negative if one == -1 else _itself
            return Form(
                function.args, lambda z, sign=sign, complement=complement: sign(complement(z))
            )
    return None


def _itself(node: sympy.Expr) -> sympy.Expr:
    return node


def _complement(nodes: Nodes, function: sympy.Basic) -> Callable[[sympy.Expr], sympy.Expr] | None:
    """1 - f(z), as a function of z."""
    match function:
        case sympy.exp():
            return lambda z: nodes.negative(nodes.call("expm1", z))
        case sympy.erf():
            return lambda z: nodes.call("erfc", z)
        case sympy.erfc():
            return lambda z: nodes.call("erf", z)
        case sympy.cos():
            return lambda z: nodes.multiply(
                nodes.constant(2.0), nodes.power(_half_sine(nodes, z), 2)
            )
    return None


def _half_sine(nodes: Nodes, z: sympy.Expr) -> sympy.Expr:
    return nodes.call("sin", nodes.multiply(nodes.constant(0.5), z))


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """The factors (1 + exp(z))^-k of a product, and whether exp(z) is another factor."""

    exponent: sympy.Basic
    power: int
    with_exponential: bool

    def build(self, nodes: Nodes, z: sympy.Expr) -> sympy.Expr:
        falling = nodes.call("sigmoid", nodes.negative(z))
        if not self.with_exponential:
            return nodes.power(falling, self.power)
        rising = nodes.call("sigmoid", z)
        if self.power == 1:
            return rising
        return nodes.multiply(rising, nodes.power(falling, self.power - 1))


def quotient(
    factors: tuple[sympy.Basic, ...],
) -> tuple[Sigmoid, tuple[sympy.Basic, ...]] | None:
    """A sigmoid in a product, and the other factors; None without one."""
    for factor in factors:
        if not (isinstance(factor, sympy.Pow) and isinstance(factor.base, sympy.Add)):
            continue
        other = _beside_one(factor.base)
        power = factor.exp
        if not (isinstance(other, sympy.exp) and power.is_Integer and -8 <= int(power) < 0):
            continue
        beside = [one for one in factors if isinstance(one, sympy.exp) and one is not factor]
        same = next((one for one in beside if one == other), None)
        rest = tuple(one for one in factors if one is not factor and one is not same)
        return Sigmoid(other.args[0], -int(power), same is not None), rest
    return None


def _beside_one(total: sympy.Basic) -> sympy.Basic | None:
    """u where a sum of two terms is 1 + u."""
    if len(total.args) == 2:
        a, b = total.args
        if a == 1:
            return b
        if b == 1:
            return a
    return None
