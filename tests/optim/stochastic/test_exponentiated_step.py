"""Exponentiated step sizes: their formula by hand."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.stochastic.exponentiated_step import ExponentiatedStep


def test_steps_by_hand():
    """One unknown goes straight down, one jumps over its minimum, so far that ½ is the limit."""
    curvature = np.array([1.0, 30.0])
    problem = objective(lambda x: float(curvature @ x**2) / 2, grad=lambda x: curvature * x).sized(
        2
    )
    rule = ExponentiatedStep(rate=0.05, meta_rate=0.5)
    w, p, before = np.array([4.0, 1.0]), np.full(2, 0.05), np.zeros(2)
    state = rule.init(problem, w)
    halved = []
    for _ in range(4):
        g = curvature * w
        factor = [max(0.5, 1 + 0.5 * p[i] * g[i] * before[i]) for i in range(2)]
        p, before = p * factor, g
        w = w - p * g
        np.testing.assert_allclose(state.ahead, w, rtol=1e-14)
        np.testing.assert_allclose(0.05 * state.memory.gains, p, rtol=1e-14)
        state = rule.step(problem, state)
        halved.append(factor[1] == 0.5)
    assert any(halved)


def test_the_chosen_meta_rate_changes_no_step_by_more_than_a_tenth():
    slopes = np.array([100.0, -3.0])
    problem = objective(lambda x: float(slopes @ x), grad=lambda x: slopes.copy()).sized(2)
    rule = ExponentiatedStep(rate=1e-3)
    state = rule.step(problem, rule.init(problem, np.ones(2)))
    np.testing.assert_allclose(state.memory.gains, [1.1, 1 + 0.1 * 0.03**2], rtol=1e-14)


@pytest.mark.parametrize("settings", [{"rate": 0}, {"meta_rate": 0}, {"schedule": "none"}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of exponentiated-step must be"):
        ExponentiatedStep(**settings)
