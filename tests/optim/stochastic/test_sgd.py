"""SGD: its formula by hand, and PyTorch's parameters."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.stochastic.sgd import SGD
from tests.optim.torch_trajectories import places_of, trajectory_of


def test_a_step_goes_down_the_gradient_of_its_own_batch():
    first = objective(lambda x: float(x @ x), grad=lambda x: 2 * x).sized(2)
    second = objective(lambda x: float(x[0]), grad=lambda x: np.array([1.0, 0.0])).sized(2)
    rule = SGD(rate=0.25, weight_decay=0.5)
    state = rule.init(first, np.array([1.0, -2.0]))
    # (1, −2) − ¼ ((2, −4) + ½ (1, −2))
    np.testing.assert_array_equal(state.ahead, [0.375, -0.75])
    state = rule.step(second, state)
    np.testing.assert_array_equal(state.point.x, [0.375, -0.75])
    assert state.point.value == 0.375
    # (0.375, −0.75) − ¼ ((1, 0) + ½ (0.375, −0.75))
    np.testing.assert_array_equal(state.ahead, [0.375 - 0.296875, -0.75 + 0.09375])


@pytest.mark.parametrize(
    ("name", "nesterov"),
    [
        ("sgd", False),
        ("sgd-decay", False),
        ("momentum", False),
        ("momentum-decay", False),
        ("nesterov", True),
    ],
)
def test_trajectory_is_that_of_pytorch(name, nesterov):
    reference = trajectory_of(name)
    settings = dict(reference.arguments)
    found = places_of(SGD(rate=settings.pop("lr"), **settings))
    assert settings.get("nesterov", False) == nesterov
    np.testing.assert_allclose(found, reference.places, rtol=0, atol=1e-12)


def test_a_chosen_rate_leaves_room_for_the_momentum():
    """Half of one over the curvature of 4, and what of it adds up to that."""
    problem = objective(lambda x: float(2 * x[0] ** 2), grad=lambda x: 4 * x).sized(1)
    plain, heavy = SGD(), SGD(momentum=0.75)
    assert plain.init(problem, np.ones(1)).pace.rate == pytest.approx(1 / 8, rel=1e-6)
    assert heavy.init(problem, np.ones(1)).pace.rate == pytest.approx(1 / 32, rel=1e-6)


@pytest.mark.parametrize(
    "settings", [{"rate": 0}, {"momentum": 1}, {"nesterov": True}, {"weight_decay": -1.0}]
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of sgd must be"):
        SGD(**settings)
