"""Temperatures."""

from __future__ import annotations

import numpy as np

from symopt.optim.cooling import Cooling, first_temperature


def test_it_cools_after_so_many_sweeps():
    cooling = Cooling(8.0, 0.5, sweeps=2)
    temperatures = []
    for _ in range(5):
        temperatures.append(cooling.temperature)
        cooling = cooling.following
    assert temperatures == [8.0, 8.0, 4.0, 4.0, 2.0]
    assert cooling.level == 2
    assert cooling.part == 0.25


def test_a_typical_rise_is_accepted_with_the_wanted_probability():
    changes = np.array([0.0, 1.0, -3.0, 1e9, np.nan, np.inf])
    np.testing.assert_allclose(np.exp(-3.0 / first_temperature(changes, 0.3)), 0.3)
    assert first_temperature(np.zeros(3), 0.5) == 1.0
