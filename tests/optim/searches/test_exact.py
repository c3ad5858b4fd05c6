"""The exact search: slopes of zero, in few evaluations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from symopt.optim.searches.exact import exact
from tests.optim.searches.lines import (
    FIRST_LENGTHS,
    LONG_VALLEY,
    MORE_THUENTE,
    NOWHERE,
    PARABOLA,
    WALL,
    Counting,
    Line,
)


@pytest.mark.parametrize("first", FIRST_LENGTHS)
@pytest.mark.parametrize(
    ("line", "near"),
    [
        (MORE_THUENTE[0], (1, 2)),
        (MORE_THUENTE[1], (1.5, 1.7)),
        (MORE_THUENTE[4], (0.05, 0.1)),
        (LONG_VALLEY, (1e3, 1e4)),
        (WALL, (0.1, 0.9)),
    ],
)
def test_finds_where_the_slope_vanishes(line, near, first):
    at = Counting(line)
    found = exact(at, line.start, first, np.inf)
    assert found is not None
    expected = brentq(line.slope, *near, xtol=1e-15, rtol=1e-15)
    # The slope is rounded, and steep or flat by at most this factor here.
    assert found.length == pytest.approx(expected, rel=1e-11)
    assert len(at.lengths) <= 40


@pytest.mark.parametrize("first", [0.01, 0.5, 1.0, 3.0, 100.0])
def test_a_parabola_takes_few_trials(first):
    at = Counting(PARABOLA)
    found = exact(at, PARABOLA.start, first, np.inf)
    assert found is not None
    assert found.length == pytest.approx(1.0, rel=1e-15)
    assert len(at.lengths) <= 6


def test_stays_in_front_of_a_hill():
    """From 0 down to a minimum at 1, up over a hill and down to a higher minimum at 4."""
    slope = np.polynomial.Polynomial.fromroots([1.0, 2.5, 4.0])
    value = slope.integ() + 0.2 * np.polynomial.Polynomial([0, 0, 1])
    line = Line(value, value.deriv())
    found = exact(line.at, line.start, 5.0, np.inf)
    assert found is not None
    least = min(value.deriv().roots().real)
    assert found.value <= value(least) + 1e-12


def test_ends_at_the_longest_length():
    found = exact(PARABOLA.at, PARABOLA.start, 0.1, 0.7)
    assert found is not None
    assert found.length == 0.7


def test_no_step_into_nothing():
    assert exact(NOWHERE.at, NOWHERE.start, 1.0, np.inf) is None
