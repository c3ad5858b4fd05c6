"""Tails, infinities and kinks of the activations, in the form native code computes."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import sympy

from symopt.primitives.registry import PRIMITIVES
from tests.support.expressions import evaluate

x = sympy.Symbol("x", real=True)
INF = math.inf


@pytest.mark.parametrize(
    "name, argument, wanted",
    [
        ("softplus", 800.0, 800.0),
        ("softplus", -800.0, 0.0),
        ("softplus", INF, INF),
        ("softplus", -INF, 0.0),
        ("log_sigmoid", 800.0, 0.0),
        ("log_sigmoid", -800.0, -800.0),
        ("log_sigmoid", -INF, -INF),
        ("log_sigmoid", INF, 0.0),
        ("sigmoid", INF, 1.0),
        ("sigmoid", -INF, 0.0),
        ("sigmoid", 0.0, 0.5),
        ("silu", INF, INF),
        ("silu", -INF, 0.0),
        ("gelu", INF, INF),
        ("gelu", -INF, 0.0),
        ("relu", -INF, 0.0),
        ("relu", INF, INF),
        ("logit", 0.0, -INF),
        ("logit", 1.0, INF),
        ("logit", 0.5, 0.0),
        ("logit", -0.1, math.nan),
        ("logit", 1.1, math.nan),
        ("sign", -0.0, 0.0),
        ("sign", -INF, -1.0),
        ("sech_squared", INF, 0.0),
        ("sinc", 0.0, 1.0),
        ("sinc", -0.0, 1.0),
    ],
)
def test_special_values(name: str, argument: float, wanted: float) -> None:
    found = evaluate(PRIMITIVES[name](x), {x: argument}, expand=True)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "log_sigmoid", "silu"])
def test_tails_keep_relative_accuracy(name: str) -> None:
    """Within 4 ulp down to the edge of the normal doubles."""
    points = np.array([-700.0, -300.0, -40.0, -20.0, 20.0, 36.0, 40.0, 300.0, 700.0])
    found = evaluate(PRIMITIVES[name](x), {x: points}, expand=True)
    with mpmath.workprec(2400):
        wanted = np.array([float(PRIMITIVES[name].precise(mpmath.mpf(p))) for p in points])
    np.testing.assert_allclose(found, wanted, rtol=4 * np.finfo(float).eps)


def test_slope_of_sigmoid_and_tanh_does_not_round_to_zero() -> None:
    for name, power in (("sigmoid", 1.0), ("tanh", 2.0)):
        slope = evaluate(PRIMITIVES[name](x).diff(x), {x: 50.0}, expand=True)
        assert slope == pytest.approx(power**2 * math.exp(-power * 50.0), rel=1e-14)


@pytest.mark.parametrize("name", ["abs", "relu", "sign", "floor", "ceil"])
def test_derivatives_at_the_kink_are_zero(name: str) -> None:
    assert evaluate(PRIMITIVES[name](x).diff(x), {x: 0.0}) == 0.0
    assert np.imag(PRIMITIVES[name].reference(complex(0.0, 1e-30))) == 0.0


def test_clip_gives_its_bounds_the_derivative_of_x() -> None:
    clip = PRIMITIVES["clip"]
    low, high = sympy.symbols("low high", real=True)
    points = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    for name, wanted in ((x, [0, 1, 1, 1, 0]), (low, [1, 0, 0, 0, 0]), (high, [0, 0, 0, 0, 1])):
        values = {x: points, low: np.full(5, -1.0), high: np.full(5, 1.0)}
        np.testing.assert_array_equal(evaluate(clip(x, low, high).diff(name), values), wanted)
        partial = clip.partials(x, low, high)[(x, low, high).index(name)]
        np.testing.assert_array_equal(evaluate(partial, values), wanted)


def test_normal_logpdf_is_the_density_of_scipy() -> None:
    from scipy.stats import norm

    found = evaluate(
        PRIMITIVES["normal_logpdf"](x, *(sympy.Integer(n) for n in (2, 3))), {x: 4.5}, expand=True
    )
    assert found == pytest.approx(norm.logpdf(4.5, 2, 3), rel=1e-15)
