"""Pools of candidates, and the choices among them."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim import Point, objective
from symopt.optim.bounds import box_of
from symopt.optim.pool import (
    Pool,
    Rounds,
    TabuList,
    accepts,
    evaluated,
    initial_spread,
    ranked,
    reflected,
    resolved,
    tournament,
    values_at,
)


def at(value):
    return Point(np.array([9.0]), value, np.empty(0))


def test_the_best_come_first_and_equals_keep_their_order():
    pool = ranked(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([5.0, 2.0, 5.0, 2.0]))
    assert pool.places.ravel().tolist() == [1.0, 3.0, 0.0, 2.0]
    joined = pool.joined(Pool(np.array([[7.0]]), np.array([2.0])))
    assert joined.places.ravel().tolist() == [1.0, 3.0, 7.0, 0.0, 2.0]
    assert joined.kept(2).values.tolist() == [2.0, 2.0]
    assert pool.ranges.tolist() == [3.0]
    with pytest.raises(ValueError, match="read-only"):
        pool.values[0] = 1.0


def test_a_point_gives_way_only_to_a_lower_candidate():
    pool = ranked(np.array([[1.0]]), np.array([2.0]))
    same, higher = at(2.0), at(3.0)
    assert pool.improved(same) is same
    assert pool.improved(higher).value == 2.0
    assert pool.improved(higher).x.tolist() == [1.0]


def test_what_is_not_finite_is_worst():
    def fun(x):
        return {0.0: np.nan, 1.0: -np.inf, 2.0: 4.0}[float(x[0])]

    problem = objective(fun).sized(1)
    places = np.array([[0.0], [1.0], [2.0]])
    assert values_at(problem, places).tolist() == [np.inf, np.inf, 4.0]
    assert evaluated(problem, places).places[0].tolist() == [2.0]


def test_level_pools():
    assert ranked(np.zeros((2, 1)), np.array([1.0, 1.0 + 2e-16])).level
    assert not ranked(np.zeros((2, 1)), np.array([1.0, 1.0 + 1e-14])).level
    assert not ranked(np.zeros((2, 1)), np.array([1.0, np.inf])).level


def test_acceptance_is_metropolis():
    assert accepts(-1.0, 0.0, 0.99)
    assert accepts(0.0, 0.0, 0.99)
    assert not accepts(1.0, 0.0, 0.0)
    # exp(-1/2) = 0.6065...
    assert accepts(1.0, 2.0, 0.6065)
    assert not accepts(1.0, 2.0, 0.6066)
    assert not accepts(np.nan, 1.0, 0.0)
    assert not accepts(np.inf, 1.0, 0.0)


def test_tournaments_prefer_the_better(rng):
    winners = tournament(rng, 4, 40_000, 2)
    # The least of two draws from 0 ... 3 is k with probability (7 - 2k)/16.
    found = np.bincount(winners, minlength=4) / len(winners)
    np.testing.assert_allclose(found, np.array([7, 5, 3, 1]) / 16, atol=0.015)


def test_the_first_spread_is_judged_by_bounds_and_sizes():
    problem = objective(np.sum, bounds=[(0, 10), (0, None), (None, None)], names=["a", "b", "c"])
    np.testing.assert_allclose(
        initial_spread(problem.sized(3), np.array([1.0, 5.0, 0.0])), [3.0, 5.0, 1.0]
    )


def test_reflection_at_bounds():
    box = box_of(objective(np.sum, bounds=[(0, 10), (0, None)]).sized(2))
    places = np.array([[-1.0, -2.0], [11.0, 5.0], [-30.0, 1.0]])
    found = reflected(box, np.array([1.0, 1.0]), places)
    np.testing.assert_allclose(found, [[1.0, 2.0], [9.0, 5.0], [0.0, 1.0]])


def test_resolution_is_relative_to_x_and_to_the_first_spread():
    sizes = np.array([1.0, 1.0])
    assert resolved(np.array([1e-6, 1e-8]), np.array([100.0, 0.0]), sizes, 1e-8)
    assert not resolved(np.array([1e-6, 1e-8]), np.array([10.0, 0.0]), sizes, 1e-8)


def test_two_rounds_settle_at_the_same_place():
    x, sizes = np.array([1.0]), np.array([1.0])
    assert not Rounds().settled(x, sizes, 1e-8)
    rounds = Rounds().after(x)
    assert rounds.count == 1
    assert rounds.settled(x + 9e-5, sizes, 1e-8)
    assert not rounds.settled(x + 2e-4, sizes, 1e-8)


def test_a_tabu_list_forgets_the_oldest():
    tabu: TabuList[int] = TabuList(2)
    tabu = tabu.adding(1).adding(2).adding(3)
    assert tabu.entries == (2, 3)
    assert 1 not in tabu
    assert 3 in tabu
