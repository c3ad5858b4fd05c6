"""Standard SymPy forms that need more than one SymPy function: truth values, choices, products.

For expressions that people read. A truth value is a number, 0 or 1, as in our own primitives.
"""

from __future__ import annotations

import sympy
from sympy import S

from symopt.primitives.cases import Cases


def indicator(condition: object) -> sympy.Expr:
    """1 where the condition holds, else 0."""
    return Cases(condition, S.One, S.Zero)


def truth(value: sympy.Expr) -> sympy.Basic:
    """The condition of an indicator; of any other number, that it is not 0."""
    if isinstance(value, Cases) and value.args[1:] == (S.One, S.Zero):
        return value.args[0]
    return sympy.Ne(value, 0)


def choice(condition: sympy.Expr, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """`a` where the condition is not 0, else `b`."""
    return branches(truth(condition), a, b)


def branches(condition: sympy.Basic, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """`a` where a condition holds, else `b`, neither asking for the condition again."""
    holding: dict[sympy.Basic, sympy.Basic] = {}
    failing: dict[sympy.Basic, sympy.Basic] = {}
    for part in sympy.And.make_args(condition):
        if isinstance(part, sympy.Rel):
            holding |= {part: S.true, part.negated: S.false}
    if isinstance(condition, sympy.Rel):
        failing = {condition: S.false, condition.negated: S.true}
    return Cases(condition, a.xreplace(holding), b.xreplace(failing))


def equality(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """1 where a equals b. Data and parameters are finite, so nothing equals an infinity."""
    infinite = a.is_infinite or b.is_infinite
    return S.Zero if infinite else indicator(sympy.Eq(a, b))


def inequality(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """1 where a does not equal b."""
    infinite = a.is_infinite or b.is_infinite
    return S.One if infinite else indicator(sympy.Ne(a, b))


def guarded_product(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """a·b; where `a` is 0 by choice of a branch, `b` moves into the other branch."""
    for factor in sympy.Mul.make_args(a):
        if isinstance(factor, Cases) and S.Zero in factor.args[1:]:
            rest = sympy.Mul(*(other for other in sympy.Mul.make_args(a) if other is not factor), b)
            condition, *values = factor.args
            return branches(condition, *(value * rest for value in values))
    return sympy.Mul(a, b)


def exponential(x: sympy.Expr) -> sympy.Expr:
    """exp(x), with a choice of -oo (a filter) turned into one of 0."""
    factors, rest = [], []
    for term in sympy.Add.make_args(x):
        if isinstance(term, Cases) and -sympy.oo in term.args[1:]:
            condition, *values = term.args
            factors.append(Cases(condition, *map(sympy.exp, values)))
        else:
            rest.append(term)
    return sympy.Mul(*factors, sympy.exp(sympy.Add(*rest)))


def sinc_derivative(order: sympy.Expr, x: sympy.Expr) -> sympy.Expr:
    """The n-th derivative of sin(x)/x, continued to x = 0."""
    n = int(order)
    t = sympy.Symbol("t", real=True)
    apart = sympy.diff(sympy.sin(t) / t, t, n).xreplace({t: x})
    limit = S.Zero if n % 2 else sympy.Rational((-1) ** (n // 2), n + 1)
    return Cases(sympy.Eq(x, 0), limit, apart)
