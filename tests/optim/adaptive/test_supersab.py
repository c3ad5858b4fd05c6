"""SuperSAB: its rule by hand."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.adaptive.supersab import SuperSAB

CURVATURES = np.array([1.0, 12.0])


def bowl(bounds=None):
    return objective(
        lambda x: float(CURVATURES @ x**2) / 2, grad=lambda x: CURVATURES * x, bounds=bounds
    )


def test_steps_by_hand():
    """The first unknown accelerates, the second overshoots and takes its step back."""
    up, down, alpha, rate = 1.3, 0.4, 0.5, 0.1
    rule, problem = SuperSAB(rate, up, down, alpha), bowl().sized(2)
    w = np.array([1.0, -1.0])
    eta, last, before = [rate, rate], [0.0, 0.0], [0.0, 0.0]
    taken_back = 0
    state = rule.init(problem, w)
    for _ in range(7):
        np.testing.assert_allclose(state.point.x, w, rtol=1e-13)
        g, w = CURVATURES * w, w.copy()
        for i in range(2):
            if g[i] * before[i] < 0:
                eta[i], w[i] = down * eta[i], w[i] - last[i]
                last[i], before[i] = 0.0, 0.0
                taken_back += 1
            else:
                eta[i] = up * eta[i] if g[i] * before[i] > 0 else eta[i]
                last[i] = -eta[i] * g[i] + alpha * last[i]
                w[i], before[i] = w[i] + last[i], g[i]
        state = rule.step(problem, state)
    assert taken_back >= 2


def test_rates_have_a_limit():
    rule = SuperSAB(rate=0.1, growth=2.0, momentum=0.0, most=3.0)
    slope = objective(lambda x: float(x[0]), grad=lambda x: np.ones(1)).sized(1)
    state = rule.init(slope, np.zeros(1))
    for expected in (0.1, 0.2, 0.3, 0.3):
        np.testing.assert_allclose(state.rates, [expected], rtol=1e-14)
        state = rule.step(slope, state)


def test_bounds():
    result = minimize(bowl([(0.5, None), (None, None)]), "supersab", x0=[2.0, -1.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [0.5, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"rate": 0}, {"growth": 1}, {"shrink": 1}, {"momentum": 1}, {"most": 0.5}]
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of supersab must be"):
        SuperSAB(**settings)
