"""Gradient descent with fixed steps does what the courses say."""

from __future__ import annotations

import numpy as np
import pytest

from examples.reproductions.descent.experiment import (
    behaviour,
    chain_minimum,
    contractions,
    lipschitz_bound,
    measure,
    report,
)


@pytest.fixture(scope="module")
def found():
    return measure(quick=True)


def test_one_curvature(found):
    assert [behaviour(way) for way in found.single] == [
        "monotone",
        "is there in one step",
        "oscillates, converges",
        "jumps to and fro for ever",
        "diverges",
    ]
    for way in found.single:
        assert contractions(way)[0] == pytest.approx(abs(1 - 2 * way.rate), rel=1e-12)


def test_two_curvatures(found):
    """|1 − η| and |1 − η/3|: the series diverges, stays, and contracts alike at 1.5."""
    for way in found.series:
        expected = np.abs(1 - way.rate * np.array([1, 1 / 3]))
        np.testing.assert_allclose(contractions(way), expected, rtol=1e-12)
    ends = {way.rate: way.values[-1] for way in found.series}
    assert ends[2.1] > ends[2.0] == 0.5
    assert ends[1.5] < ends[1.0] < ends[0.75] < 1e-6


def test_steps_grow_with_the_condition_number(found):
    for condition in found.conditions:
        assert abs(condition.steps - condition.predicted) <= 1.1


def test_linear_where_strongly_convex(found):
    values = found.linear.values
    assert (values[-1] / values[-21]) ** (1 / 20) == pytest.approx((9 / 11) ** 2, rel=1e-3)


def test_below_the_bound_of_smooth_convex_objectives(found):
    minimum, least = chain_minimum(found.sublinear.points.shape[1])
    gap = found.sublinear.values[1:] - least
    assert (gap <= lipschitz_bound(found.sublinear, least, minimum) - least).all()
    # In the middle of many curvatures between 0 and 1 it falls like k^-½: by 0.7 when k doubles.
    np.testing.assert_allclose(gap[[39, 79, 159]] / gap[[19, 39, 79]], 2**-0.5, rtol=0.1)


def test_the_bound_is_attained_but_for_a_factor_of_two(found):
    for worst in found.worst:
        assert worst.measured == pytest.approx(1 / (4 * worst.steps + 2), rel=1e-12)
        assert worst.bound / 3 <= worst.measured <= worst.bound


def test_large_rates_leave_the_narrow_well(found):
    rates = [way.rate for way in found.wells]
    assert rates[1] < 2 / found.narrow.curvature < rates[2]
    ends = [way.points[-1, 0] for way in found.wells]
    np.testing.assert_allclose(ends[:2], ends[0])
    assert ends[0] > 0.9
    np.testing.assert_allclose(ends[2:], -2, atol=1e-6)


def test_the_time_at_a_saddle_grows_with_the_logarithm(found):
    steps = [saddle.steps for saddle in found.saddles]
    assert steps[-1] is None
    # Along the ridge the distance grows by 1 + η a step, with η = 0.1.
    for one, other in zip(found.saddles[1:3], found.saddles[2:4], strict=True):
        expected = np.log(one.offset / other.offset) / np.log(1.1)
        assert other.steps - one.steps == pytest.approx(expected, abs=1.5)
    assert found.saddles[-1].trust_region == pytest.approx(1.0)


def test_the_report_is_whole(found):
    assert "nan" not in report(found)
