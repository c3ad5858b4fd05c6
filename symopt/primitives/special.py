"""Special functions: error function, gamma family, sinc."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import sympy
from sympy import S

from symopt.primitives import standard
from symopt.primitives.complex_step import Values, to_first_order
from symopt.primitives.elementary import absolute, cos, exp, floor, log, sin, tan
from symopt.primitives.operators import (
    ONE,
    ZERO,
    divide,
    equal,
    less,
    power_by_integer,
    select,
)
from symopt.primitives.record import Constant, Elementwise, Expand, Libm

# ── error function ───────────────────────────────────────────────────────────────────────────

_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def _scipy_special(name: str, *arguments: Values) -> Values:
    from scipy import special  # only the reference meaning needs SciPy

    return getattr(special, name)(*arguments)


def _gaussian(x: Values) -> Values:
    return np.exp(-x * x)


gaussian = Elementwise(
    name="gaussian",
    arity=1,
    summary="exp(-x^2); error x^2 ulp in the tails",
    # Not -2*x*gaussian(x), in which -2*x may overflow.
    partials=lambda x: (divide(x * gaussian(x), Constant(-0.5)),),
    reference=to_first_order(_gaussian, lambda x: -2 * x * _gaussian(x)),
    lower=Expand(lambda x: exp(-power_by_integer(x, 2))),
    domain=((-26.0, 26.0),),
    precise=lambda x: mpmath.exp(-x * x),
    finite=True,
    public=False,
)

erf = Elementwise(
    name="erf",
    arity=1,
    summary="the error function",
    partials=lambda x: (Constant(_TWO_OVER_ROOT_PI) * gaussian(x),),
    reference=to_first_order(
        lambda x: _scipy_special("erf", x), lambda x: _TWO_OVER_ROOT_PI * _gaussian(x)
    ),
    lower=Libm("erf"),
    standard=sympy.erf,
    domain=((-12.0, 12.0),),
    precise=mpmath.erf,
    finite=True,
)

erfc = Elementwise(
    name="erfc",
    arity=1,
    summary="1 - erf(x), accurate for large x",
    partials=lambda x: (Constant(-_TWO_OVER_ROOT_PI) * gaussian(x),),
    reference=to_first_order(
        lambda x: _scipy_special("erfc", x), lambda x: -_TWO_OVER_ROOT_PI * _gaussian(x)
    ),
    lower=Libm("erfc"),
    standard=sympy.erfc,
    domain=((-12.0, 26.0),),
    precise=mpmath.erfc,
    finite=True,
)

# ── gamma family ─────────────────────────────────────────────────────────────────────────────

_FIRST_SHIFT = 10  # the asymptotic series is used from here + n on, with this many terms
_SERIES_TERMS = 10


def _cotangent_derivative(n: int) -> sympy.Poly:
    """The n-th derivative of cot as a polynomial in cot: P' -> -(1 + c^2) dP/dc."""
    c = sympy.Symbol("c")
    polynomial = sympy.Poly(c, c)
    for _ in range(n):
        polynomial = sympy.Poly(-(1 + c**2), c) * polynomial.diff(c)
    return polynomial


def _horner(coefficients: list[float], x: sympy.Expr) -> sympy.Expr:
    """The polynomial with the given coefficients, constant term first."""
    value: sympy.Expr = Constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + Constant(coefficient)
    return value


def _reflection_term(n: int, x: sympy.Expr) -> sympy.Expr:
    """pi times the n-th derivative of cot(pi x), with x first reduced by its nearest integer."""
    offset = x - floor(x + Constant(0.5))  # exact
    cotangent = divide(ONE, tan(Constant(math.pi) * offset))
    coefficients = [float(c) for c in reversed(_cotangent_derivative(n).all_coeffs())]
    # Every other coefficient is 0: the polynomial is odd for even n, and even for odd n.
    is_odd = n % 2 == 0
    value = _horner(coefficients[is_odd::2], power_by_integer(cotangent, 2))
    return Constant(math.pi ** (n + 1)) * (cotangent * value if is_odd else value)


def _asymptotic_coefficients(n: int) -> list[float]:
    """B_2k (2k + n - 1)! / (2k)! for k = 1, 2, ...: the series in 1/x^2 after its head."""
    return [
        float(sympy.bernoulli(2 * k) * math.factorial(2 * k + n - 1) / math.factorial(2 * k))
        for k in range(1, _SERIES_TERMS + 1)
    ]


