"""Hager and Zhang's search: its conditions, and its accuracy where values are rounding."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.searches.hager_zhang import hager_zhang
from tests.optim.searches.lines import FIRST_LENGTHS, FLAT, LONG_VALLEY, MORE_THUENTE, Counting

LINES = (*MORE_THUENTE, LONG_VALLEY)


@pytest.mark.parametrize("first", FIRST_LENGTHS)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("curvature", [0.9, 0.1])
def test_a_set_of_conditions_holds(line, first, curvature):
    at, start, decrease = Counting(line), line.start, 0.05
    found = hager_zhang(at, start, first, np.inf, decrease=decrease, curvature=curvature)
    assert found is not None
    wolfe = (
        found.value <= start.value + decrease * found.length * start.slope
        and abs(found.slope) <= -curvature * start.slope
    )
    approximate = (
        (2 * decrease - 1) * start.slope >= found.slope >= curvature * start.slope
        and found.value <= start.value + 1e-6 * abs(start.value)
    )
    assert wolfe or approximate
    # The most that the paper's tables of line searches take is in the tens.
    assert len(at.lengths) <= 40


def test_secants_are_exact_for_a_parabola():
    """The second trial is the minimum: S1 of the interval that the first one closes."""
    at = Counting(MORE_THUENTE[0])
    at.line = type(at.line)(lambda t: (t - 0.3) ** 2, lambda t: 2 * (t - 0.3))
    found = hager_zhang(at, at.line.start, 10.0, np.inf, decrease=0.4, curvature=1e-10)
    assert at.lengths[0] == 10
    assert at.lengths[1] == pytest.approx(0.3, rel=1e-14)
    assert found is not None
    assert found.length == at.lengths[1]


def test_slopes_alone_find_the_minimum_of_what_is_flat():
    """No step was 1e-9 long, and no value differs."""
    found = hager_zhang(FLAT.at, FLAT.start, 1e-3, np.inf, curvature=0.1)
    assert found is not None
    assert abs(found.slope) <= 0.1 * -FLAT.start.slope
