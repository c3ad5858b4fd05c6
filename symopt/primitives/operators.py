"""Arithmetic, comparison and selection: what the operators of the language mean.

Sums and products are SymPy's own `Add` and `Mul`; everything SymPy would rewrite is here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import sympy
from sympy import S

from symopt.primitives import standard
from symopt.primitives.complex_step import (
    Values,
    complex_from_parts,
    has_imaginary_part,
    real_strong_product,
    to_first_order,
)
from symopt.primitives.record import (
    Builtin,
    Constant,
    Elementwise,
    Intrinsic,
    piecewise_constant,
)

ZERO, ONE = Constant(0.0), Constant(1.0)
_ANY = (-5.0, 5.0)


def _by_real_part(compare: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b: np.asarray(compare(np.real(a), np.real(b)), dtype=np.float64)


def _comparison(
    name: str, infix: str, compare: Callable[..., Any], relation: Callable[..., Any]
) -> Elementwise:
    return Elementwise(
        name=name,
        arity=2,
        summary=f"1 where a {infix} b, else 0",
        partials=piecewise_constant(2),
        reference=_by_real_part(compare),
        lower=Builtin(name),
        standard=relation,
        domain=(_ANY, _ANY),
        precise=lambda a, b: mpmath.mpf(bool(compare(a, b))),
        finite=True,
        analytic=False,
        constant=True,
        public=False,
        infix=infix,
    )


def _holds(relation: Callable[..., Any]) -> Callable[..., sympy.Expr]:
    return lambda a, b: standard.indicator(relation(a, b))


less = _comparison("less", "<", np.less, _holds(sympy.Lt))
less_equal = _comparison("less_equal", "<=", np.less_equal, _holds(sympy.Le))
greater = _comparison("greater", ">", np.greater, _holds(sympy.Gt))
greater_equal = _comparison("greater_equal", ">=", np.greater_equal, _holds(sympy.Ge))
equal = _comparison("equal", "==", np.equal, standard.equality)
not_equal = _comparison("not_equal", "!=", np.not_equal, standard.inequality)


def _truth(*values: Values) -> tuple[Any, ...]:
    return tuple(np.real(value) != 0 for value in values)


def _logical(
    name: str,
    arity: int,
    summary: str,
    infix: str,
    reference: Callable[..., Any],
    connective: Callable[..., Any],
) -> Elementwise:
    return Elementwise(
        name=name,
        arity=arity,
        summary=summary,
        partials=piecewise_constant(arity),
        reference=lambda *a: np.asarray(reference(*_truth(*a)), dtype=np.float64),
        lower=Builtin(name),
        standard=lambda *a: standard.indicator(connective(*map(standard.truth, a))),
        domain=(_ANY,) * arity,
        precise=lambda *a: mpmath.mpf(bool(reference(*(value != 0 for value in a)))),
        finite=True,
        analytic=False,
        constant=True,
        public=False,
        infix=infix,
    )


both = _logical("both", 2, "1 where a and b are not 0", "and", np.logical_and, sympy.And)
either = _logical("either", 2, "1 where a or b is not 0", "or", np.logical_or, sympy.Or)
negation = _logical("negation", 1, "1 where a is 0", "not", np.logical_not, sympy.Not)

select = Elementwise(
    name="select",
    arity=3,
    summary="b where a is not 0, else c; the value not chosen has no influence",
    partials=lambda c, a, b: (S.Zero, select(c, ONE, ZERO), select(c, ZERO, ONE)),
    tangent=lambda args, changes: _choose(args[0], changes[1], changes[2]),
    reference=lambda c, a, b: np.where(np.real(c) != 0, a, b),
    lower=Builtin("select"),
    standard=standard.choice,
    domain=((-1.0, 1.0), _ANY, _ANY),
    precise=lambda c, a, b: a if c != 0 else b,
    finite=True,
    analytic=False,
    public=False,
)


def _choose(condition: sympy.Expr, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    return a if a == b else select(condition, a, b)


def _strong_product(a: Values, b: Values) -> Values:
    """a·b with 0 wherever a is 0; complex: the two first-order terms separately."""
    if has_imaginary_part(a, b):
        ar, ai, br, bi = np.real(a), np.imag(a), np.real(b), np.imag(b)
        change = real_strong_product(ai, br) + real_strong_product(ar, bi)
        return complex_from_parts(real_strong_product(ar, br), change)
    return real_strong_product(a, b)


smul = Elementwise(
    name="smul",
    arity=2,
    summary="a*b, but 0 where a is 0 whatever b is (a strong zero)",
    partials=lambda a, b: (b, a),
    tangent=lambda args, changes: sympy.Add(
        strong_product(changes[0], args[1]), strong_product(args[0], changes[1])
    ),
    reference=_strong_product,
    lower=Builtin("smul"),
    standard=standard.guarded_product,
    domain=(_ANY, _ANY),
    precise=lambda a, b: a * b,
    public=False,
)


def strong_product(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """`smul(a, b)`, simplified where a factor is a plain 0 or 1."""
    if a is S.Zero or b is S.Zero:
        return S.Zero
    if a is S.One:
        return b
    if b is S.One or b is S.NegativeOne:
        return sympy.Mul(a, b)
    return smul(a, b)


divide = Elementwise(
    name="divide",
    arity=2,
    summary="a / b",
    partials=lambda a, b: (divide(ONE, b), -divide(divide(a, b), b)),
    reference=lambda a, b: np.true_divide(a, b),
    lower=Builtin("divide"),
    standard=lambda a, b: a / b,
    domain=(_ANY, (0.5, 4.0)),
    precise=lambda a, b: a / b,
    public=False,
    infix="/",
)


def _floored_quotient(a: Values, b: Values) -> Values:
    return np.floor(np.true_divide(np.real(a), np.real(b)))


floor_divide = Elementwise(
    name="floor_divide",
    arity=2,
    summary="floor(a / b)",
    partials=piecewise_constant(2),
    reference=_floored_quotient,
    lower=Builtin("floor_divide"),
    standard=lambda a, b: sympy.floor(a / b),
    domain=(_ANY, (0.5, 4.0)),
    precise=lambda a, b: mpmath.floor(a / b),
    analytic=False,
    constant=True,
    public=False,
    infix="//",
)


def _floored_remainder(a: Values, b: Values) -> Values:
    remainder = np.mod(np.real(a), np.real(b))
    if has_imaginary_part(a, b):
        change = np.imag(a) - real_strong_product(np.imag(b), _floored_quotient(a, b))
        return complex_from_parts(remainder, change)
    return remainder


remainder = Elementwise(
    name="remainder",
    arity=2,
    summary="a - b*floor(a / b), with the sign of b",
    partials=lambda a, b: (S.One, -floor_divide(a, b)),
    reference=_floored_remainder,
    lower=Builtin("remainder"),
    standard=sympy.Mod,
    domain=(_ANY, (0.5, 4.0)),
    precise=lambda a, b: a - b * mpmath.floor(a / b),
    analytic=False,
    public=False,
    infix="%",
)


def _power_by_exponent(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    at_zero = both(equal(x, ZERO), greater(y, ZERO))
    log = _record("log")
    return select(at_zero, ZERO, sympy.Mul(power(x, y), log(x)))


def _power_by_base(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    return select(equal(y, ZERO), ZERO, sympy.Mul(y, power(x, sympy.Add(y, Constant(-1.0)))))


def _record(name: str) -> Elementwise:
    from symopt.primitives.registry import PRIMITIVES

    return PRIMITIVES[name]


def _real_power(x: Values, y: Values) -> Values:
    return np.power(np.asarray(x, dtype=np.float64), y)


# First order in the imaginary parts: exact for complex step, and right at any sign of x.
_power_reference = to_first_order(
    _real_power,
    lambda x, y: np.where(np.equal(y, 0), 0.0, y * _real_power(x, np.subtract(y, 1.0))),
    lambda x, y: np.where((x == 0) & (y > 0), 0.0, _real_power(x, y) * np.log(x)),
)


power = Elementwise(
    name="power",
    arity=2,
    summary="x ^ y",
    partials=lambda x, y: (_power_by_base(x, y), _power_by_exponent(x, y)),
    reference=_power_reference,
    lower=Intrinsic("llvm.pow"),
    standard=sympy.Pow,
    domain=((0.1, 4.0), (-3.0, 3.0)),
    precise=lambda x, y: mpmath.power(x, y),
    public=False,
    infix="^",
)


root = Elementwise(
    name="root",
    arity=1,
    summary="the square root of a sum of squares: its derivative at 0 is 0",
    partials=lambda s: (select(equal(s, ZERO), ZERO, divide(Constant(0.5), root(s))),),
    reference=lambda s: _root_reference(s),
    lower=Intrinsic("llvm.sqrt"),
    standard=sympy.sqrt,
    domain=((0.0, 9.0),),
    precise=mpmath.sqrt,
    public=False,
)


def _root_reference(s: Values) -> Values:
    if not np.iscomplexobj(s):
        return np.sqrt(s)
    value = np.sqrt(np.real(s))
    return value + 1j * np.where(value == 0, 0.0, 0.5 * np.imag(s) / np.where(value == 0, 1, value))


def _integer_power_reference(x: Values, n: Values) -> Values:
    exponent = int(np.real(np.asarray(n)).flat[0])
    return np.power(x, exponent) if exponent >= 0 else 1 / np.power(x, -exponent)


integer_power = Elementwise(
    name="integer_power",
    arity=2,
    summary="x ^ n for a constant integer n, exact at any sign of x",
    partials=lambda x, n: (
        sympy.Mul(Constant(int(n)), power_by_integer(x, int(n) - 1)),
        S.Zero,
    ),
    reference=_integer_power_reference,
    lower=Builtin("integer_power"),
    standard=sympy.Pow,
    domain=((0.25, 4.0), (2.0, 2.0)),
    precise=lambda x, n: mpmath.power(x, int(n)),
    public=False,
    infix="^",
)


def power_by_integer(x: sympy.Expr, n: int) -> sympy.Expr:
    """x^n as a node; x^0 is 1 and x^1 is x."""
    if n == 0:
        return ONE
    return x if n == 1 else integer_power(x, sympy.Integer(n))


def _extremum(
    name: str,
    choose: Callable[..., Any],
    first_wins: Elementwise,
    precise: Callable[..., Any],
    function: Callable[..., Any],
) -> Elementwise:
    """Binary max or min: nan spreads, and the derivative goes whole to the first winner."""

    def reference(a: Values, b: Values) -> Values:
        if not has_imaginary_part(a, b):
            return choose(a, b)
        first = np.real(first_wins.reference(a, b)) != 0
        return np.where(np.isnan(a) | np.isnan(b), a + b, np.where(first, a, b))

    return Elementwise(
        name=name,
        arity=2,
        summary=f"the {name} of a and b; its derivative goes to the first winner",
        partials=lambda a, b: (
            select(first_wins(a, b), ONE, ZERO),
            select(first_wins(a, b), ZERO, ONE),
        ),
        tangent=lambda args, changes: _choose(first_wins(*args), *changes),
        reference=reference,
        lower=Builtin(name),
        standard=function,
        domain=(_ANY, _ANY),
        precise=precise,
        finite=True,
        analytic=False,
        public=False,
    )


maximum = _extremum("maximum", np.maximum, greater_equal, lambda a, b: max(a, b), sympy.Max)
minimum = _extremum("minimum", np.minimum, less_equal, lambda a, b: min(a, b), sympy.Min)
