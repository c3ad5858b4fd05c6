"""Every function of the language in plain NumPy, for real numbers and the complex step.

A second implementation on purpose: what compiled code is tested against must not share its
formulas. `tests/artifacts/test_oracle_functions.py` holds all of it against the records of
`primitives/`, by which it is named. Generated test files carry copies of what they use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symopt.artifacts.oracle.runtime import Array, complex_of, first_order, of_real_parts, strong

# ── comparison and choice ────────────────────────────────────────────────────────────────────

less = of_real_parts(np.less)
less_equal = of_real_parts(np.less_equal)
greater = of_real_parts(np.greater)
greater_equal = of_real_parts(np.greater_equal)
equal = of_real_parts(np.equal)
not_equal = of_real_parts(np.not_equal)
both = of_real_parts(np.logical_and)
either = of_real_parts(np.logical_or)
negation = of_real_parts(np.logical_not)


def select(condition: Array, a: Array, b: Array) -> Array:
    """a where the condition is not 0, else b."""
    return np.where(np.real(condition) != 0, a, b)


def maximum(a: Array, b: Array) -> Array:
    """The larger one, the first of equal ones."""
    chosen = select(np.real(a) >= np.real(b), a, b)
    return np.where(np.isnan(np.real(a)) | np.isnan(np.real(b)), a + b, chosen)


def minimum(a: Array, b: Array) -> Array:
    """The smaller one, the first of equal ones."""
    chosen = select(np.real(a) <= np.real(b), a, b)
    return np.where(np.isnan(np.real(a)) | np.isnan(np.real(b)), a + b, chosen)


def clip(x: Array, low: Array, high: Array) -> Array:
    """x held between two bounds."""
    return minimum(maximum(x, low), high)


# ── arithmetic ───────────────────────────────────────────────────────────────────────────────


def smul(a: Array, b: Array) -> Array:
    """a*b, but 0 where a is 0, whatever b is."""
    ar, ai, br, bi = np.real(a), np.imag(a), np.real(b), np.imag(b)
    if not (np.iscomplexobj(a) or np.iscomplexobj(b)):
        return strong(ar, br)
    return complex_of(strong(ar, br), strong(ai, br) + strong(ar, bi))


floor_divide = of_real_parts(lambda a, b: np.floor(np.true_divide(a, b)))
remainder = first_order(np.mod, lambda a, b: 1.0, lambda a, b: -np.floor(np.true_divide(a, b)))
power = first_order(
    lambda x, y: np.power(1.0 * x, y),
    lambda x, y: np.where(np.equal(y, 0), 0.0, y * np.power(1.0 * x, y - 1.0)),
    lambda x, y: np.where((x == 0) & (y > 0), 0.0, np.power(1.0 * x, y) * np.log(x)),
)


def integer_power(x: Array, n: int) -> Array:
    """x to a whole power."""
    return x**n if n >= 0 else 1 / x**-n


root = first_order(np.sqrt, lambda s: np.where(s == 0, 0.0, 0.5 / np.sqrt(np.where(s == 0, 1, s))))

# ── elementary functions ─────────────────────────────────────────────────────────────────────

exp = np.exp
sin = np.sin
cos = np.cos
sinh = np.sinh
cosh = np.cosh
expm1 = first_order(np.expm1, np.exp)
log = first_order(np.log, lambda x: 1 / x)
log1p = first_order(np.log1p, lambda x: 1 / (1 + x))
log2 = first_order(np.log2, lambda x: 1 / (x * math.log(2)))
log10 = first_order(np.log10, lambda x: 1 / (x * math.log(10)))
sqrt = first_order(np.sqrt, lambda x: 0.5 / np.sqrt(x))
cbrt = first_order(np.cbrt, lambda x: 1 / (3 * np.cbrt(x) ** 2))


def share(x: Array, y: Array) -> Array:
    """x over the length of (x, y), 0 at the origin."""
    length = np.hypot(x, y)
    return x / np.where(length == 0, 1.0, length)


hypot = first_order(np.hypot, share, lambda x, y: share(y, x))
absolute = first_order(np.abs, np.sign)
sign = of_real_parts(np.sign)
floor = of_real_parts(np.floor)
ceil = of_real_parts(np.ceil)
tan = first_order(np.tan, lambda x: 1 + np.tan(x) ** 2)
asin = first_order(np.arcsin, lambda x: 1 / np.sqrt((1 - x) * (1 + x)))
acos = first_order(np.arccos, lambda x: -1 / np.sqrt((1 - x) * (1 + x)))
atan = first_order(np.arctan, lambda x: 1 / (1 + x * x))
atan2 = first_order(
    np.arctan2,
    lambda y, x: x / np.hypot(x, y) / np.hypot(x, y),
    lambda y, x: -y / np.hypot(x, y) / np.hypot(x, y),
)


def sech_of_real(x: Array) -> Array:
    """1 - tanh(x)^2 where tanh(x) may round to 1."""
    decay = np.exp(-2 * np.abs(x))
    return 4 * decay / (1 + decay) ** 2


tanh = first_order(np.tanh, sech_of_real)
sech_squared = first_order(sech_of_real, lambda x: -2 * np.tanh(x) * sech_of_real(x))


def log_cosh_of_real(x: Array) -> Array:
    """log(cosh(x)) without overflow, accurate near 0."""
    near = np.log1p(2 * np.sinh(np.clip(x, -1, 1) / 2) ** 2)
    far = np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - math.log(2)
    return np.where(np.abs(x) < 1, near, far)


log_cosh = first_order(log_cosh_of_real, np.tanh)
asinh = first_order(np.arcsinh, lambda x: 1 / np.hypot(1, x))
acosh = first_order(np.arccosh, lambda x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)))
atanh = first_order(np.arctanh, lambda x: 1 / ((1 - x) * (1 + x)))

# ── activations ──────────────────────────────────────────────────────────────────────────────


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow."""
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, decay) / (1 + decay)


