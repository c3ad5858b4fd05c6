"""Methods for discrete states against optima by trying every state, and the driver."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError, NonFiniteError
from symopt.optim.discrete.costs import Tour
from symopt.optim.discrete.minimize import DISCRETE_METHODS, minimize_discrete
from symopt.optim.discrete.neighbourhoods import Flips, Reversals, Swaps
from symopt.optim.discrete.tabu import DiscreteTabu
from tests.optim.discrete.instances import ASSIGNMENT, INSTANCES, circle


@pytest.mark.parametrize("instance", INSTANCES, ids=lambda instance: instance.name)
@pytest.mark.parametrize("method", DISCRETE_METHODS)
def test_the_optimum_is_found(method, instance):
    for seed in range(2):
        result = minimize_discrete(
            instance.cost,
            instance.start,
            instance.neighbourhood,
            method,
            maximize=instance.maximize,
            seed=seed,
        )
        assert result.success, result.message
        assert result.fun == pytest.approx(instance.optimum(), rel=1e-12)
        assert result.fun == instance.cost(result.x)
        np.testing.assert_array_equal(instance.neighbourhood.checked(result.x), result.x)


def test_a_larger_tour_is_the_circle():
    n = 30
    result = minimize_discrete(Tour(circle(n, 1)), np.arange(n), Reversals(), seed=0)
    assert result.fun == pytest.approx(2 * n * np.sin(np.pi / n), rel=1e-12)
    assert result.nfev == 1, "all else is changes"
    assert result.ndelta > 1000


@pytest.mark.parametrize("method", DISCRETE_METHODS)
def test_the_trace_ends_at_the_result_and_its_best_never_rises(method):
    result = minimize_discrete(ASSIGNMENT, range(7), Swaps(), method, seed=1)
    assert result.trace["iteration"].tolist() == list(range(result.nit + 1))
    assert (np.diff(result.trace["best"]) <= 0).all()
    assert result.trace["value"][0] == ASSIGNMENT(np.arange(7))
    assert result.fun == pytest.approx(result.trace["best"][-1], rel=1e-12)


@pytest.mark.parametrize("method", DISCRETE_METHODS)
def test_the_same_seed_is_the_same_run(method):
    runs = [minimize_discrete(ASSIGNMENT, range(7), Swaps(), method, seed=3) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].trace["value"], runs[1].trace["value"])


def test_without_changes_the_run_is_the_same():
    plain = minimize_discrete(lambda state: ASSIGNMENT(state), range(7), Swaps(), "tabu")
    known = minimize_discrete(ASSIGNMENT, range(7), Swaps(), "tabu")
    np.testing.assert_array_equal(plain.trace["value"], known.trace["value"])
    assert plain.ndelta == 0
    assert plain.nfev > known.nfev


def test_limits_and_callbacks():
    result = minimize_discrete(ASSIGNMENT, range(7), Swaps(), max_iter=3)
    assert (result.nit, result.status, result.success) == (3, 1, False)
    assert minimize_discrete(ASSIGNMENT, range(7), Swaps(), max_time=0.0).status == 4
    seen = []

    def stop(state):
        seen.append(state)
        raise StopIteration

    assert minimize_discrete(ASSIGNMENT, range(7), Swaps(), callback=stop).status == 99
    assert len(seen) == 1


@pytest.mark.parametrize(("raised", "status"), [(ZeroDivisionError, 6), (KeyboardInterrupt, 130)])
def test_a_cost_that_raises(raised, status):
    calls = []

    def cost(bits):
        calls.append(bits)
        if len(calls) > 400:
            raise raised("enough")
        return float(np.sum(bits))

    result = minimize_discrete(cost, np.ones(9, bool), Flips())
    assert result.status == status
    assert result.fun == np.sum(result.x) < 9


def test_a_cost_that_is_not_finite():
    with pytest.raises(NonFiniteError):
        minimize_discrete(lambda bits: np.nan, [0, 1], Flips())
    for method in DISCRETE_METHODS:
        result = minimize_discrete(
            lambda bits: np.nan if bits[0] else float(np.sum(~bits)), [0] * 6, Flips(), method
        )
        assert result.fun == 1.0


def test_settings_instead_of_a_name():
    result = minimize_discrete(
        ASSIGNMENT, range(7), Swaps(), DiscreteTabu(length=4), options={"patience": 9}
    )
    assert result.success
    with pytest.raises(DataError, match="no option `lenght`"):
        minimize_discrete(ASSIGNMENT, range(7), Swaps(), "tabu", options={"lenght": 3})
    with pytest.raises(DataError, match="no method `tabbu`"):
        minimize_discrete(ASSIGNMENT, range(7), Swaps(), "tabbu")
    with pytest.raises(DataError, match="max_iter"):
        minimize_discrete(ASSIGNMENT, range(7), Swaps(), max_iter=-1)
