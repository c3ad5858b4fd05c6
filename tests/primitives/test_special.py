"""The gamma family and sinc against SciPy and mpmath, for every order of derivative."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy
from scipy import special

from symopt.primitives.special import digamma, lgamma, polygamma, sinc, sinc_derivative
from tests.support.expressions import evaluate

x = sympy.Symbol("x", real=True)
POINTS = np.array([1e-8, 0.3, 1.0, 1.4616, 2.5, 7.0, 9.999, 10.0, 31.0, 1e3, 1e8])


def test_digamma_agrees_with_scipy() -> None:
    found = evaluate(digamma(x), {x: POINTS}, expand=True)
    np.testing.assert_allclose(found, special.digamma(POINTS), rtol=2e-15, atol=2e-15)


def test_digamma_at_its_poles() -> None:
    found = evaluate(digamma(x), {x: np.array([0.0, -0.0, np.inf])}, expand=True)
    np.testing.assert_array_equal(found, [-np.inf, np.inf, np.inf])
    found = evaluate(digamma(x), {x: np.array([-1.0, -7.0])}, expand=True)
    assert not np.any(np.isfinite(found))


@pytest.mark.parametrize("order", range(1, 9))
def test_polygamma_of_every_order(order: int) -> None:
    """Relative to the value."""
    node = polygamma(sympy.Integer(order), x)
    found = evaluate(node, {x: POINTS}, expand=True)
    wanted = [float(mpmath.polygamma(order, mpmath.mpf(p))) for p in POINTS]
    np.testing.assert_allclose(found, wanted, rtol=4e-15)
    negative = np.array([-0.5, -1.25, -6.9, -19.4])
    wanted = np.array([float(mpmath.polygamma(order, mpmath.mpf(p))) for p in negative])
    slope = np.array([float(mpmath.polygamma(order + 1, mpmath.mpf(p))) for p in negative])
    # What an error of the input, rounded times pi, does to value: even orders have zeros.
    tolerance = 16 * np.finfo(float).eps * (np.abs(wanted) + np.abs(negative * slope))
    for form in (True, False):
        found = evaluate(node, {x: negative}, expand=form)
        assert np.all(np.abs(found - wanted) <= tolerance)


def test_derivatives_of_lgamma_are_the_gamma_family() -> None:
    assert lgamma(x).diff(x) == digamma(x)
    assert digamma(x).diff(x) == polygamma(sympy.Integer(1), x)
    assert digamma(x).diff(x, 3) == polygamma(sympy.Integer(3), x)


def test_lgamma_knows_negative_arguments() -> None:
    np.testing.assert_allclose(
        lgamma.reference(np.array([-0.5, 0.5])), [1.2655121, 0.5723649], 1e-7
    )


@pytest.mark.parametrize("order", range(1, 8))
@pytest.mark.parametrize("expand", [True, False], ids=["expanded", "reference"])
def test_sinc_derivatives_of_every_order(order: int, expand: bool) -> None:
    """Absolute, against mpmath's Taylor coefficients; |sinc(n)| is at most 1/(n + 1)."""
    points = np.array([-40.0, -3.0, -1e-3, 0.0, 1e-9, 0.5, 1.49, 1.51, 4.0, 6.1, 20.0, 100.0])
    found = evaluate(sinc_derivative(sympy.Integer(order), x), {x: points}, expand=expand)
    with mpmath.workprec(200):
        wanted = [float(mpmath.diff(mpmath.sinc, mpmath.mpf(p), order)) for p in points]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=4e-15)


def test_sinc_derivative_keeps_relative_accuracy_near_zero() -> None:
    points = np.array([1e-300, 1e-9, 1e-3])
    found = evaluate(sinc(x).diff(x), {x: points}, expand=True)
    np.testing.assert_allclose(found, -points / 3 * (1 - points**2 / 10), rtol=1e-13)
