"""ALAP: its formula by hand, and the bound that keeps step sizes positive."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.rules import NUMPY
from symopt.optim.stochastic.alap import ALAP


def test_steps_by_hand():
    curvature = np.array([1.0, 30.0])
    problem = objective(lambda x: float(curvature @ x**2) / 2, grad=lambda x: curvature * x).sized(
        2
    )
    rule = ALAP(rate=0.05, meta_rate=0.2, decay=0.75)
    w, p, mean, square = np.array([4.0, 1.0]), np.full(2, 0.05), np.zeros(2), np.zeros(2)
    state = rule.init(problem, w)
    for _ in range(4):
        g = curvature * w
        square = 0.75 * square + 0.25 * g * g
        p = p * (1 + 0.2 * g * mean / square)
        mean = 0.75 * mean + 0.25 * g
        w = w - p * g
        np.testing.assert_allclose(state.ahead, w, rtol=1e-14)
        state = rule.step(problem, state)


def test_gradients_that_were_always_zero_leave_the_step_size():
    problem = objective(lambda x: 1.0, grad=lambda x: np.zeros(2)).sized(2)
    rule = ALAP(rate=0.1)
    state = rule.step(problem, rule.init(problem, np.ones(2)))
    np.testing.assert_array_equal(state.memory.gains, 1.0)


def test_the_largest_meta_rate_keeps_step_sizes_positive():
    """The worst gradient after one of 1: opposite, with both parts of the average equal."""
    decay = 0.9
    rule = ALAP(rate=1.0, meta_rate=0.599, decay=decay)
    worst = []
    for size in np.geomspace(0.01, 100, 2001):
        memory = rule.memory(np.ones(1), 1.0)._replace(mean=1.0, square=1.0)
        after = rule.update(NUMPY, 0.0, -size, memory, 1.0)[1]
        worst.append(after.gains[0])
    assert 0 < min(worst) < 0.01
    with pytest.raises(DataError, match=r"must be in \(0, 0.6\), not 0.61"):
        ALAP(meta_rate=0.61, decay=decay)


@pytest.mark.parametrize("settings", [{"rate": 0}, {"meta_rate": 0}, {"decay": 1}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of alap must be"):
        ALAP(**settings)
