"""Delta-bar-delta: Jacobs's formulas by hand, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import iterate, minimize, objective
from symopt.optim.adaptive.delta_bar_delta import DeltaBarDelta

CURVATURES = np.array([1.0, 20.0])


def bowl(bounds=None):
    return objective(
        lambda x: float(CURVATURES @ x**2) / 2, grad=lambda x: CURVATURES * x, bounds=bounds
    )


def test_steps_by_hand():
    """The first unknown keeps its sign, the second overshoots in each step."""
    kappa, phi, theta, rate = 0.03, 0.25, 0.6, 0.08
    rule, problem = DeltaBarDelta(rate, kappa, phi, theta), bowl().sized(2)
    w = np.array([1.0, -1.0])
    epsilon, delta_bar = [rate, rate], [None, None]
    state = rule.init(problem, w)
    for _ in range(5):
        np.testing.assert_allclose(state.point.x, w, rtol=1e-14)
        delta = CURVATURES * w
        for i in range(2):
            if delta_bar[i] is None:
                delta_bar[i] = 0.0
            elif delta_bar[i] * delta[i] > 0:
                epsilon[i] = epsilon[i] + kappa
            elif delta_bar[i] * delta[i] < 0:
                epsilon[i] = epsilon[i] - phi * epsilon[i]
            delta_bar[i] = (1 - theta) * delta[i] + theta * delta_bar[i]
        w = w - np.array(epsilon) * delta
        np.testing.assert_allclose(state.rates, epsilon, rtol=1e-14)
        state = rule.step(problem, state)


def test_rates_follow_the_curvatures():
    """Each unknown ends up with about the rate that its own curvature allows."""
    *_, last = iterate(bowl(), "delta-bar-delta", x0=[1.0, 1.0])
    flat, steep = last.state.rates
    assert flat > 5 * steep


def test_bounds():
    result = minimize(bowl([(0.5, None), (None, None)]), "delta-bar-delta", x0=[2.0, -1.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [0.5, 0.0], atol=1e-6)


@pytest.mark.parametrize("settings", [{"rate": 0}, {"kappa": -1}, {"phi": 1}, {"theta": 1}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of delta-bar-delta must be"):
        DeltaBarDelta(**settings)
