"""Random search against its formula."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.chance import Chance
from symopt.optim.derivative_free.random_search import RandomSearch
from tests.optim.derivative_free.valleys import banana

RADII = (4, 2, 1, 1 / 2, 1 / 4)


def test_one_step_is_the_formula():
    """Golovin et al., Algorithm 1: the best of x and x + r_k v_k, v_k from N(0, I/n)."""
    problem, settings = objective(banana).sized(2), RandomSearch(candidates=5)
    state = settings.init(problem, np.array([-1.0, 1.0]), seed=3)
    after = settings.step(problem, state)
    draws = Chance(3).generator().normal(size=(5, 2))
    places = [np.array([-1.0, 1.0])]
    places += [places[0] + r * v / np.sqrt(2) for r, v in zip(RADII, draws, strict=True)]
    values = [banana(place) for place in places]
    best = int(np.argmin(values))
    assert best > 0, "some of the five is lower, for this seed"
    np.testing.assert_allclose(after.point.x, places[best], rtol=1e-14)
    assert after.radius == RADII[best - 1]
    assert after.chance == Chance(3, 1)


def test_the_radius_is_halved_where_none_is_lower():
    problem, settings = objective(banana).sized(2), RandomSearch()
    state = settings.init(problem, np.array([1.0, 1.0]))
    after = settings.step(problem, state)
    assert after.point is state.point
    assert after.radius == 0.5


def test_bad_options():
    with pytest.raises(DataError, match="candidates"):
        RandomSearch(candidates=3)
    with pytest.raises(DataError, match="tolerance"):
        RandomSearch(tolerance=0.0)
