"""Stumpff's functions: cosine, sine and their kin as smooth functions of the squared angle.

With s = θ², c_0 = cos θ, c_1 = sin(θ)/θ, c_2 = (1 - cos θ)/θ², and in general
c_k(s) = Σ_j (-s)^j / (2j + k)!, which is smooth at s = 0, where θ is not. The family is closed
under differentiation: c_k' = (k c_{k+2} - c_{k+1}) / 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import sympy
from sympy import S

from symopt.primitives.cases import Cases
from symopt.primitives.complex_step import Values, to_first_order
from symopt.primitives.elementary import absolute, cos, sqrt
from symopt.primitives.operators import ONE, ZERO, divide, less, power_by_integer, select
from symopt.primitives.record import Constant, Elementwise, Expand
from symopt.primitives.special import sinc


def _order(k: Values) -> int:
    return int(np.real(np.asarray(k)).flat[0])


def _limit(k: int) -> float:
    """Above it, c_k = (1/(k-2)! - c_{k-2}) / s loses two bits at most; the series loses none."""
    return 0.25 * k * (k - 1)


def _expansion(order: sympy.Expr, s: sympy.Expr) -> sympy.Expr:
    k, s = int(order), absolute(s)  # which it is; so the value is finite for any number
    if k == 0:
        return cos(sqrt(s))
    if k == 1:
        return sinc(sqrt(s))
    if k == 2:  # 1 - cos θ = 2 sin(θ/2)²
        return Constant(0.5) * power_by_integer(sinc(Constant(0.5) * sqrt(s)), 2)
    near = less(s, Constant(_limit(k)))
    apart = select(near, ONE, s)
    far = _expansion(sympy.Integer(2 - k % 2), s)  # of s, which the value needs as well
    for low in range(2 - k % 2, k, 2):
        far = divide(Constant(1 / math.factorial(low)) - far, apart)
    return select(near, _series(k, select(near, s, ZERO)), far)


def _series(k: int, s: sympy.Expr) -> sympy.Expr:
    """As many terms as do not vanish beside the first."""
    following, coefficients = 1 / math.factorial(k), list[float]()
    while abs(following) * _limit(k) ** len(coefficients) * math.factorial(k) > 4e-17:
        coefficients.append(following)
        j = len(coefficients)
        following = (-1) ** j / math.factorial(2 * j + k)
    value: sympy.Expr = Constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * s + Constant(coefficient)
    return value


def _reference(k: int, s: Values) -> Values:
    """The mean of cos(t θ) over t in [0, 1], weighted by (1 - t)^(k-1); far out, the recurrence."""
    s = np.abs(np.asarray(s, dtype=np.float64))
    if k == 0:
        return np.cos(np.sqrt(s))
    nodes, weights = np.polynomial.legendre.leggauss(32)
    times = 0.5 * (nodes + 1)
    is_near = s < max(8, k * k)
    angles = np.sqrt(np.where(is_near, s, 0.0))[..., None] * times
    weight = 0.5 * weights * (1 - times) ** (k - 1) / math.factorial(k - 1)
    near = np.sum(weight * np.cos(angles), axis=-1)
    return np.where(is_near, near, _recurrence(k, np.where(is_near, 1.0, s)))


def _recurrence(k: int, s: Values) -> Values:
    angle = np.sqrt(s)
    value = np.sin(angle) / angle if k % 2 else 2 * np.sin(angle / 2) ** 2 / s
    for low in range(2 - k % 2, k, 2):
        value = (1 / math.factorial(low) - value) / s
    return value


def _slope(k: int, s: Values) -> Values:
    return 0.5 * (k * _reference(k + 2, s) - _reference(k + 1, s))


def _precise(k: int, s: Values) -> Values:
    """The series, with the bits that its cancellation costs."""
    with mpmath.extraprec(int(3 * mpmath.sqrt(abs(s))) + 20):
        total, j, term = mpmath.mpf(0), 0, mpmath.mpf(1) / mpmath.factorial(k)
        while 4 * j * j < abs(s) or abs(term) > mpmath.eps * abs(total):
            total, j = total + term, j + 1
            term = -term * s / ((2 * j + k - 1) * (2 * j + k))
        return total


def _partial(k: int, s: sympy.Expr) -> sympy.Expr:
    above = Constant(-0.5) * _of(k + 1, s)
    return above if k == 0 else Constant(0.5 * k) * _of(k + 2, s) + above


def _of(k: int, s: sympy.Expr) -> sympy.Expr:
    """c_k by the name that a rotation gives it, so that what is known is not computed again."""
    named = (rotation_cosine, rotation_sine, rotation_rest)
    return named[k](s) if k < len(named) else stumpff(sympy.Integer(k), s)


def _standard(order: sympy.Expr, s: sympy.Expr) -> sympy.Expr:
    k = int(order)
    angle = sympy.sqrt(s)
    apart = sympy.sin(angle) / angle if k % 2 else sympy.cos(angle)
    for low in range(k % 2, k, 2):
        apart = (S.One / sympy.factorial(low) - apart) / s
    return Cases(sympy.Eq(s, 0), S.One / sympy.factorial(k), apart)


stumpff = Elementwise(
    name="stumpff",
    arity=2,
    summary="Stumpff's c_k(s) = 1/k! - s/(k+2)! + s^2/(k+4)! - ... for a constant integer k",
    partials=lambda k, s: (S.Zero, _partial(int(k), s)),
    reference=lambda k, s: _to_first_order(_order(k))(s),
    lower=Expand(_expansion),
    standard=_standard,
    domain=((3.0, 3.0), (0.0, 40.0)),  # one turn; beyond, slopes have an error of eps × c_k
    precise=lambda k, s: _precise(int(k), s),
    finite=True,
    public=False,
    arguments=("k", "s"),
)


def _to_first_order(k: int) -> Callable[[Values], Values]:
    return to_first_order(lambda s: _reference(k, s), lambda s: _slope(k, s))


def _of_order(k: int, name: str, summary: str) -> Elementwise:
    """c_k as a function of one argument."""
    return Elementwise(
        name=name,
        arity=1,
        summary=summary,
        partials=lambda s: (_partial(k, s),),
        reference=_to_first_order(k),
        lower=Expand(lambda s: _expansion(sympy.Integer(k), s)),
        standard=lambda s: _standard(sympy.Integer(k), s),
        domain=((0.0, 400.0),),
        precise=lambda s: _precise(k, s),
        finite=True,
        public=False,
        arguments=("s",),
    )


rotation_cosine = _of_order(0, "rotation_cosine", "cos θ, where s = θ^2")
rotation_sine = _of_order(1, "rotation_sine", "sin(θ) / θ, where s = θ^2; 1 at s = 0")
rotation_rest = _of_order(2, "rotation_rest", "(1 - cos θ) / θ^2, where s = θ^2; 1/2 at s = 0")
