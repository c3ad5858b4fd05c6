"""AdamW: its formula by hand, and PyTorch's parameters."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.stochastic.adamw import AdamW
from tests.optim.torch_trajectories import places_of, trajectory_of


def test_two_steps_by_hand():
    """A constant gradient has the direction 1: (1 − ηλ) w − η is left."""
    problem = objective(lambda x: float(5 * x[0]), grad=lambda x: np.full(1, 5.0)).sized(1)
    rule = AdamW(rate=0.25, weight_decay=0.5, eps=1e-20)
    state = rule.init(problem, np.array([2.0]))
    np.testing.assert_allclose(state.ahead, [0.875 * 2 - 0.25], rtol=1e-15)
    state = rule.step(problem, state)
    np.testing.assert_allclose(state.ahead, [0.875 * 1.5 - 0.25], rtol=1e-14)


@pytest.mark.parametrize("name", ["adamw", "adamw-strong"])
def test_trajectory_is_that_of_pytorch(name):
    settings = dict(trajectory_of(name).arguments)
    beta1, beta2 = settings.pop("betas", (0.9, 0.999))
    found = places_of(AdamW(rate=settings.pop("lr"), beta1=beta1, beta2=beta2, **settings))
    np.testing.assert_allclose(found, trajectory_of(name).places, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", [{"rate": 0}, {"beta1": 1.0}, {"weight_decay": -1}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of adamw must be"):
        AdamW(**settings)
