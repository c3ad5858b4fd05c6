"""Golden section: brackets either way, and narrows to what values can tell."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.searches.golden import golden_section


def search(value, first=0.1, shortest=-np.inf, longest=np.inf, tolerance=1e-8):
    return golden_section(value, value(0.0), first, shortest, longest, tolerance=tolerance)


@pytest.mark.parametrize("minimum", [-300.0, -0.7, -1e-3, 1e-3, 0.7, 300.0])
@pytest.mark.parametrize("first", [1e-3, 1.0, 100.0])
def test_finds_the_minimum_on_either_side(minimum, first):
    found = search(lambda t: (t - minimum) ** 2, first)
    assert found is not None
    # Values do not tell lengths apart that differ by less than the root of their rounding.
    assert found.length == pytest.approx(minimum, rel=1e-6, abs=1e-8)


def test_each_evaluation_leaves_a_golden_part():
    """After the bracket, n evaluations leave 0.618^n of it (Kiefer 1953)."""
    lengths = []

    def value(t):
        lengths.append(t)
        return abs(t - 0.3)

    search(value, 1.0, tolerance=1e-6)
    # The bracket [-1, 1] around 0 is not divided by the golden section: one step to make it so.
    expected = np.log(2 / 1e-6) / np.log((1 + np.sqrt(5)) / 2)
    assert len(lengths) <= 3 + expected + 2


def test_limits_are_kept_and_reached():
    seen = []

    def value(t):
        seen.append(t)
        return -t

    found = golden_section(value, 0.0, 0.1, -1.0, 2.0, tolerance=1e-9)
    assert found is not None
    assert found.length == 2.0
    assert max(seen) == 2.0
    found = golden_section(lambda t: t, 0.0, 0.1, -1.0, 2.0, tolerance=1e-9)
    assert found is not None
    assert found.length == -1.0


def test_nothing_lower():
    assert search(lambda t: abs(t)) is None
    assert search(lambda t: 1.0) is None


def test_what_is_not_a_number_is_high():
    found = search(lambda t: (t - 0.9) ** 2 if t < 1 else np.nan, 0.5)
    assert found is not None
    assert found.length == pytest.approx(0.9, abs=1e-6)