sigmoid = first_order(logistic, lambda x: logistic(x) * logistic(-x))
log_sigmoid = first_order(lambda x: -np.logaddexp(0, -x), lambda x: logistic(-x))
softplus = first_order(lambda x: np.logaddexp(0, x), logistic)
log1mexp = first_order(
    lambda x: np.where(x > -math.log(2), np.log(-np.expm1(x)), np.log1p(-np.exp(x))),
    lambda x: np.exp(x) / np.expm1(x),
)
log_add_exp = first_order(np.logaddexp, lambda x, y: logistic(x - y), lambda x, y: logistic(y - x))
silu = first_order(lambda x: x * logistic(x), lambda x: logistic(x) * (1 + x * logistic(-x)))
logit = first_order(
    lambda p: np.where(p < 0.25, np.log(p / (1 - p)), np.log1p((2 * p - 1) / (1 - p))),
    lambda p: 1 / (p * (1 - p)),
)
relu = first_order(lambda x: np.maximum(x, 0.0), lambda x: np.where(x > 0, 1.0, 0.0))

# ── the error function and the normal distribution ───────────────────────────────────────────

bell = first_order(lambda x: np.exp(-x * x), lambda x: -2 * x * np.exp(-x * x))
gaussian = bell
erf = first_order(
    np.vectorize(math.erf, otypes=[float]), lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x)
)
erfc = first_order(
    np.vectorize(math.erfc, otypes=[float]), lambda x: -2 / math.sqrt(math.pi) * np.exp(-x * x)
)


def density(x: Array) -> Array:
    """The density of the standard normal distribution."""
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def distribution(x: Array) -> Array:
    """The distribution function of the standard normal distribution."""
    return erfc(-x * math.sqrt(0.5)) / 2


normal_density = first_order(density, lambda x: -x * density(x))
normal_distribution = first_order(distribution, density)
gelu = first_order(lambda x: x * distribution(x), lambda x: distribution(x) + x * density(x))


def normal_logpdf(x: Array, mu: Array, sigma: Array) -> Array:
    """The logarithm of the normal density."""
    return -0.5 * ((x - mu) / sigma) ** 2 - log(sigma) - 0.5 * math.log(2 * math.pi)


# ── the gamma function ───────────────────────────────────────────────────────────────────────


def at_poles(function: Callable[[float], float], pole: float) -> Any:
    """A function of one number for arrays, `pole` where it is not defined."""

    def guarded(x: float) -> float:
        try:
            return function(x)
        except (ValueError, OverflowError):
            return pole if math.isfinite(x) else function(abs(x))

    return np.vectorize(guarded, otypes=[float])


