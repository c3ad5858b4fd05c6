"""The conditions of Robbins and Monro, against partial sums."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from symopt.optim.robbins_monro import robbins_monro
from symopt.optim.schedules import (
    NAMES,
    Constant,
    Cosine,
    Exponential,
    Inverse,
    Plateau,
    Progress,
    WarmUp,
)

CASES = [
    (Constant(), True, False),
    (Inverse(), True, True),
    (Inverse(power=2.0), False, True),
    (Inverse(power=0.5), True, False),
    (Inverse(steps=100.0, power=0.75), True, True),
    (Exponential(0.1), False, True),
    (Cosine(50), False, True),
    (Cosine(50, last=0.1), True, False),
    (WarmUp(10), True, False),
    (WarmUp(10, Inverse()), True, True),
    (WarmUp(10, Exponential(0.1)), False, True),
    (Plateau(drop=1.0), True, False),
]


@pytest.mark.parametrize(("schedule", "reaches", "settles"), CASES)
def test_conditions(schedule, reaches, settles):
    verdict = robbins_monro(schedule)
    assert (verdict.reaches, verdict.settles) == (reaches, settles)
    assert verdict.holds is (reaches and settles)
    assert verdict.reason


@pytest.mark.parametrize(("schedule", "reaches", "settles"), CASES)
def test_partial_sums_agree(schedule, reaches, settles):
    """A sum is finite where the terms of ever longer stretches, each ten times the last, vanish.

    For terms like k^-p they change by 10^(1-p): not at all for the harmonic series.
    """
    marks = 10 ** np.arange(3, 6)
    factors = np.array([schedule.factor(Progress(count=k)) for k in range(marks[-1])])
    for terms, finite in ((factors, not reaches), (factors**2, settles)):
        near, far = (terms[a:b].sum() for a, b in pairwise(marks))
        assert bool(far < 0.9 * near or far == 0) is finite


@pytest.mark.parametrize("name", NAMES)
def test_every_named_schedule_has_a_verdict(name):
    assert robbins_monro(name) == robbins_monro(NAMES[name])


def test_only_the_harmonic_one_of_the_named_schedules_will_do():
    assert [name for name in NAMES if robbins_monro(name).holds] == ["1/(k+1)"]


def test_what_depends_on_losses_is_not_claimed():
    verdict = robbins_monro("plateau")
    assert (verdict.reaches, verdict.settles, verdict.holds) == (None, None, False)
    assert "depends on the losses" in verdict.reason


def test_nothing_is_claimed_of_other_schedules():
    class Own:
        def factor(self, progress):
            return 1.0

        def told(self, progress, loss):
            return progress

    verdict = robbins_monro(Own())
    assert (verdict.reaches, verdict.settles) == (None, None)
    assert "Own" in verdict.reason
