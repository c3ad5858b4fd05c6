"""Stumpff's functions of every order that derivatives of rotations reach, against mpmath."""

from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

from symopt.primitives.record import Elementwise
from symopt.primitives.rotation import rotation_cosine, rotation_rest, rotation_sine, stumpff
from tests.support.expressions import evaluate

S = sympy.Symbol("s", real=True)
NEAR_ZERO = [0.0, 5e-324, 1e-300, 1e-160, 1e-30, 1e-16, 1e-8, 1e-4, 0.1]
RANGE = np.concatenate([NEAR_ZERO, np.linspace(0.2, 60, 150), [200.0, 1e3, 1e4]])
ALL = np.arange(9)


def precise(k: int, s: float) -> Any:
    """c_k by the confluent hypergeometric limit function: 0F1 of -s/4, at many digits."""
    with mpmath.workdps(120):
        half = mpmath.mpf(k + 1) / 2, mpmath.mpf(k + 2) / 2
        return mpmath.hyper([1], half, -mpmath.mpf(s) / 4) / mpmath.factorial(k)


@pytest.mark.parametrize("k", ALL.tolist())
def test_values_near_zero_and_over_the_range(k: int) -> None:
    found = evaluate(stumpff(sympy.Integer(k), S), {S: RANGE}, expand=True)
    for s, value in zip(RANGE, found, strict=True):
        truth = precise(k, float(s))
        # One rounding of θ = sqrt(s) moves the oscillating part, of size θ^-k, by θ ulp.
        slack = abs(truth) + np.sqrt(s) * max(1.0, float(s)) ** (-k / 2)
        assert abs(mpmath.mpf(float(value)) - truth) <= 8e-16 * slack, (k, s)


@pytest.mark.parametrize("record", [rotation_cosine, rotation_sine, rotation_rest])
def test_derivatives_of_every_order_at_zero(record: Elementwise) -> None:
    """c_k = Σ (-s)^j / (2j + k)!, so its n-th derivative at 0 is (-1)^n n! / (2n + k)!."""
    k = [rotation_cosine, rotation_sine, rotation_rest].index(record)
    expression = record(S)
    for order in range(6):
        found = float(evaluate(expression, {S: np.array([0.0])}, expand=True)[0])
        wanted = (-1) ** order * mpmath.factorial(order) / mpmath.factorial(2 * order + k)
        assert found == pytest.approx(float(wanted), rel=1e-15)  # a few roundings
        expression = expression.diff(S)
