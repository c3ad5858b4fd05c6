"""RMSprop: its formula by hand, and PyTorch's parameters."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.stochastic.rmsprop import RMSprop
from tests.optim.torch_trajectories import places_of, trajectory_of


def test_two_steps_by_hand():
    """With α = ¾ and a constant gradient g the average of squares is g²/4, then 7 g²/16."""
    slopes = np.array([3.0, -4.0])
    problem = objective(lambda x: float(slopes @ x), grad=lambda x: slopes.copy()).sized(2)
    rule = RMSprop(rate=0.5, alpha=0.75, eps=1e-20)
    state = rule.init(problem, np.zeros(2))
    np.testing.assert_allclose(state.ahead, [-1.0, 1.0], rtol=1e-15)
    state = rule.step(problem, state)
    step = 0.5 / np.sqrt(7 / 16)
    np.testing.assert_allclose(state.ahead, [-1.0 - step, 1.0 + step], rtol=1e-15)


def test_a_constant_gradient_has_no_variance():
    """Rounding could make it negative: the step stays finite."""
    problem = objective(lambda x: float(x[0]), grad=lambda x: np.full(1, 0.1)).sized(1)
    rule = RMSprop(rate=1e-3, alpha=0.5, eps=1e-3, centered=True)
    state = rule.init(problem, np.zeros(1))
    for _ in range(200):
        state = rule.step(problem, state)
        assert np.isfinite(state.ahead).all()


@pytest.mark.parametrize("name", ["rmsprop", "rmsprop-centered"])
def test_trajectory_is_that_of_pytorch(name):
    settings = dict(trajectory_of(name).arguments)
    found = places_of(RMSprop(rate=settings.pop("lr"), **settings))
    np.testing.assert_allclose(found, trajectory_of(name).places, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", [{"rate": 0}, {"alpha": 1.0}, {"eps": 0}, {"momentum": 1}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of rmsprop must be"):
        RMSprop(**settings)
