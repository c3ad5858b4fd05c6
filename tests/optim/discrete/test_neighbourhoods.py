"""Moves and crossovers of discrete states."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim.discrete.neighbourhoods import (
    Flip,
    Flips,
    Reversal,
    Reversals,
    Swap,
    Swaps,
    order_crossover,
)

KINDS = [(Swaps(), np.arange(6)), (Reversals(), np.arange(6)), (Flips(), np.zeros(6, bool))]


def test_moves_by_hand():
    state = np.array([3, 1, 0, 2])
    assert Swaps().apply(state, Swap(0, 2)).tolist() == [0, 1, 3, 2]
    assert Reversals().apply(state, Reversal(1, 3)).tolist() == [3, 2, 0, 1]
    assert Flips().apply(np.array([True, False]), Flip(1)).tolist() == [True, True]
    assert state.tolist() == [3, 1, 0, 2]


@pytest.mark.parametrize(("neighbourhood", "state"), KINDS)
def test_a_move_made_twice_is_undone(neighbourhood, state):
    moves = list(neighbourhood.moves(state))
    assert len(set(moves)) == len(moves) == (6 if isinstance(neighbourhood, Flips) else 15)
    for move in moves:
        moved = neighbourhood.apply(state, move)
        assert not np.array_equal(moved, state)
        np.testing.assert_array_equal(neighbourhood.apply(moved, move), state)


@pytest.mark.parametrize(("neighbourhood", "state"), KINDS)
def test_proposals_are_the_moves_all_alike(neighbourhood, state, rng):
    moves = list(neighbourhood.moves(state))
    found = [neighbourhood.propose(state, rng) for _ in range(3000)]
    counts = np.array([found.count(move) for move in moves])
    assert counts.sum() == 3000
    expected = 3000 / len(moves)
    # Four standard deviations of a count.
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected)).all()


@pytest.mark.parametrize(("neighbourhood", "state"), KINDS)
def test_children_are_states(neighbourhood, state, rng):
    for _ in range(50):
        first, second = (neighbourhood.shuffled(state, rng) for _ in range(2))
        child = neighbourhood.crossed(first, second, rng)
        np.testing.assert_array_equal(neighbourhood.checked(child), child)
        if isinstance(neighbourhood, Flips):
            assert ((child == first) | (child == second)).all()


def test_order_crossover_of_the_textbook():
    """The middle of the first; then 9 3 4 5 2 1 8 7 6 from behind it, without 4 5 6 7."""
    first = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9]) - 1
    second = np.array([4, 5, 2, 1, 8, 7, 6, 9, 3]) - 1
    child = order_crossover(first, second, 3, 6)
    assert (child + 1).tolist() == [2, 1, 8, 4, 5, 6, 7, 9, 3]


@pytest.mark.parametrize("wrong", [[0, 2], [0.5, 1], [[0, 1]], [1], [0, 0, 1]])
def test_what_is_no_permutation(wrong):
    with pytest.raises(DataError, match="permutation"):
        Swaps().checked(wrong)


@pytest.mark.parametrize("wrong", [[0, 2], [], [[0, 1]]])
def test_what_are_no_bits(wrong):
    with pytest.raises(DataError, match="zeros and ones"):
        Flips().checked(wrong)
