"""Gradient descent: what theory says of fixed steps, and both searches."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.first_order.gradient_descent import GradientDescent

CURVATURE = 4.0


def parabola():
    return objective(lambda x: float(CURVATURE / 2 * x[0] ** 2), grad=lambda x: CURVATURE * x)


def path(rate, steps=20):
    visited = [1.0]
    minimize(
        parabola(),
        "gradient-descent",
        x0=[1.0],
        max_iter=steps,
        tol=0,
        options={"rate": rate},
        callback=lambda x: visited.append(x[0]),
    )
    return np.array(visited)


def test_fixed_steps_contract_by_one_minus_rate_times_curvature():
    rate = 0.1
    expected = (1 - rate * CURVATURE) ** np.arange(21)
    # One rounding a step.
    np.testing.assert_allclose(path(rate), expected, rtol=1e-14)


def test_monotone_below_one_over_the_curvature():
    visited = path(0.9 / CURVATURE)
    assert (visited > 0).all()
    assert (np.diff(visited) < 0).all()


def test_oscillates_up_to_two_over_the_curvature():
    visited = path(1.8 / CURVATURE)
    assert (visited[1:] * visited[:-1] < 0).all()
    assert (np.diff(np.abs(visited)) < 0).all()


def test_diverges_beyond():
    assert (np.diff(np.abs(path(2.2 / CURVATURE))) > 0).all()


def test_the_best_rate_is_one_over_the_curvature():
    np.testing.assert_array_equal(path(1 / CURVATURE)[:2], [1.0, 0.0])


def test_a_rate_too_small_to_move_is_no_convergence():
    result = minimize(parabola(), "gd", x0=[1.0], options={"rate": 1e-20})
    assert (result.success, result.status, result.nit) == (False, 2, 1)


@pytest.mark.parametrize("search", ["armijo", "strong-wolfe"])
def test_searches_need_no_rate(search):
    weights = np.array([1.0, 5.0, 25.0])
    result = minimize(
        objective(lambda x: float(weights @ (x - 1) ** 2), grad=lambda x: 2 * weights * (x - 1)),
        "gradient-descent",
        x0=[5.0, -3.0, 2.0],
        options={"search": search},
    )
    assert result.success, result.message
    assert (np.diff(result.trace["value"]) < 0).all()
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-4)


@pytest.mark.parametrize("search", ["armijo", "strong-wolfe"])
def test_bounds_hold_and_release(search):
    """From a corner whose bounds must be left, to one that must be kept."""
    result = minimize(
        objective(
            lambda x: float((x[0] - 2) ** 2 + (x[1] + 5) ** 2),
            grad=lambda x: np.array([2 * (x[0] - 2), 2 * (x[1] + 5)]),
            bounds=[(0, 3), (-1, 1)],
        ),
        "gradient-descent",
        x0=[0.0, 1.0],
        options={"search": search},
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [2.0, -1.0], rtol=1e-5)
    assert result.x[1] == -1


@pytest.mark.parametrize("settings", [{"rate": 0}, {"rate": -1}, {"search": "exact"}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of gradient-descent must be"):
        GradientDescent(**settings)


def test_rates_follow_their_schedule():
    """x <- x (1 - eta a/(k + 1)) on the parabola of curvature a."""
    visited = [1.0]
    minimize(
        parabola(),
        "gradient-descent",
        x0=[1.0],
        max_iter=10,
        tol=0,
        options={"rate": 0.1, "schedule": "1/(k+1)"},
        callback=lambda x: visited.append(x[0]),
    )
    expected = np.cumprod([1.0, *(1 - 0.1 * CURVATURE / (np.arange(10) + 1))])
    np.testing.assert_allclose(visited, expected, rtol=1e-14)


def test_a_schedule_is_of_a_rate():
    with pytest.raises(DataError, match="`schedule` of gradient-descent must be"):
        GradientDescent(schedule="cosine")
