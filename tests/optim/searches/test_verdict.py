"""The noise floor told from a wall."""

from __future__ import annotations

import numpy as np

from symopt.optim import Point
from symopt.optim.optimizer import Status
from symopt.optim.searches.verdict import at_noise_floor, is_short, verdict

ONES = np.ones(2)


def test_a_promise_below_rounding_is_the_noise_floor():
    point = Point(ONES.copy(), 1.0, np.array([1e-6, 0.0]))
    assert at_noise_floor(point, np.array([-1e-5, 0.0]), ONES)
    assert not at_noise_floor(point, np.array([-1e-1, 0.0]), ONES)


def test_a_short_step_is_the_noise_floor():
    point = Point(np.array([1.0, 1e-3]), 0.0, ONES.copy())
    assert is_short(point, np.array([1e-8, 1e-11]), ONES)
    assert not is_short(point, np.array([1e-8, 1e-8]), ONES)
    assert verdict(point, np.array([-1e-8, -1e-11]), ONES) is Status.PRECISION


def test_a_step_uphill_says_nothing():
    point = Point(ONES.copy(), 1.0, ONES.copy())
    assert not at_noise_floor(point, 1e-20 * ONES, ONES)
    assert verdict(point, ONES, ONES) is Status.STALLED
