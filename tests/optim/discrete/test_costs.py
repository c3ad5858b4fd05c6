"""Changes of costs against full evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.discrete.costs import IncrementalCost, QuadraticAssignment, QuadraticBits, Tour
from symopt.optim.discrete.neighbourhoods import Flips, Reversals, Swaps


def costs(rng, n):
    general = rng.normal(size=(4, n, n))
    symmetric = np.abs(general[0] + general[0].T)
    np.fill_diagonal(symmetric, 0.0)
    return [
        (Tour(symmetric), Reversals(), rng.permutation(n)),
        (Tour(symmetric), Swaps(), rng.permutation(n)),
        (QuadraticAssignment(general[1], general[2]), Swaps(), rng.permutation(n)),
        (QuadraticBits(general[3], general[0, 0]), Flips(), rng.integers(2, size=n) == 1),
    ]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 9])
def test_every_change_is_the_difference_of_two_evaluations(rng, n):
    for cost, neighbourhood, state in costs(rng, n):
        for move in neighbourhood.moves(state):
            expected = cost(neighbourhood.apply(state, move)) - cost(state)
            # A few roundings of sums of n² entries of order 1.
            assert cost.change(state, move) == pytest.approx(expected, abs=1e-12), move


def test_costs_are_what_they_say():
    distances = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 4.0], [2.0, 4.0, 0.0]])
    assert Tour(distances)(np.array([0, 2, 1])) == 7.0
    flows = np.array([[0.0, 3.0], [5.0, 0.0]])
    places = np.array([[0.0, 10.0], [100.0, 0.0]])
    assert QuadraticAssignment(flows, places)(np.array([1, 0])) == 3 * 100 + 5 * 10
    bits = QuadraticBits(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 20.0]))
    assert bits(np.array([True, True])) == 40.0
    assert isinstance(bits, IncrementalCost)
    assert not isinstance(lambda state: 0.0, IncrementalCost)
