"""The resolution of double precision, and steps in relation to it."""

from __future__ import annotations

import numpy as np

from symopt.optim.rounding import EPSILON, relative_change

ONES = np.ones(2)


def test_epsilon_is_the_gap_above_one():
    assert np.spacing(1.0) == EPSILON


def test_the_largest_fraction_counts():
    assert relative_change(np.array([4.0, -2.0]), np.array([1.0, -1.0]), ONES) == 0.5


def test_an_unknown_at_zero_is_as_large_as_the_rounding_of_its_size():
    assert relative_change(np.zeros(2), np.array([0.0, 2.0]), np.array([1.0, 8.0])) == 2.0**50


def test_what_is_not_a_number_is_not_small():
    assert not relative_change(ONES, np.array([np.nan, 0.0]), ONES) <= 1
