"""Continuous tabu search against what it is said to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.chance import Chance
from symopt.optim.derivative_free.tabu import Tabu
from tests.optim.derivative_free.valleys import banana


@pytest.mark.parametrize("ball", [0.0, 0.3])
def test_one_step_is_the_formula(ball):
    """The best of one neighbour in each nested box, not near a tabu place unless the best ever."""
    settings = Tabu(neighbours=6, ball=ball)
    problem, x = objective(banana).sized(2), np.array([1.0, 1.0])  # none is better
    state = settings.init(problem, x, seed=9)
    after = settings.step(problem, state)
    draws = Chance(9).generator().uniform(-1, 1, size=(6, 2))
    places = [x + draw / 2**k for k, draw in enumerate(draws)]
    free = [p for p in places if np.sqrt(np.mean((p - x) ** 2)) >= ball]
    assert 0 < len(free) <= 6
    assert (len(free) < 6) == (ball > 0)
    expected = min(free, key=banana)
    np.testing.assert_allclose(after.point.x, expected, rtol=1e-14)
    assert after.tabu.entries == ((1.0, 1.0), tuple(after.point.x))
    assert after.best is state.best
    assert after.waited == 1


def test_a_new_best_place_is_never_tabu():
    settings = Tabu(neighbours=4, ball=100.0)
    problem = objective(lambda x: float(x @ x)).sized(2)
    state = settings.init(problem, np.array([3.0, 4.0]), seed=1)
    while True:
        after = settings.step(problem, state)
        if after.point is not state.point:
            break
        state = after
    assert after.best is after.point


def test_it_returns_to_the_best_with_a_smaller_neighbourhood():
    settings = Tabu(patience=3)
    problem = objective(banana).sized(2)
    state = settings.init(problem, np.array([1.0, 1.0]))
    state = settings.step(problem, replace(state, waited=2))
    assert state.point is state.best
    assert (state.radius, state.waited) == (0.5, 0)
    assert state.tabu.entries == ((1.0, 1.0),)


def test_bad_options():
    for options in ({"neighbours": 0}, {"length": 0}, {"ball": -1.0}, {"tolerance": 0.0}):
        with pytest.raises(DataError, match=next(iter(options))):
            Tabu(**options)