def polygamma_of_real(n: int, x: Array) -> Array:
    """The n-th derivative of digamma: moved up to x > 20 by its recurrence, then Stirling's series.

    For negative x, by reflection.
    """
    bernoulli = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
    x = np.asarray(x, float)
    up = np.where(x < 0, 1 - x, x)
    total = np.zeros_like(up)
    for _ in range(20 + n):
        move = up < 20 + n
        total = total + np.where(move, math.factorial(n) / up ** (n + 1), 0.0)
        up = np.where(move, up + 1, up)
    series = math.factorial(n) / (2 * up ** (n + 1))
    for k, number in enumerate(bernoulli, 1):
        factor = math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        series = series + number * factor / up ** (2 * k + n)
    head = -np.log(up) if n == 0 else math.factorial(n - 1) / up**n
    value = (-1) ** (n + 1) * (head + series + total)
    return np.where(x < 0, (-1) ** n * value - cotangent_derivative(n, x), value)


def cotangent_derivative(n: int, x: Array) -> Array:
    """The n-th derivative of pi/tan(pi x), nan at its poles."""
    offset = x - np.round(x)
    cotangent = 1 / np.tan(np.pi * np.where(offset == 0, 0.5, offset))
    polynomial = np.polynomial.Polynomial([0.0, 1.0])
    for _ in range(n):  # the derivative of c = cot is -(1 + c^2)
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([-1.0, 0.0, -1.0])
    return np.where(offset == 0, np.nan, np.pi ** (n + 1) * polynomial(cotangent))


def polygamma(n: int, x: Array) -> Array:
    """The n-th derivative of digamma."""
    return first_order(lambda x: polygamma_of_real(n, x), lambda x: polygamma_of_real(n + 1, x))(x)


digamma = first_order(lambda x: polygamma_of_real(0, x), lambda x: polygamma_of_real(1, x))
lgamma = first_order(at_poles(math.lgamma, math.inf), lambda x: polygamma_of_real(0, x))
gamma = first_order(
    at_poles(math.gamma, math.nan),
    lambda x: at_poles(math.gamma, math.nan)(x) * polygamma_of_real(0, x),
)

# ── sin(x)/x, and rotations ──────────────────────────────────────────────────────────────────


GAUSS = np.polynomial.legendre.leggauss(32)  # nodes in [-1, 1] and weights


def mean_wave(n: int, x: Array) -> Array:
    """The n-th derivative of sin(x)/x, which is the mean of cos(t x) over t in [0, 1]."""
    times, weights = (GAUSS[0] + 1) / 2, GAUSS[1]
    waves = np.cos(np.asarray(x)[..., None] * times + n * np.pi / 2)
    return np.sum(weights / 2 * times**n * waves, axis=-1)


def sinc_derivative_of_real(n: int, x: Array) -> Array:
    """By quadrature near 0; far from it x f(n) + n f(n-1) = the n-th derivative of sin(x)."""
    x = np.asarray(x, float)
    near = np.abs(x) < 4 + 2 * n
    apart = np.where(near, 1.0, x)
    far = np.sin(apart) / apart
    for order in range(1, n + 1):
        far = (np.sin(apart + order * np.pi / 2) - order * far) / apart
    return np.where(near, mean_wave(n, np.where(near, x, 0.0)), far)


def sinc_derivative(n: int, x: Array) -> Array:
    """The n-th derivative of sin(x)/x."""
    return first_order(
        lambda x: sinc_derivative_of_real(n, x), lambda x: sinc_derivative_of_real(n + 1, x)
    )(x)


sinc = first_order(lambda x: np.sinc(x / np.pi), lambda x: sinc_derivative_of_real(1, x))


def stumpff_of_real(k: int, s: Array) -> Array:
    """c_k(s) = 1/k! - s/(k+2)! + s^2/(k+4)! - ..., where s is the square of an angle.

    The mean of cos(t angle) over t in [0, 1], weighted by (1-t)^(k-1); far out, by recurrence.
    """
    angle = np.sqrt(np.abs(np.asarray(s, float)))
    if k == 0:
        return np.cos(angle)
    times, weights = (GAUSS[0] + 1) / 2, GAUSS[1]
    near = angle < max(3, k)
    weight = weights / 2 * (1 - times) ** (k - 1) / math.factorial(k - 1)
    inner = np.sum(weight * np.cos(np.where(near, angle, 0.0)[..., None] * times), axis=-1)
    apart = np.where(near, 1.0, angle)
    outer = np.sin(apart) / apart if k % 2 else 2 * (np.sin(apart / 2) / apart) ** 2
    for low in range(2 - k % 2, k, 2):
        outer = (1 / math.factorial(low) - outer) / apart**2
    return np.where(near, inner, outer)


