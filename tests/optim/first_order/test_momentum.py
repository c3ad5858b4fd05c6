"""Momentum: its formula by hand, and PyTorch's parameters."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.first_order.momentum import Momentum
from tests.optim.torch_trajectories import places_of, trajectory_of


def test_three_steps_by_hand():
    """On f = x², from 1, with η = 0.1 and β = 0.5."""
    problem = objective(lambda x: float(x[0] ** 2), grad=lambda x: 2 * x).sized(1)
    rule = Momentum(rate=0.1, momentum=0.5)
    state = rule.init(problem, np.array([1.0]))
    visited = [state.ahead[0]]
    for _ in range(2):
        state = rule.step(problem, state)
        visited.append(state.ahead[0])
    # Δ = −0.2; −0.1 − 0.16 = −0.26; −0.13 − 0.2 · 0.54 = −0.238
    np.testing.assert_allclose(visited, [0.8, 0.54, 0.302], rtol=1e-15)
    np.testing.assert_allclose(state.memory.velocity, [-0.238], rtol=1e-15)


def test_trajectory_is_that_of_pytorch():
    """Its velocity is −Δ/η, which is the same at a constant rate."""
    reference = trajectory_of("momentum")
    rate, momentum = reference.arguments["lr"], reference.arguments["momentum"]
    found = places_of(Momentum(rate=rate, momentum=momentum))
    np.testing.assert_allclose(found, reference.places, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "settings", [{"rate": 0.0}, {"momentum": 1.0}, {"momentum": -0.1}, {"schedule": "steep"}]
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of momentum must be"):
        Momentum(**settings)
