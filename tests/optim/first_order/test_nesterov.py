"""Nesterov: the two forms of its formula, and PyTorch's parameters."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim.first_order.nesterov import Nesterov
from tests.data.torch.objective import gradient
from tests.optim.torch_trajectories import places_of, same_problem, trajectory_of


def published(start, rate, momentum, steps):
    """Δ ← β Δ − η g(w + β Δ), w ← w + Δ: the places w + β Δ of the gradients, and w."""
    w, velocity, places = start, np.zeros_like(start), []
    for _ in range(steps):
        places.append(w + momentum * velocity)
        velocity = momentum * velocity - rate * np.array(gradient(places[-1].tolist()))
        w = w + velocity
    return np.array(places), w


def test_points_are_where_the_published_form_looks_ahead():
    reference = trajectory_of("nesterov").places
    places, w = published(reference[0], 0.003, 0.9, 60)
    # The same in exact arithmetic; rounding differs by an ulp or two a step.
    rule = Nesterov(rate=0.003, momentum=0.9)
    np.testing.assert_allclose(places_of(rule, 59), places, rtol=1e-13, atol=1e-14)
    problem = same_problem()
    state = rule.init(problem, reference[0])
    for _ in range(59):
        state = rule.step(problem, state)
    found = state.ahead - 0.9 * state.memory.velocity
    np.testing.assert_allclose(found, w, rtol=1e-13, atol=1e-14)


def test_look_ahead_is_the_parameter_of_pytorch():
    reference = trajectory_of("nesterov")
    rate, momentum = reference.arguments["lr"], reference.arguments["momentum"]
    places, _ = published(reference.places[0], rate, momentum, 101)
    np.testing.assert_allclose(places, reference.places, rtol=0, atol=1e-12)
    found = places_of(Nesterov(rate=rate, momentum=momentum))
    np.testing.assert_allclose(found, reference.places, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", [{"rate": -1.0}, {"momentum": 1.0}, {"schedule": ""}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of nesterov must be"):
        Nesterov(**settings)
