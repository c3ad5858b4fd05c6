"""Adam: its formula by hand, and PyTorch's parameters."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.stochastic.adam import Adam
from tests.optim.torch_trajectories import places_of, trajectory_of


def test_three_steps_by_hand():
    """With powers of β as the paper writes them, on f = (x² + 10 y²)/2."""
    curvature = np.array([1.0, 10.0])
    problem = objective(lambda x: float(curvature @ x**2) / 2, grad=lambda x: curvature * x).sized(
        2
    )
    rule = Adam(rate=0.1, beta1=0.5, beta2=0.75, eps=1e-3)
    w, m, v = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    state = rule.init(problem, w)
    for t in (1, 2, 3):
        g = curvature * w
        m, v = 0.5 * m + 0.5 * g, 0.75 * v + 0.25 * g**2
        w = w - 0.1 * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.75**t)) + 1e-3)
        np.testing.assert_allclose(state.ahead, w, rtol=1e-15)
        state = rule.step(problem, state)


def test_averages_forget_their_start_after_any_number_of_steps():
    """The weights of the averages are 1 − βᵗ."""
    rule = Adam(rate=1e-6)
    problem = objective(lambda x: float(x[0]), grad=lambda x: np.ones(1)).sized(1)
    state = rule.init(problem, np.zeros(1))
    for _ in range(999):
        state = rule.step(problem, state)
    # A rounding of half an ulp a step, which the average itself forgets.
    np.testing.assert_allclose(state.memory.mean_weight, 1 - 0.9**1000, rtol=1e-14)
    np.testing.assert_allclose(state.memory.square_weight, 1 - 0.999**1000, rtol=1e-13)


@pytest.mark.parametrize("name", ["adam", "adam-amsgrad"])
def test_trajectory_is_that_of_pytorch(name):
    settings = dict(trajectory_of(name).arguments)
    beta1, beta2 = settings.pop("betas", (0.9, 0.999))
    found = places_of(Adam(rate=settings.pop("lr"), beta1=beta1, beta2=beta2, **settings))
    np.testing.assert_allclose(found, trajectory_of(name).places, rtol=0, atol=1e-12)


def test_the_rate_of_the_paper_is_the_default_of_pytorch():
    reference = trajectory_of("adam-default")
    np.testing.assert_allclose(places_of(Adam(rate=1e-3)), reference.places, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "settings", [{"rate": 0}, {"beta1": 1.0}, {"beta2": -0.1}, {"eps": 0}, {"weight_decay": -1}]
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of adam must be"):
        Adam(**settings)
