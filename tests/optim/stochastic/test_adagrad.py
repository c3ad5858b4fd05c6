"""AdaGrad: its formula by hand, and PyTorch's parameters."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.stochastic.adagrad import AdaGrad
from tests.optim.torch_trajectories import places_of, trajectory_of


def test_two_steps_by_hand():
    """The first step has the length of the rate, whatever the gradient."""
    problem = objective(
        lambda x: float(3 * x[0] - 4 * x[1]), grad=lambda x: np.array([3.0, -4.0])
    ).sized(2)
    rule = AdaGrad(rate=0.5, eps=1e-20)
    state = rule.init(problem, np.zeros(2))
    np.testing.assert_allclose(state.ahead, [-0.5, 0.5], rtol=1e-15)
    state = rule.step(problem, state)
    np.testing.assert_array_equal(state.memory.squares, [18.0, 32.0])
    step = 0.5 / np.sqrt(2)
    np.testing.assert_allclose(state.ahead, [-0.5 - step, 0.5 + step], rtol=1e-15)


@pytest.mark.parametrize("name", ["adagrad", "adagrad-initial"])
def test_trajectory_is_that_of_pytorch(name):
    settings = dict(trajectory_of(name).arguments)
    rate, initial = settings.pop("lr"), settings.pop("initial_accumulator_value", 0.0)
    found = places_of(AdaGrad(rate=rate, initial=initial, **settings))
    np.testing.assert_allclose(found, trajectory_of(name).places, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", [{"rate": 0}, {"eps": 0.0}, {"initial": -1.0}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of adagrad must be"):
        AdaGrad(**settings)
