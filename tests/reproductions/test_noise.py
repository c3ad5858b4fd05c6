"""Noise does to methods what the courses say."""

from __future__ import annotations

import numpy as np
import pytest

from examples.reproductions.noise.experiment import measure, report


@pytest.fixture(scope="module")
def found():
    return measure(quick=True)


def test_searches_break_under_noise(found):
    left = {noisy.method: noisy for noisy in found.noisy}
    for method in ("steepest-descent", "cg-hestenes-stiefel", "bfgs"):
        assert left[method].whole < 1e-3
        # Values of two batches: soon none seems lower.
        assert left[method].batches > 0.1
        assert left[method].steps < 100
        # Values of one: each step goes to the minimum of its batch.
        assert left[method].consistent > 0.1
    for method in ("sgd", "smd"):
        assert left[method].batches < 0.1
        assert left[method].consistent < 0.1


def test_successive_errors_agree_in_sign(found):
    # The standard error of the mean of 20,000 signs is below 0.01.
    assert found.sign == pytest.approx(0.64, abs=0.03)


def test_signs_do_not_anneal_at_the_mean_and_meta_descent_does(found):
    rates = {rates.method: rates for rates in found.rates}
    last = {method: found.last / found.first for method, found in rates.items()}
    assert last["silva-almeida"] > 5
    assert last["delta-bar-delta"] > 1
    assert last["smd"] < 0.5
    assert last["exponentiated-step"] < 1
    # The labels have their mean at 0.1, their median at 0.
    for method in ("rprop", "silva-almeida"):
        assert rates[method].place == pytest.approx(0, abs=0.01)
    for method in ("smd", "exponentiated-step"):
        # A step size of 0.04 still leaves a standard deviation of 0.04, seen in 200 steps.
        assert rates[method].place == pytest.approx(0.1, abs=0.04)


def test_the_fixpoint_of_meta_descent(found):
    assert found.fixpoint < 1e-10
    assert found.invariance < 1e-6


def test_schedules(found):
    errors = {scheduled.schedule: scheduled.errors for scheduled in found.schedules}
    # The running mean of k observations has the variance 1/k; of 100 runs it is known to 14 %.
    np.testing.assert_allclose(errors["1/(k+1)"], 1 / np.array(found.counts), rtol=0.5)
    # The factors 1 - 0.1/(k+1)² of a distance of 4 have a product above zero.
    product = np.prod(1 - 0.1 / np.arange(1, 1001) ** 2)
    assert errors["0.1/(k+1)^2"][-1] == pytest.approx((4 * product) ** 2, rel=0.05)
    # A constant rate η hovers at η/(2 - η) times the variance.
    assert errors["constant, 0.1"][-1] == pytest.approx(0.1 / 1.9, rel=0.5)
    # The factors 1 - 0.1 exp(-k/100) leave 4 exp(-10) at least; noise of the last steps stays.
    assert 1 / found.counts[-1] < errors["0.1 exp(-k/100)"][-1] < errors["constant, 0.1"][-1]
    obeys = {scheduled.schedule: scheduled.robbins_monro for scheduled in found.schedules}
    assert [name for name, holds in obeys.items() if holds] == ["1/(k+1)"]


def test_decaying_rates_lose_a_moving_target(found):
    half = {t.label: t.distance[len(t.distance) // 2 : -1].mean() for t in found.tracking}
    decaying, constant, smd = half.values()
    assert decaying > 1.5 * constant
    assert smd < 1.1 * constant


def test_momentum_takes_the_root_of_the_condition_number(found):
    steps = {speed.label: np.array(list(speed.steps.values())) for speed in found.speeds}
    growth = {label: count[-1] / count[0] for label, count in steps.items()}
    assert 8 < growth["descent"] < 12
    for label in ("momentum", "nesterov"):
        assert 2.5 < growth[label] < 5
        assert steps[label][-1] < steps["descent"][-1] / 3
    assert growth["rprop"] < 1.5
    assert steps["quickprop"][-1] < steps["descent"][-1] / 10


def test_rprop_and_quickprop_mind_turned_axes_and_momentum_does_not(found):
    for speed in found.speeds:
        alike = speed.turned < 1.5 * max(speed.steps.values())
        assert alike == (speed.label in ("descent", "momentum", "nesterov"))


def test_the_report_is_whole(found):
    assert "nan" not in report(found)
