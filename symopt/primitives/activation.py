"""Activations and their inverses, and the normal density: the links of statistical models."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import sympy
from sympy import S

from symopt.primitives.complex_step import Values, to_first_order
from symopt.primitives.elementary import absolute, exp, expm1, log, log1p
from symopt.primitives.operators import (
    ONE,
    ZERO,
    divide,
    equal,
    greater,
    greater_equal,
    less,
    maximum,
    minimum,
    power_by_integer,
    select,
    smul,
)
from symopt.primitives.record import Constant, Elementwise, Expand
from symopt.primitives.special import erfc

# ── the logistic function and what is built on it ────────────────────────────────────────────


def _decay(x: sympy.Expr) -> sympy.Expr:
    return exp(-absolute(x))  # in (0, 1], so that nothing below overflows


def _sigmoid(x: Values) -> Values:
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, decay) / (1 + decay)


def _sigmoid_slope(x: Values) -> Values:
    return _sigmoid(x) * _sigmoid(-x)


sigmoid = Elementwise(
    name="sigmoid",
    arity=1,
    summary="1 / (1 + exp(-x)), the inverse of logit",
    # y*(1 - y) would round to 0 beyond x = 37.
    partials=lambda x: (sigmoid(x) * sigmoid(-x),),
    reference=to_first_order(_sigmoid, _sigmoid_slope),
    lower=Expand(lambda x: divide(select(greater_equal(x, ZERO), ONE, _decay(x)), ONE + _decay(x))),
    standard=lambda x: 1 / (1 + sympy.exp(-x)),
    domain=((-700.0, 700.0),),
    precise=lambda x: 1 / (1 + mpmath.exp(-x)),
    finite=True,
)

log_sigmoid = Elementwise(
    name="log_sigmoid",
    arity=1,
    summary="log(sigmoid(x)), without underflow",
    partials=lambda x: (sigmoid(-x),),
    reference=to_first_order(lambda x: -np.logaddexp(0, -x), lambda x: _sigmoid(-x)),
    lower=Expand(lambda x: minimum(x, ZERO) - log1p(_decay(x))),
    standard=lambda x: -sympy.log(1 + sympy.exp(-x)),
    domain=((-700.0, 700.0),),
    precise=lambda x: -mpmath.log1p(mpmath.exp(-x)),
    finite=True,
)

softplus = Elementwise(
    name="softplus",
    arity=1,
    summary="log(1 + exp(x)), without overflow",
    partials=lambda x: (sigmoid(x),),
    reference=to_first_order(lambda x: np.logaddexp(0, x), _sigmoid),
    lower=Expand(lambda x: maximum(x, ZERO) + log1p(_decay(x))),
    standard=lambda x: sympy.log(1 + sympy.exp(x)),
    domain=((-700.0, 700.0),),
    precise=lambda x: mpmath.log1p(mpmath.exp(x)),
    finite=True,
)


# ── logarithms of sums and differences of exponentials ───────────────────────────────────────


def _log1mexp(x: Values) -> Values:
    return np.where(x > -math.log(2), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


log1mexp = Elementwise(
    name="log1mexp",
    arity=1,
    summary="log(1 - exp(x)) for x < 0, accurate near 0 and far from it",
    # Of the forms of this slope, the one whose own slope neither cancels nor overflows.
    partials=lambda x: (divide(exp(x), expm1(x)),),
    reference=to_first_order(_log1mexp, lambda x: np.exp(x) / np.expm1(x)),
    lower=Expand(
        lambda x: select(greater(x, Constant(-math.log(2))), log(-expm1(x)), log1p(-exp(x)))
    ),
    standard=lambda x: sympy.log(1 - sympy.exp(x)),
    domain=((-700.0, 0.0),),
    precise=lambda x: mpmath.log1p(-mpmath.exp(x)) if x < -1 else mpmath.log(-mpmath.expm1(x)),
    public=False,
)


def _log_add_exp_expansion(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    # Equal infinities have no difference.
    tied = x + Constant(math.log(2))
    return select(equal(x, y), tied, maximum(x, y) + log1p(_decay(x - y)))


log_add_exp = Elementwise(
    name="log_add_exp",
    arity=2,
    summary="log(exp(x) + exp(y)), without overflow",
    partials=lambda x, y: (sigmoid(x - y), sigmoid(y - x)),
    reference=to_first_order(
        np.logaddexp, lambda x, y: _sigmoid(x - y), lambda x, y: _sigmoid(y - x)
    ),
    lower=Expand(_log_add_exp_expansion),
    standard=lambda x, y: sympy.log(sympy.exp(x) + sympy.exp(y)),
    domain=((-700.0, 700.0), (-700.0, 700.0)),
    precise=lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    finite=True,
    public=False,
)

# ── units ────────────────────────────────────────────────────────────────────────────────────


def _silu_expansion(x: sympy.Expr) -> sympy.Expr:
    # The strong product makes silu(-inf) the limit 0.
    weight = select(greater_equal(x, ZERO), ONE, _decay(x))
    return divide(smul(weight, x), ONE + _decay(x))


silu = Elementwise(
    name="silu",
    arity=1,
    summary="x * sigmoid(x)",
    partials=lambda x: (sigmoid(x) * (ONE + x * sigmoid(-x)),),
    reference=to_first_order(
        lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x))
    ),
    lower=Expand(_silu_expansion),
    standard=lambda x: x / (1 + sympy.exp(-x)),
    domain=((-700.0, 700.0),),
    precise=lambda x: x / (1 + mpmath.exp(-x)),
    finite=True,
)


def _logit_expansion(p: sympy.Expr) -> sympy.Expr:
    rest = ONE - p
    # p/(1 - p) is 1 + (2p - 1)/(1 - p), whose second term is exact near p = 1/2.
    excess = divide(Constant(2.0) * p - ONE, rest)
    return select(less(p, Constant(0.25)), log(divide(p, rest)), log1p(excess))


def _logit(p: Values) -> Values:
    return np.where(p < 0.25, np.log(p / (1 - p)), np.log1p((2 * p - 1) / (1 - p)))


logit = Elementwise(
    name="logit",
    arity=1,
    summary="log(p / (1 - p)), the inverse of sigmoid",
    defined="0 < p < 1",
    partials=lambda p: (divide(ONE, p * (ONE - p)),),
    reference=to_first_order(_logit, lambda p: 1 / (p * (1 - p))),
    lower=Expand(_logit_expansion),
    standard=lambda p: sympy.log(p / (1 - p)),
    domain=((0.0, 1.0),),
    precise=lambda p: mpmath.log(p / (1 - p)),
    arguments=("p",),
)

# ── rectified and Gaussian units ─────────────────────────────────────────────────────────────


def _relu_tangent(arguments: tuple[Any, ...], changes: tuple[Any, ...]) -> sympy.Expr:
    return select(greater(arguments[0], ZERO), changes[0], S.Zero)


relu = Elementwise(
    name="relu",
    arity=1,
    summary="max(x, 0); its derivative at 0 is 0",
    kink="x = 0: 0",
    partials=lambda x: (greater(x, ZERO),),
    tangent=_relu_tangent,
    reference=to_first_order(lambda x: np.maximum(x, 0.0), lambda x: np.where(x > 0, 1.0, 0.0)),
    lower=Expand(lambda x: maximum(x, ZERO)),
    domain=((-1e300, 1e300),),
    precise=lambda x: max(x, mpmath.mpf(0)),
    finite=True,
    analytic=False,
)

_ROOT_HALF = math.sqrt(0.5)
_DENSITY_AT_ZERO = 1 / math.sqrt(2 * math.pi)


def _normal_density(x: Values) -> Values:
    return _DENSITY_AT_ZERO * np.exp(-0.5 * x * x)


def _normal_distribution(x: Values) -> Values:
    from scipy.special import ndtr

    return ndtr(x)


normal_density = Elementwise(
    name="normal_density",
    arity=1,
    summary="the density of the standard normal distribution; error x^2 / 2 ulp in the tails",
    partials=lambda x: (-(x * normal_density(x)),),
    reference=to_first_order(_normal_density, lambda x: -x * _normal_density(x)),
    lower=Expand(
        lambda x: Constant(_DENSITY_AT_ZERO) * exp(Constant(-0.5) * power_by_integer(x, 2))
    ),
    standard=lambda x: sympy.exp(-(x**2) / 2) / sympy.sqrt(2 * sympy.pi),
    domain=((-37.0, 37.0),),
    precise=mpmath.npdf,
    finite=True,
    public=False,
)

normal_distribution = Elementwise(
    name="normal_distribution",
    arity=1,
    summary="the standard normal distribution function; error x^2 ulp in the left tail",
    partials=lambda x: (normal_density(x),),
    reference=to_first_order(_normal_distribution, _normal_density),
    lower=Expand(lambda x: Constant(0.5) * erfc(Constant(-_ROOT_HALF) * x)),
    standard=lambda x: sympy.erfc(-x / sympy.sqrt(2)) / 2,
    domain=((-37.0, 12.0),),
    precise=mpmath.ncdf,
    finite=True,
    public=False,
)

gelu = Elementwise(
    name="gelu",
    arity=1,
    summary="x times the normal distribution function of x: the exact form",
    partials=lambda x: (normal_distribution(x) + x * normal_density(x),),
    reference=to_first_order(
        lambda x: x * _normal_distribution(x),
        lambda x: _normal_distribution(x) + x * _normal_density(x),
    ),
    # The strong product makes gelu(-inf) the limit 0.
    lower=Expand(lambda x: smul(normal_distribution(x), x)),
    domain=((-37.0, 12.0),),
    precise=lambda x: x * mpmath.ncdf(x),
    finite=True,
)

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def _standardised(x: Values, mu: Values, sigma: Values) -> Values:
    return (x - mu) / sigma


def _normal_logpdf_partials(
    x: sympy.Expr, mu: sympy.Expr, sigma: sympy.Expr
) -> tuple[sympy.Expr, ...]:
    z = divide(x - mu, sigma)
    by_sigma = divide((z - ONE) * (z + ONE), sigma)
    return -divide(z, sigma), divide(z, sigma), by_sigma


normal_logpdf = Elementwise(
    name="normal_logpdf",
    arity=3,
    summary="the logarithm of the normal density with mean mu and standard deviation sigma",
    defined="sigma > 0",
    partials=_normal_logpdf_partials,
    reference=to_first_order(
        lambda x, mu, s: -0.5 * _standardised(x, mu, s) ** 2 - np.log(s) - _HALF_LOG_TWO_PI,
        lambda x, mu, s: -_standardised(x, mu, s) / s,
        lambda x, mu, s: _standardised(x, mu, s) / s,
        lambda x, mu, s: (_standardised(x, mu, s) - 1) * (_standardised(x, mu, s) + 1) / s,
    ),
    lower=Expand(
        lambda x, mu, sigma: (
            Constant(-0.5) * power_by_integer(divide(x - mu, sigma), 2)
            - log(sigma)
            - Constant(_HALF_LOG_TWO_PI)
        )
    ),
    standard=lambda x, mu, sigma: (
        -(((x - mu) / sigma) ** 2) / 2 - sympy.log(sigma) - sympy.log(2 * sympy.pi) / 2
    ),
    domain=((-5.0, 5.0), (-5.0, 5.0), (0.1, 10.0)),
    precise=lambda x, mu, sigma: (
        -(((x - mu) / sigma) ** 2) / 2 - mpmath.log(sigma) - mpmath.log(2 * mpmath.pi) / 2
    ),
    arguments=("x", "mu", "sigma"),
)
