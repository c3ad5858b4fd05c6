"""Values of every kind of expression, against SymPy's own evaluation to 30 digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sympy
from sympy.codegen.cfunctions import Cbrt, Sqrt, exp2, expm1, fma, hypot, log1p, log2, log10
from sympy.codegen.numpy_nodes import logaddexp

import symopt

x, y = sympy.symbols("x y", real=True)
HALF, THIRD = sympy.Rational(1, 2), sympy.Rational(1, 3)

WIDE = (-700.0, -40.5, -3.7, -1.0, -0.3, -1e-9, 0.0, 1e-12, 0.25, 1.0, 2.5, 36.6, 700.0)
POSITIVE = (1e-30, 1e-9, 0.25, 1.0, 1.5, 2.0, 37.5, 1e10, 1e300)
UNIT = (-1.0, -0.999, -0.3, -1e-9, 0.0, 1e-9, 0.5, 0.999, 1.0)
MIDDLE = (-20.3, -4.5, -2.5, -0.7, -1e-5, 1e-5, 0.3, 1.4, 7.25, 100.5)

# Where to look, what at: expressions of x. Relative errors are some units in the last place, of
# each of the few functions that a line has.
CASES: tuple[tuple[Sequence[float], tuple[Any, ...]], ...] = (
    (
        WIDE,
        (
            *(x**3 - 2 * x + sympy.Rational(1, 7), -x, x / 3, 2**x, x + sympy.pi, sympy.Integer(5)),
            *(sympy.exp(x / 8), sympy.sin(x), sympy.cos(x), sympy.tanh(x), sympy.atan(x)),
            *(sympy.asinh(x), sympy.erf(x), sympy.sinc(x), sympy.Abs(x), sympy.sign(x)),
            *(sympy.floor(x), sympy.ceiling(x), sympy.frac(x + HALF), sympy.Mod(x, 3)),
            *(sympy.Heaviside(x), sympy.Heaviside(x, 1), sympy.Max(x, 1, -2), sympy.Min(x, x**2)),
            *(sympy.acot(x), sympy.sech(x), expm1(x / 8), exp2(x), hypot(x, 3)),
            *(sympy.re(x), sympy.im(x), sympy.conjugate(x), fma(x, 2, 1), logaddexp(x, 1)),
            *(sympy.Float(0.1) * x, sympy.E**x, sympy.UnevaluatedExpr(x) + 1),
        ),
    ),
    (
        POSITIVE,
        (
            *(sympy.log(x), sympy.sqrt(x), 1 / x, x**-HALF, x ** sympy.Rational(3, 2), x**0.5),
            *(x**-1.0, 1 / sympy.sqrt(x), sympy.log(x, 3)),
            *(log2(x), log10(x), log1p(x), Sqrt(x), sympy.atan2(x, 2), sympy.acoth(x + 2)),
            *(sympy.sqrt(2) * x / sympy.sqrt(3), sympy.asec(2 + x), sympy.acsc(2 + x), Cbrt(x)),
        ),
    ),
    (
        UNIT,
        (
            *(sympy.asin(x), sympy.acos(x), sympy.acosh(3 + x), sympy.atanh(x / 2), sympy.sinh(x)),
            *(sympy.cosh(x), sympy.asech((2 + x) / 4), sympy.erfc(3 * x), sympy.tan(x)),
            *(sympy.sec(x), sympy.exp(x) ** 2, x**31, (2 + x) ** 33, (x + 3) ** -5, x**0),
        ),
    ),
    (
        MIDDLE,
        (
            *(sympy.gamma(x), sympy.loggamma(x**2), sympy.digamma(x), sympy.polygamma(1, x)),
            *(sympy.polygamma(3, x), sympy.factorial(sympy.Abs(x) / 8), sympy.cot(x), sympy.csc(x)),
            *(sympy.csch(x), sympy.coth(x), sympy.asinh(1 / x), sympy.acsch(x), 1 / (x**2 + x * y)),
            *((x - y) / (x + y) / sympy.sqrt(x**2 + 1), x**-2 * y**3 / 7, (x**2) ** y, y**x),
            *((x**2) ** THIRD, (x**2) ** -THIRD, (x**2) ** sympy.pi),
        ),
    ),
)
Y = 1.75


def exact(expression: Any, point: float, other: float = Y) -> float:
    """The value to 30 digits of 60, rounded to a double; nan where there is none."""
    values = {x: sympy.Float(point, 60), y: sympy.Float(other, 60)}
    found = sympy.sympify(expression).xreplace(values)
    if found in (sympy.true, sympy.false):
        return float(bool(found))
    value = sympy.N(sympy.expand_func(found).doit(), 30)
    if value in (sympy.zoo, sympy.nan):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, float(sympy.sign(value)))


def agrees(found: float, wanted: float, size: float = 1.0) -> bool:
    """Within 20 units in the last place, or of 1e-15 near a zero of a function of order 1."""
    if math.isnan(wanted) or math.isinf(wanted):
        return found == wanted or (math.isnan(wanted) and not math.isfinite(found))
    return abs(found - wanted) <= 4.5e-15 * abs(wanted) + 1e-15 * size * (abs(wanted) > 1e-290)


@pytest.mark.parametrize("case", CASES, ids=("wide", "positive", "unit", "middle"))
def test_values(case: tuple[Sequence[float], tuple[Any, ...]]) -> None:
    points, expressions = case
    compiled = symopt.lambdify([x, y], expressions)
    numbers = [compiled(point, Y) for point in points]
    arrays = compiled(np.array(points), Y)
    wrong = []
    for k, expression in enumerate(expressions):
        for at, point in enumerate(points):
            wanted = exact(expression, point)
            for found in (numbers[at][k], arrays[k][at]):
                if not agrees(found, wanted):
                    wrong.append((expression, point, found, wanted))
    assert wrong == []


def test_conditions() -> None:
    """Relations and connectives, alone and in choices."""
    expressions = (
        *(x < 1, x <= 1, x > 1, x >= 1, sympy.Eq(x, 1), sympy.Ne(x, 1), sympy.true, sympy.false),
        *(
            sympy.And(x > 0, x < 2, y > 0),
            sympy.Or(x < 0, x > 2),
            sympy.Not(sympy.And(x > 0, y > x)),
        ),
        *(sympy.Xor(x > 0, x > 1), sympy.Xor(x > 0, x > 1, x > 2), sympy.Nand(x > 0, x < 2)),
        sympy.Nor(x > 0, x < -2),
        sympy.ITE(x > 0, y > 0, x < -1),
        sympy.Implies(x > 0, x > 1),
    )
    choices = (
        sympy.Piecewise((x, x < 0), (x**2, x < 1), (sympy.sqrt(x), True)),
        sympy.Piecewise((1 / x, sympy.Ne(x, 0)), (7, True)),
        sympy.Piecewise((sympy.log(x), x > 0), (0, True)) + 1,
    )
    compiled = symopt.lambdify([x, y], (*expressions, *choices))
    for point in (-3.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0):
        found = compiled(point, Y)
        assert found[: len(expressions)] == tuple(bool(exact(e, point)) for e in expressions)
        for value, choice in zip(found[len(expressions) :], choices, strict=True):
            assert agrees(value, exact(choice, point)), (choice, point)
    many = compiled(np.array([-3.0, 0.5, 3.0]), Y)
    assert [value.dtype.kind for value in many] == ["b"] * len(expressions) + ["f"] * len(choices)


def test_no_branch_is_nan() -> None:
    compiled = symopt.lambdify(x, sympy.Piecewise((x, x > 0)))
    assert compiled(2.0) == 2.0
    assert math.isnan(compiled(-2.0))


def test_special_arguments_follow_ieee() -> None:
    inf, nan = math.inf, math.nan
    compiled = symopt.lambdify(x, (1 / x, sympy.exp(x), sympy.log(x), sympy.sqrt(x), x**2))
    assert compiled(inf) == (0.0, inf, inf, inf, inf)
    assert compiled(0.0) == (inf, 1.0, -inf, 0.0, 0.0)
    assert compiled(-inf)[:2] == (-0.0, 0.0)
    assert all(map(math.isnan, compiled(nan)))
    assert all(map(math.isnan, compiled(-1.0)[2:4]))


def test_constants() -> None:
    wanted = (math.pi, math.e, math.inf, -math.inf, 1 / 3, math.sqrt(2), 1e300, 2.5, 7.0)
    constants = (
        *(sympy.pi, sympy.E, sympy.oo, -sympy.oo, THIRD, sympy.sqrt(2), sympy.Integer(10) ** 300),
        *(2.5, 7),
    )
    assert symopt.lambdify([], constants)() == wanted
    assert symopt.lambdify([], sympy.Integer(10) ** 400)() == math.inf
    assert math.isnan(symopt.lambdify([], sympy.zoo)())
    assert symopt.lambdify([], sympy.GoldenRatio)() == (1 + math.sqrt(5)) / 2


def test_integers_are_doubles() -> None:
    """Unlike in Python, division of integers is division of reals, and powers may be negative."""
    compiled = symopt.lambdify([x, y], [x / y, x**-2, x // y])
    assert compiled(7, 2) == [3.5, 1 / 49, 3.0]
    assert compiled(np.array([7]), np.array([2]))[1] == pytest.approx(1 / 49, rel=1e-15)