def _unsigned_polygamma(n: int, x: sympy.Expr) -> sympy.Expr:
    """For x >= 0: -digamma(x) when n is 0, else |polygamma(n, x)|, a sum of positive terms."""
    shift = _FIRST_SHIFT + n
    small = less(x, Constant(float(shift)))
    shifted = select(small, x + Constant(float(shift)), x)
    start = select(small, x, ONE)  # the recurrence has no influence where nothing was shifted
    steps = sympy.Add(
        *(
            divide(Constant(float(math.factorial(n))), power_by_integer(_plus(start, k), n + 1))
            for k in range(shift)
        )
    )
    inverse = divide(ONE, shifted)
    square = power_by_integer(inverse, 2)
    tail = square * _horner(_asymptotic_coefficients(n), square)
    half = Constant(0.5 * math.factorial(n)) * inverse
    if n == 0:
        series = half + tail - log(shifted)
    else:
        head = Constant(float(math.factorial(n - 1)))
        series = power_by_integer(inverse, n) * (head + half + tail)
    return series + select(small, steps, ZERO)


def _plus(x: sympy.Expr, k: int) -> sympy.Expr:
    return x if k == 0 else x + Constant(float(k))


def _polygamma_expansion(order: sympy.Expr, x: sympy.Expr) -> sympy.Expr:
    n = int(order)
    negative = less(x, ZERO)
    # psi_n(x) = (-1)^n psi_n(1 - x) - pi d^n/dx^n cot(pi x)
    magnitude = _unsigned_polygamma(n, select(negative, ONE - x, x))
    value = magnitude if n % 2 == 1 else -magnitude
    return select(negative, -magnitude - _reflection_term(n, x), value)


def _polygamma_reference(n: int, x: Values) -> Values:
    x = np.asarray(x, dtype=np.float64)
    if n == 0:
        return _scipy_special("digamma", x)
    reflected = np.where(x < 0, 1 - x, x)
    value = _scipy_special("polygamma", n, reflected)
    offset = x - np.round(x)
    cotangent = 1 / np.tan(np.pi * np.where(offset == 0, 0.5, offset))
    polynomial = [float(c) for c in _cotangent_derivative(n).all_coeffs()]
    correction = np.pi ** (n + 1) * np.polyval(polynomial, cotangent)
    at_pole = (x < 0) & (offset == 0)
    return np.where(at_pole, np.nan, np.where(x < 0, (-1) ** n * value - correction, value))


def _order(n: Values) -> int:
    return int(np.real(np.asarray(n)).flat[0])


polygamma = Elementwise(
    name="polygamma",
    arity=2,
    summary="the n-th derivative of digamma for a constant integer n",
    partials=lambda n, x: (S.Zero, polygamma(sympy.Integer(int(n) + 1), x)),
    reference=lambda n, x: to_first_order(
        lambda real: _polygamma_reference(_order(n), real),
        lambda real: _polygamma_reference(_order(n) + 1, real),
    )(x),
    lower=Expand(_polygamma_expansion),
    standard=sympy.polygamma,
    domain=((1.0, 1.0), (-20.0, 60.0)),
    precise=lambda n, x: mpmath.polygamma(int(n), x),
    public=False,
    arguments=("n", "x"),
)

digamma = Elementwise(
    name="digamma",
    arity=1,
    summary="the derivative of lgamma; error 1e-15 of max(1, |digamma|) near its zeros",
    defined="x not in 0, -1, -2, ...",
    partials=lambda x: (polygamma(S.One, x),),
    reference=to_first_order(
        lambda x: _polygamma_reference(0, x), lambda x: _polygamma_reference(1, x)
    ),
    lower=Expand(lambda x: _polygamma_expansion(S.Zero, x)),
    standard=sympy.digamma,
    domain=((-20.0, 1e6),),
    precise=mpmath.digamma,
)

lgamma = Elementwise(
    name="lgamma",
    arity=1,
    summary="the logarithm of the absolute value of the gamma function",
    defined="x not in 0, -1, -2, ...",
    partials=lambda x: (digamma(x),),
    reference=to_first_order(
        lambda x: _scipy_special("gammaln", x), lambda x: _polygamma_reference(0, x)
    ),
    lower=Libm("lgamma"),
    standard=lambda x: sympy.log(sympy.Abs(sympy.gamma(x))),
    domain=((-20.0, 1e6),),
    precise=lambda x: mpmath.re(mpmath.loggamma(x)),
)

gamma = Elementwise(
    name="gamma",
    arity=1,
    summary="the gamma function",
    partials=lambda x: (sympy.Mul(gamma(x), digamma(x)),),
    reference=to_first_order(
        lambda x: _scipy_special("gamma", x),
        lambda x: _scipy_special("gamma", x) * _polygamma_reference(0, x),
    ),
    lower=Libm("tgamma"),
    standard=sympy.gamma,
    domain=((-20.0, 150.0),),
    precise=mpmath.gamma,
    public=False,
)