def stumpff(k: int, s: Array) -> Array:
    """Stumpff's function c_k, whose derivative is (k c_(k+2) - c_(k+1)) / 2."""
    return first_order(
        lambda s: stumpff_of_real(k, s),
        lambda s: (k * stumpff_of_real(k + 2, s) - stumpff_of_real(k + 1, s)) / 2,
    )(s)


def rotation_cosine(s: Array) -> Array:
    """cos(angle) of the squared angle."""
    return stumpff(0, s)


def rotation_sine(s: Array) -> Array:
    """sin(angle) / angle of the squared angle."""
    return stumpff(1, s)


def rotation_rest(s: Array) -> Array:
    """(1 - cos(angle)) / angle^2 of the squared angle."""
    return stumpff(2, s)


# ── robust losses: of a residual r, and rho, rho', rho'' of a sum of squares s ───────────────


def within(s: Array, k: Array) -> Array:
    """Where a sum of squares is inside the scale."""
    return np.real(s) <= np.real(k) ** 2


def huber_rho(s: Array, k: Array) -> Array:
    """s, and linear in its root beyond k^2."""
    return np.where(within(s, k), s, 2 * k * sqrt(s) - k * k)


def huber_rho1(s: Array, k: Array) -> Array:
    return np.where(within(s, k), 1.0, k / sqrt(s))


def huber_rho2(s: Array, k: Array) -> Array:
    return np.where(within(s, k), 0.0, -k / (2 * s * sqrt(s)))


def huber(r: Array, k: Array) -> Array:
    """r^2/2 where |r| <= k, else k*(|r| - k/2)."""
    return np.where(within(r * r, k), r * r / 2, k * (absolute(r) - k / 2))


def soft_l1_rho(s: Array, k: Array) -> Array:
    """2 k^2 (sqrt(1 + s/k^2) - 1), without its cancellation."""
    return 2 * k * s / (sqrt(k * k + s) + k)


def soft_l1_rho1(s: Array, k: Array) -> Array:
    return k / sqrt(k * k + s)


def soft_l1_rho2(s: Array, k: Array) -> Array:
    return -k / (2 * (k * k + s) * sqrt(k * k + s))


def soft_l1(r: Array, k: Array) -> Array:
    """k^2 (sqrt(1 + (r/k)^2) - 1)."""
    return soft_l1_rho(r * r, k) / 2


def cauchy_rho(s: Array, k: Array) -> Array:
    """k^2 log(1 + s/k^2)."""
    return k * k * log1p(s / (k * k))


def cauchy_rho1(s: Array, k: Array) -> Array:
    return k * k / (k * k + s)


def cauchy_rho2(s: Array, k: Array) -> Array:
    return -k * k / (k * k + s) ** 2


def cauchy(r: Array, k: Array) -> Array:
    """k^2/2 log(1 + (r/k)^2)."""
    return cauchy_rho(r * r, k) / 2


def arctan_loss_rho(s: Array, k: Array) -> Array:
    """k^2 atan(s/k^2)."""
    return k * k * atan(s / (k * k))


def arctan_loss_rho1(s: Array, k: Array) -> Array:
    return 1 / (1 + (s / (k * k)) ** 2)


def arctan_loss_rho2(s: Array, k: Array) -> Array:
    return -2 * s / k**4 / (1 + (s / (k * k)) ** 2) ** 2


def arctan_loss(r: Array, k: Array) -> Array:
    """k^2/2 atan((r/k)^2)."""
    return arctan_loss_rho(r * r, k) / 2


def tukey_rho(s: Array, k: Array) -> Array:
    """k^2/3 (1 - (1 - t)^3) with t = s/k^2, constant beyond."""
    t = np.where(within(s, k), s / (k * k), 1.0)
    return k * k * t * (1 - t + t * t / 3)


def tukey_rho1(s: Array, k: Array) -> Array:
    return np.where(within(s, k), (1 - s / (k * k)) ** 2, 0.0)


def tukey_rho2(s: Array, k: Array) -> Array:
    return np.where(within(s, k), -2 * (1 - s / (k * k)) / (k * k), 0.0)


def tukey(r: Array, k: Array) -> Array:
    """k^2/6 (1 - (1 - (r/k)^2)^3), constant beyond k."""
    return tukey_rho(r * r, k) / 2
