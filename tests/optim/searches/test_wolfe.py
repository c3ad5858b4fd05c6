"""The plain search: the conditions it promises, on lines that are easy, odd and broken."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.searches.hager_zhang import hager_zhang
from symopt.optim.searches.more_thuente import more_thuente
from symopt.optim.searches.wolfe import strong_wolfe
from tests.optim.searches.lines import (
    FLAT,
    LONG_VALLEY,
    MORE_THUENTE,
    NOWHERE,
    PARABOLA,
    WALL,
)

LINES = {
    "parabola": PARABOLA,
    "more-thuente 1": MORE_THUENTE[0],
    "more-thuente 2": MORE_THUENTE[1],
    "wall": WALL,
    "long valley": LONG_VALLEY,
}
WOLFE = [strong_wolfe, more_thuente]  # Hager and Zhang's accepts by other rules too
ALL = [*WOLFE, hager_zhang]


@pytest.mark.parametrize("first", [1e-3, 1e-1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("curvature", [0.9, 0.1])
@pytest.mark.parametrize("search", WOLFE)
def test_strong_wolfe_conditions_hold(search, name, first, curvature):
    line = LINES[name]
    found = search(line.at, line.start, first, np.inf, decrease=1e-4, curvature=curvature)
    assert found is not None
    assert found.value <= line.start.value + 1e-4 * found.length * line.start.slope
    assert abs(found.slope) <= -curvature * line.start.slope


@pytest.mark.parametrize("search", ALL)
def test_the_longest_step_needs_a_decrease_only(search):
    found = search(PARABOLA.at, PARABOLA.start, 1.0, 0.01)
    assert found is not None
    assert found.length == 0.01


@pytest.mark.parametrize("search", ALL)
def test_no_step_into_nothing(search):
    assert search(NOWHERE.at, NOWHERE.start, 1.0, np.inf) is None


@pytest.mark.parametrize("search", ALL)
def test_backs_off_from_a_wall(search):
    found = search(WALL.at, WALL.start, 100.0, np.inf)
    assert found is not None
    assert found.length < 1
    assert found.value < WALL.start.value


@pytest.mark.parametrize("search", WOLFE)
def test_slopes_decide_where_values_are_rounding(search):
    found = search(FLAT.at, FLAT.start, 4e-9, np.inf, curvature=0.1)
    assert found is None or abs(found.length - 1e-9) <= 1e-10
    accepted = search(FLAT.at, FLAT.start, 1.02e-9, np.inf, curvature=0.1)
    assert accepted is not None


@pytest.mark.parametrize("search", ALL)
def test_ends_where_lengths_no_longer_move(search):
    """A promise that the objective does not keep, around a point of finite resolution."""
    evaluations = 0

    def at(t):
        nonlocal evaluations
        evaluations += 1
        trial = PARABOLA.at(0.0)
        x = np.array([1.0]) + t * 1e-13
        return type(trial)(t, 2.0 + t, -1.0, type(trial.point)(x, 2.0 + t, np.array([-1.0])))

    start = at(0.0)
    assert search(at, start, 1.0, np.inf) is None
    assert evaluations < 20
