"""Elementary functions: exponentials, roots, rounding, circular and hyperbolic functions."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import sympy

from symopt.primitives import standard
from symopt.primitives.complex_step import Values, complex_from_parts, to_first_order
from symopt.primitives.operators import (
    ONE,
    ZERO,
    both,
    divide,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    maximum,
    minimum,
    power_by_integer,
    select,
)
from symopt.primitives.record import (
    Constant,
    Elementwise,
    Expand,
    Intrinsic,
    Libm,
    piecewise_constant,
)

_ANGLE = (-30.0, 30.0)

# ── exponentials and logarithms ──────────────────────────────────────────────────────────────

exp = Elementwise(
    name="exp",
    arity=1,
    summary="e to the power x",
    partials=lambda x: (exp(x),),
    reference=lambda x: np.exp(x),
    lower=Intrinsic("llvm.exp"),
    standard=standard.exponential,
    domain=((-700.0, 700.0),),
    precise=mpmath.exp,
    faithful=True,
)

expm1 = Elementwise(
    name="expm1",
    arity=1,
    summary="exp(x) - 1, accurate near x = 0",
    partials=lambda x: (exp(x),),
    reference=to_first_order(np.expm1, np.exp),
    lower=Libm("expm1"),
    standard=lambda x: sympy.exp(x) - 1,
    domain=((-50.0, 700.0),),
    precise=mpmath.expm1,
    faithful=True,
)

log = Elementwise(
    name="log",
    arity=1,
    summary="the natural logarithm of x",
    defined="x > 0",
    partials=lambda x: (divide(ONE, x),),
    reference=to_first_order(np.log, np.reciprocal),
    lower=Intrinsic("llvm.log"),
    standard=sympy.log,
    domain=((1e-300, 1e300),),
    precise=mpmath.log,
    faithful=True,
    passes_on=True,
)

log1p = Elementwise(
    name="log1p",
    arity=1,
    summary="log(1 + x), accurate near x = 0",
    defined="x > -1",
    partials=lambda x: (divide(ONE, x + ONE),),
    reference=to_first_order(np.log1p, lambda x: 1 / (1 + x)),
    lower=Libm("log1p"),
    standard=lambda x: sympy.log(1 + x),
    domain=((-0.999, 1e300),),
    precise=mpmath.log1p,
    faithful=True,
)

_LOG2_E, _LOG10_E = 1.4426950408889634, 0.4342944819032518

log2 = Elementwise(
    name="log2",
    arity=1,
    summary="the logarithm of x to base 2",
    defined="x > 0",
    partials=lambda x: (divide(Constant(_LOG2_E), x),),
    reference=to_first_order(np.log2, lambda x: _LOG2_E / x),
    lower=Intrinsic("llvm.log2"),
    standard=lambda x: sympy.log(x) / sympy.log(2),
    domain=((1e-300, 1e300),),
    precise=lambda x: mpmath.log(x, 2),
    faithful=True,
    passes_on=True,
)

log10 = Elementwise(
    name="log10",
    arity=1,
    summary="the logarithm of x to base 10",
    defined="x > 0",
    partials=lambda x: (divide(Constant(_LOG10_E), x),),
    reference=to_first_order(np.log10, lambda x: _LOG10_E / x),
    lower=Intrinsic("llvm.log10"),
    standard=lambda x: sympy.log(x) / sympy.log(10),
    domain=((1e-300, 1e300),),
    precise=mpmath.log10,
    faithful=True,
    passes_on=True,
)

# ── roots and lengths ────────────────────────────────────────────────────────────────────────

sqrt = Elementwise(
    name="sqrt",
    arity=1,
    summary="the square root of x",
    defined="x ≥ 0",
    kink="x = 0: infinite slope",
    partials=lambda x: (divide(Constant(0.5), sqrt(x)),),
    reference=to_first_order(np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    lower=Intrinsic("llvm.sqrt"),
    standard=sympy.sqrt,
    domain=((1e-300, 1e300),),
    precise=mpmath.sqrt,
    passes_on=True,
)

cbrt = Elementwise(
    name="cbrt",
    arity=1,
    summary="the real cube root of x, of either sign",
    kink="x = 0: infinite slope",
    partials=lambda x: (divide(ONE, Constant(3.0) * power_by_integer(cbrt(x), 2)),),
    reference=to_first_order(np.cbrt, lambda x: 1 / (3 * np.cbrt(x) ** 2)),
    lower=Libm("cbrt"),
    standard=lambda x: sympy.sign(x) * sympy.cbrt(sympy.Abs(x)),
    domain=((-1e300, 1e300),),
    precise=lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
)


def _component(x: sympy.Expr, length: sympy.Expr) -> sympy.Expr:
    return select(equal(length, ZERO), ZERO, divide(x, length))


def _real_component(x: Values, length: Values) -> Values:
    return np.divide(x, np.where(length == 0, 1.0, length))


def _hypot_expansion(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    # Scaled by a power of two, which is exact, where a square would be too large or too small.
    longer = maximum(absolute(x), absolute(y))
    scale = select(
        greater(longer, Constant(2.0**500)),
        Constant(2.0**-600),
        select(less(longer, Constant(2.0**-450)), Constant(2.0**600), ONE),
    )
    back = select(
        greater(longer, Constant(2.0**500)),
        Constant(2.0**600),
        select(less(longer, Constant(2.0**-450)), Constant(2.0**-600), ONE),
    )
    squares = power_by_integer(x * scale, 2) + power_by_integer(y * scale, 2)
    return sqrt(squares) * back


hypot = Elementwise(
    name="hypot",
    arity=2,
    summary="sqrt(x^2 + y^2) without overflow; its derivative at (0, 0) is 0, like that of norm",
    kink="(0, 0): 0",
    partials=lambda x, y: (_component(x, hypot(x, y)), _component(y, hypot(x, y))),
    reference=to_first_order(
        np.hypot,
        lambda x, y: _real_component(x, np.hypot(x, y)),
        lambda x, y: _real_component(y, np.hypot(x, y)),
    ),
    lower=Expand(_hypot_expansion),
    standard=lambda x, y: sympy.sqrt(x**2 + y**2),
    domain=((-1e200, 1e200), (-1e200, 1e200)),
    precise=mpmath.hypot,
    arguments=("x", "y"),
)

# ── sign and rounding ────────────────────────────────────────────────────────────────────────


def _absolute_reference(x: Values) -> Values:
    if not np.iscomplexobj(x):
        return np.abs(x)
    return complex_from_parts(np.abs(np.real(x)), np.sign(np.real(x)) * np.imag(x))


absolute = Elementwise(
    name="abs",
    arity=1,
    summary="the absolute value of x; its derivative at 0 is 0",
    kink="x = 0: 0",
    partials=lambda x: (sign(x),),
    reference=_absolute_reference,
    lower=Intrinsic("llvm.fabs"),
    standard=sympy.Abs,
    domain=((-1e300, 1e300),),
    precise=mpmath.fabs,
    finite=True,
    analytic=False,
    passes_on=True,
)

sign = Elementwise(
    name="sign",
    arity=1,
    summary="-1, 0 or 1: the sign of x",
    kink="x = 0: 0",
    partials=piecewise_constant(1),
    reference=lambda x: np.sign(np.real(x)),
    # The last branch is taken by zeros and nan alone, which are their own sign.
    lower=Expand(lambda x: select(greater(x, ZERO), ONE, select(less(x, ZERO), Constant(-1.0), x))),
    standard=sympy.sign,
    domain=((-1e300, 1e300),),
    precise=mpmath.sign,
    finite=True,
    analytic=False,
    constant=True,
)

floor = Elementwise(
    name="floor",
    arity=1,
    summary="the largest integer not above x",
    kink="whole numbers: 0",
    partials=piecewise_constant(1),
    reference=lambda x: np.floor(np.real(x)),
    lower=Intrinsic("llvm.floor"),
    standard=sympy.floor,
    domain=((-1e6, 1e6),),
    precise=mpmath.floor,
    finite=True,
    analytic=False,
    constant=True,
)

ceil = Elementwise(
    name="ceil",
    arity=1,
    summary="the smallest integer not below x",
    kink="whole numbers: 0",
    partials=piecewise_constant(1),
    reference=lambda x: np.ceil(np.real(x)),
    lower=Intrinsic("llvm.ceil"),
    standard=sympy.ceiling,
    domain=((-1e6, 1e6),),
    precise=mpmath.ceil,
    finite=True,
    analytic=False,
    constant=True,
)


def _clip_reference(x: Values, low: Values, high: Values) -> Values:
    return minimum.reference(maximum.reference(x, low), high)


def _clip_tangent(arguments: tuple[Any, ...], changes: tuple[Any, ...]) -> sympy.Expr:
    x, low, high = arguments
    assert maximum.tangent is not None and minimum.tangent is not None
    raised = maximum.tangent((x, low), changes[:2])
    return minimum.tangent((maximum(x, low), high), (raised, changes[2]))


clip = Elementwise(
    name="clip",
    arity=3,
    summary="x held between lo and hi; at a bound the derivative is that of x",
    kink="at a bound: the slope inside",
    partials=lambda x, low, high: (
        both(greater_equal(x, low), less_equal(x, high)),
        both(less(x, low), less_equal(low, high)),
        greater(maximum(x, low), high),
    ),
    tangent=_clip_tangent,
    reference=_clip_reference,
    lower=Expand(lambda x, low, high: minimum(maximum(x, low), high)),
    domain=((-5.0, 5.0), (-3.0, -1.0), (0.0, 3.0)),
    precise=lambda x, low, high: min(max(x, low), high),
    finite=True,
    analytic=False,
    arguments=("x", "lo", "hi"),
)

# ── circular functions ───────────────────────────────────────────────────────────────────────

sin = Elementwise(
    name="sin",
    arity=1,
    summary="the sine of x",
    partials=lambda x: (cos(x),),
    reference=lambda x: np.sin(x),
    lower=Intrinsic("llvm.sin"),
    standard=sympy.sin,
    domain=(_ANGLE,),
    precise=mpmath.sin,
    finite=True,
    passes_on=True,
)

cos = Elementwise(
    name="cos",
    arity=1,
    summary="the cosine of x",
    partials=lambda x: (-sin(x),),
    reference=lambda x: np.cos(x),
    lower=Intrinsic("llvm.cos"),
    standard=sympy.cos,
    domain=(_ANGLE,),
    precise=mpmath.cos,
    finite=True,
    passes_on=True,
)

tan = Elementwise(
    name="tan",
    arity=1,
    summary="the tangent of x",
    defined="cos x ≠ 0",
    partials=lambda x: (power_by_integer(tan(x), 2) + ONE,),
    reference=to_first_order(np.tan, lambda x: 1 + np.tan(x) ** 2),
    lower=Intrinsic("llvm.tan"),
    standard=sympy.tan,
    domain=(_ANGLE,),
    precise=mpmath.tan,
)


def _root_of_one_minus_square(x: sympy.Expr) -> sympy.Expr:
    return sqrt((ONE - x) * (ONE + x))  # 1 - x^2 without its cancellation near x = ±1


def _asin_derivative(x: Values) -> Values:
    return 1 / np.sqrt((1 - x) * (1 + x))


asin = Elementwise(
    name="asin",
    arity=1,
    summary="the angle in [-pi/2, pi/2] whose sine is x",
    defined="-1 ≤ x ≤ 1",
    kink="x = ±1: infinite slope",
    partials=lambda x: (divide(ONE, _root_of_one_minus_square(x)),),
    reference=to_first_order(np.arcsin, _asin_derivative),
    lower=Intrinsic("llvm.asin"),
    standard=sympy.asin,
    domain=((-1.0, 1.0),),
    precise=mpmath.asin,
)

acos = Elementwise(
    name="acos",
    arity=1,
    summary="the angle in [0, pi] whose cosine is x",
    defined="-1 ≤ x ≤ 1",
    kink="x = ±1: infinite slope",
    partials=lambda x: (-divide(ONE, _root_of_one_minus_square(x)),),
    reference=to_first_order(np.arccos, lambda x: -_asin_derivative(x)),
    lower=Intrinsic("llvm.acos"),
    standard=sympy.acos,
    domain=((-1.0, 1.0),),
    precise=mpmath.acos,
)

atan = Elementwise(
    name="atan",
    arity=1,
    summary="the angle in (-pi/2, pi/2) whose tangent is x",
    partials=lambda x: (divide(ONE, power_by_integer(x, 2) + ONE),),
    reference=to_first_order(np.arctan, lambda x: 1 / (1 + x * x)),
    lower=Intrinsic("llvm.atan"),
    standard=sympy.atan,
    domain=((-1e100, 1e100),),
    precise=mpmath.atan,
    finite=True,
)


def _over_squared_length(a: sympy.Expr, x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    return divide(divide(a, hypot(x, y)), hypot(x, y))  # the square itself may overflow


atan2 = Elementwise(
    name="atan2",
    arity=2,
    summary="the angle in [-pi, pi] of the point (x, y); the arguments are y, x",
    kink="jumps where y = 0, x < 0: the slope beside it",
    partials=lambda y, x: (_over_squared_length(x, x, y), -_over_squared_length(y, x, y)),
    reference=to_first_order(
        np.arctan2,
        lambda y, x: x / np.hypot(x, y) / np.hypot(x, y),
        lambda y, x: -y / np.hypot(x, y) / np.hypot(x, y),
    ),
    lower=Intrinsic("llvm.atan2"),
    standard=sympy.atan2,
    domain=((-5.0, 5.0), (-5.0, 5.0)),
    precise=mpmath.atan2,
    arguments=("y", "x"),
)

# ── hyperbolic functions ─────────────────────────────────────────────────────────────────────

sinh = Elementwise(
    name="sinh",
    arity=1,
    summary="the hyperbolic sine of x",
    partials=lambda x: (cosh(x),),
    reference=lambda x: np.sinh(x),
    lower=Intrinsic("llvm.sinh"),
    standard=sympy.sinh,
    domain=((-700.0, 700.0),),
    precise=mpmath.sinh,
)

cosh = Elementwise(
    name="cosh",
    arity=1,
    summary="the hyperbolic cosine of x",
    partials=lambda x: (sinh(x),),
    reference=lambda x: np.cosh(x),
    lower=Intrinsic("llvm.cosh"),
    standard=sympy.cosh,
    domain=((-700.0, 700.0),),
    precise=mpmath.cosh,
)

tanh = Elementwise(
    name="tanh",
    arity=1,
    summary="the hyperbolic tangent of x",
    partials=lambda x: (sech_squared(x),),
    reference=to_first_order(np.tanh, lambda x: _sech_squared(x)),
    lower=Intrinsic("llvm.tanh"),
    standard=sympy.tanh,
    domain=((-400.0, 400.0),),
    precise=mpmath.tanh,
    finite=True,
)


def _sech_squared(x: Values) -> Values:
    decay = np.exp(-2 * np.abs(x))
    return 4 * decay / (1 + decay) ** 2


def _sech_squared_expansion(x: sympy.Expr) -> sympy.Expr:
    decay = exp(Constant(-2.0) * absolute(x))
    return divide(Constant(4.0) * decay, power_by_integer(ONE + decay, 2))


sech_squared = Elementwise(
    name="sech_squared",
    arity=1,
    summary="1 - tanh(x)^2, accurate where tanh(x) rounds to 1",
    partials=lambda x: (Constant(-2.0) * tanh(x) * sech_squared(x),),
    reference=to_first_order(_sech_squared, lambda x: -2 * np.tanh(x) * _sech_squared(x)),
    lower=Expand(_sech_squared_expansion),
    standard=lambda x: 1 - sympy.tanh(x) ** 2,
    domain=((-340.0, 340.0),),
    precise=lambda x: mpmath.sech(x) ** 2,
    finite=True,
    public=False,
)


def _log_cosh(x: Values) -> Values:
    size = np.abs(x)
    near = np.log1p(2 * np.sinh(np.minimum(size, 1.0) / 2) ** 2)
    return np.where(size < 1, near, size + np.log1p(np.exp(-2 * size)) - math.log(2))


def _log_cosh_expansion(x: sympy.Expr) -> sympy.Expr:
    size = absolute(x)
    near = log1p(Constant(2.0) * power_by_integer(sinh(Constant(0.5) * x), 2))
    far = size + log1p(exp(Constant(-2.0) * size)) - Constant(math.log(2))
    return select(less(size, ONE), near, far)


log_cosh = Elementwise(
    name="log_cosh",
    arity=1,
    summary="log(cosh(x)), without overflow and accurate near 0",
    partials=lambda x: (tanh(x),),
    reference=to_first_order(_log_cosh, np.tanh),
    lower=Expand(_log_cosh_expansion),
    standard=lambda x: sympy.log(sympy.cosh(x)),
    domain=((-1e4, 1e4),),
    precise=lambda x: mpmath.log(mpmath.cosh(x)),
    finite=True,
    public=False,
)

asinh = Elementwise(
    name="asinh",
    arity=1,
    summary="the inverse hyperbolic sine of x",
    partials=lambda x: (divide(ONE, hypot(ONE, x)),),
    reference=to_first_order(np.arcsinh, lambda x: 1 / np.hypot(1, x)),
    lower=Libm("asinh"),
    standard=sympy.asinh,
    domain=((-1e300, 1e300),),
    precise=mpmath.asinh,
    finite=True,
)

acosh = Elementwise(
    name="acosh",
    arity=1,
    summary="the inverse hyperbolic cosine of x",
    defined="x ≥ 1",
    kink="x = 1: infinite slope",
    partials=lambda x: (divide(ONE, sqrt(x - ONE) * sqrt(x + ONE)),),
    reference=to_first_order(np.arccosh, lambda x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1))),
    lower=Libm("acosh"),
    standard=sympy.acosh,
    domain=((1.0, 1e300),),
    precise=mpmath.acosh,
)

atanh = Elementwise(
    name="atanh",
    arity=1,
    summary="the inverse hyperbolic tangent of x",
    defined="-1 < x < 1",
    partials=lambda x: (divide(ONE, (ONE - x) * (ONE + x)),),
    reference=to_first_order(np.arctanh, lambda x: 1 / ((1 - x) * (1 + x))),
    lower=Libm("atanh"),
    standard=sympy.atanh,
    domain=((-1.0, 1.0),),
    precise=mpmath.atanh,
)