# ── sinc ─────────────────────────────────────────────────────────────────────────────────────


def _sinc_derivative_reference(n: int, x: Values) -> Values:
    """sinc is the mean of cos(t x) over t in [0, 1]; far out, the recurrence in n is stable."""
    x = np.asarray(x, dtype=np.float64)
    nodes, weights = np.polynomial.legendre.leggauss(32)
    times = 0.5 * (nodes + 1)
    angles = x[..., None] * times
    waves = (np.cos, np.sin)[n % 2](angles) * (1, -1, -1, 1)[n % 4]
    near = np.sum(0.5 * weights * times**n * waves, axis=-1)
    is_near = np.abs(x) < 4 + 2 * n
    return np.where(is_near, near, _sinc_recurrence(n, np.where(is_near, 1.0, x)))


def _sinc_recurrence(n: int, x: Values) -> Values:
    value = np.sin(x) / x
    sines = (np.sin(x), np.cos(x), -np.sin(x), -np.cos(x))
    for order in range(1, n + 1):
        value = (sines[order % 4] - order * value) / x
    return value


def _sinc_derivative_expansion(order: sympy.Expr, x: sympy.Expr) -> sympy.Expr:
    """The Taylor series near 0; else x f(n) + n f(n-1) = sin(n), solved upwards for f(n)."""
    n = int(order)
    limit = 1.5 + 0.75 * (n - 1)
    near = less(absolute(x), Constant(limit))
    apart = select(near, ONE, x)
    far = divide(sin(apart), apart)
    sines = (sin(apart), cos(apart), -sin(apart), -cos(apart))
    for k in range(1, n + 1):
        far = divide(sines[k % 4] - Constant(float(k)) * far, apart)
    return select(near, _sinc_series(n, limit, select(near, x, ZERO)), far)


def _sinc_series(n: int, limit: float, x: sympy.Expr) -> sympy.Expr:
    coefficients: list[float] = []
    k = (n + 1) // 2
    while not coefficients or limit ** (2 * k - n) / math.factorial(2 * k - n) > 1e-18:
        coefficients.append((-1) ** k / (math.factorial(2 * k - n) * (2 * k + 1)))
        k += 1
    even = _horner(coefficients, power_by_integer(x, 2))
    return even if n % 2 == 0 else x * even


sinc_derivative = Elementwise(
    name="sinc_derivative",
    arity=2,
    summary="the n-th derivative of sinc for a constant integer n >= 1; error 1e-15 absolute",
    partials=lambda n, x: (S.Zero, sinc_derivative(sympy.Integer(int(n) + 1), x)),
    reference=lambda n, x: to_first_order(
        lambda real: _sinc_derivative_reference(_order(n), real),
        lambda real: _sinc_derivative_reference(_order(n) + 1, real),
    )(x),
    lower=Expand(_sinc_derivative_expansion),
    standard=standard.sinc_derivative,
    domain=((1.0, 1.0), (-30.0, 30.0)),
    precise=lambda n, x: _precise_sinc_derivative(int(n), x),
    finite=True,
    public=False,
    arguments=("n", "x"),
)


def _precise_sinc_derivative(n: int, x: Values) -> Values:
    """The Taylor series, with the bits that its cancellation costs."""
    with mpmath.extraprec(int(3 * abs(x)) + 20):
        k = (n + 1) // 2
        total, term = mpmath.mpf(0), mpmath.mpf(1)
        while 2 * k < n + abs(x) or abs(term) > mpmath.eps * abs(total):
            term = (-1) ** k * x ** (2 * k - n) / (mpmath.factorial(2 * k - n) * (2 * k + 1))
            total, k = total + term, k + 1
        return total


def _sinc(x: Values) -> Values:
    apart = np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, np.sin(apart) / apart)


sinc = Elementwise(
    name="sinc",
    arity=1,
    summary="sin(x) / x, 1 at x = 0",
    partials=lambda x: (sinc_derivative(S.One, x),),
    reference=to_first_order(_sinc, lambda x: _sinc_derivative_reference(1, x)),
    lower=Expand(
        lambda x: select(equal(x, ZERO), ONE, divide(sin(x), select(equal(x, ZERO), ONE, x)))
    ),
    standard=sympy.sinc,
    domain=((-30.0, 30.0),),
    precise=lambda x: mpmath.sinc(x),
    finite=True,
)
