"""Schedules, by their formulas."""

from __future__ import annotations

import math

import pytest

from symopt.diagnostics import DataError
from symopt.optim.schedules import (
    NAMES,
    Constant,
    Cosine,
    Exponential,
    Inverse,
    Pace,
    Plateau,
    WarmUp,
    schedule_of,
)


def rates(schedule, steps, first=2.0):
    """The first rates on a schedule."""
    pace, found = Pace(first, schedule), []
    for _ in range(steps):
        found.append(pace.rate)
        pace = pace.following
    return found


def after(schedule, losses):
    """The factor after some losses."""
    pace = Pace(1.0, schedule)
    for loss in losses:
        pace = pace.told(loss)
    return pace.rate


def test_constant():
    assert rates(Constant(), 3) == [2.0, 2.0, 2.0]


def test_inverse():
    assert rates(NAMES["1/(k+1)"], 4) == [2.0, 1.0, pytest.approx(2 / 3, rel=1e-15), 0.5]
    assert rates(NAMES["1/(k+1)^2"], 3) == [2.0, 0.5, pytest.approx(2 / 9, rel=1e-15)]


def test_inverse_by_longer_steps():
    """η₀/(1 + k/10)^½ is half of η₀ at k = 30."""
    assert rates(Inverse(steps=10, power=0.5), 31)[30] == pytest.approx(1.0, rel=1e-15)


def test_exponential():
    found = rates(Exponential(0.5), 3)
    assert found == pytest.approx([2.0, 2 * math.exp(-0.5), 2 * math.exp(-1.0)], rel=1e-15)


def test_cosine():
    """Half of the way at half of the steps, and constant after the last."""
    found = rates(Cosine(steps=4, last=0.5), 7)
    side = math.sqrt(0.5)
    expected = [2.0, 1.5 + side / 2, 1.5, 1.5 - side / 2, 1.0, 1.0, 1.0]
    assert found == pytest.approx(expected, rel=1e-15)


def test_warm_up_begins_the_other_schedule_at_its_first_rate():
    found = rates(WarmUp(4, Inverse()), 7)
    assert found == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 1.0, 2 / 3], rel=1e-15)


def test_plateau_drops_after_so_many_losses_without_progress():
    schedule = Plateau(drop=0.1, patience=3)
    assert after(schedule, [5.0, 4.0, 4.0, 4.0]) == 1.0
    assert after(schedule, [5.0, 4.0, 4.0, 4.0, 4.0]) == pytest.approx(0.1)
    assert after(schedule, [5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]) == pytest.approx(0.01)


def test_plateau_begins_to_wait_anew_at_each_lower_loss():
    schedule = Plateau(drop=0.1, patience=3)
    assert after(schedule, [5.0, 5.0, 5.0, 4.0, 4.0, 4.0]) == 1.0


def test_plateau_takes_tiny_progress_for_none():
    schedule = Plateau(drop=0.5, patience=2, threshold=0.01)
    assert after(schedule, [1.0, 0.995, 0.991]) == 0.5
    assert after(schedule, [1.0, 0.98, 0.97]) == 1.0
    # Also of negative losses: lower by a hundredth of their size.
    assert after(schedule, [-1.0, -1.005, -1.009]) == 0.5
    assert after(schedule, [-1.0, -1.02, -1.04]) == 1.0


def test_a_loss_that_is_no_number_is_no_progress():
    assert after(Plateau(drop=0.5, patience=2), [1.0, math.nan, math.nan]) == 0.5


def test_plateau_goes_on_after_a_warm_up():
    schedule = WarmUp(1, Plateau(drop=0.5, patience=1))
    pace = Pace(1.0, schedule).following.told(1.0).told(1.0)
    assert pace.rate == 0.5


def test_losses_do_not_touch_other_schedules():
    for name, schedule in NAMES.items():
        pace = Pace(1.0, schedule)
        if name != "plateau":
            assert pace.told(1.0).told(2.0) == pace


def test_names():
    assert schedule_of("sgd", "cosine") == Cosine()
    own = Cosine(steps=7)
    assert schedule_of("sgd", own) is own
    with pytest.raises(DataError, match="option `schedule` of sgd must be a schedule, or one of"):
        schedule_of("sgd", "cosinus")


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (Inverse, {"steps": 0}),
        (Inverse, {"power": -1}),
        (Exponential, {"decay": 0}),
        (Plateau, {"drop": 0}),
        (Plateau, {"patience": 0}),
        (Cosine, {"steps": 0}),
        (WarmUp, {"steps": 0}),
    ],
)
def test_bad_settings(make, settings):
    (name,) = settings
    with pytest.raises(DataError, match=f"option `{name}` of {make.__name__} must be positive"):
        make(**settings)
