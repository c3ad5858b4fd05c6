"""Quickprop: Fahlman's rule by hand, and its parabolas."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.adaptive.quickprop import Quickprop

EPSILON, MU = 0.02, 1.75


def slopes(x):
    """Of four functions of one unknown each: convex, quartic, concave, and flat at the start."""
    return np.array([3 * x[0], x[1] ** 3, np.cos(x[2]), x[3]])


def value(x):
    return float(1.5 * x[0] ** 2 + x[1] ** 4 / 4 + np.sin(x[2]) + x[3] ** 2 / 2)


def by_fahlman(w, last, g, before):
    """One weight, in the words of the report."""
    shrink = MU / (1 + MU)
    if last == 0:
        return w - EPSILON * g
    step = 0.0
    if last < 0:
        if g > 0:
            step -= EPSILON * g
        step += MU * last if g >= shrink * before else last * g / (before - g)
    else:
        if g < 0:
            step -= EPSILON * g
        step += MU * last if g <= shrink * before else last * g / (before - g)
    return w + step


def test_steps_by_hand():
    rule, problem = Quickprop(EPSILON, MU), objective(value, grad=slopes).sized(4)
    w, last, before = np.array([2.0, -1.5, -0.5, 0.0]), np.zeros(4), np.zeros(4)
    state = rule.init(problem, w)
    for _ in range(8):
        np.testing.assert_allclose(state.point.x, w, rtol=1e-12, atol=1e-15)
        g = slopes(w)
        following = np.array([by_fahlman(*each) for each in zip(w, last, g, before, strict=True)])
        w, last, before = following, following - w, g
        state = rule.step(problem, state)


def test_the_secant_of_a_parabola_is_exact():
    """Where the last step is within the growth limit of the minimum, and beyond it."""
    problem = objective(lambda x: float(x[0] ** 2), grad=lambda x: 2 * x).sized(1)
    rule = Quickprop(rate=0.75)
    state = rule.init(problem, np.ones(1))
    np.testing.assert_array_equal(state.ahead, [-0.5])
    # Beyond the minimum there is no linear term: the secant alone.
    np.testing.assert_allclose(rule.step(problem, state).ahead, [0.0], atol=1e-16)


def test_unknowns_of_their_own_curvature_are_done_in_a_few_steps():
    weights = np.geomspace(1, 1e4, 12)
    problem = objective(
        lambda x: float(weights @ (x - 1) ** 2), grad=lambda x: 2 * weights * (x - 1)
    )
    result = minimize(problem, "quickprop", x0=np.zeros(12))
    assert result.success, result.message
    assert result.nit < 40  # plain descent takes thousands, by the condition number
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)


def test_bounds():
    problem = objective(
        lambda x: float((x[0] - x[1]) ** 2 + x[1] ** 2),
        grad=lambda x: np.array([2 * (x[0] - x[1]), 2 * (x[1] - x[0]) + 2 * x[1]]),
        bounds=[(0.5, None), (None, None)],
    )
    result = minimize(problem, "quickprop", x0=[2.0, -1.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [0.5, 0.25], atol=1e-6)


@pytest.mark.parametrize("settings", [{"rate": 0}, {"mu": 0}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of quickprop must be"):
        Quickprop(**settings)
