"""Rprop: both forms by hand, PyTorch's parameters, bounds."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import Status, iterate, minimize, objective
from symopt.optim.adaptive.rprop import Rprop
from tests.optim.torch_trajectories import places_of, trajectory_of


def parabolas(*curvatures):
    c = np.array(curvatures)
    return objective(lambda x: float(c @ x**2) / 2, grad=lambda x: c * x)


def test_simplified_form_by_hand():
    """w = 1 with steps from 0.5: to 0.5, by 0.6 beyond the minimum, back, half as far."""
    rule = Rprop(first=0.5, growth=1.2, shrink=0.5, scaled=False)
    problem = parabolas(1.0).sized(1)
    state = rule.init(problem, np.array([1.0]))
    expected = [1.0, 0.5, 0.5 - 0.6, 0.5 - 0.3, 0.2 - 0.36, 0.2 - 0.18, 0.02 - 0.216]
    for place in expected:
        np.testing.assert_allclose(state.point.x, [place], rtol=1e-14)
        state = rule.step(problem, state)


def test_unknowns_return_one_by_one():
    """At (-0.2, 0.8) only the first derivative has changed: only the first unknown goes back."""
    rule = Rprop(first=0.7, scaled=False)
    problem = parabolas(1.0, 1.0).sized(2)
    state = rule.step(problem, rule.init(problem, np.array([0.5, 1.5])))
    np.testing.assert_allclose(state.point.x, [-0.2, 0.8], rtol=1e-14)
    np.testing.assert_allclose(state.sizes, [0.35, 0.84], rtol=1e-14)
    np.testing.assert_allclose(state.ahead, [0.5 - 0.35, 0.8 - 0.84], rtol=1e-12)
    np.testing.assert_array_equal(state.remembered, [0.5, 0.8])


def test_sizes_are_limited_without_their_sign():
    """From the left, where steps are positive and signed ones would meet the other limit."""
    rule = Rprop(first=0.5, least=0.4, most=0.55, scaled=False)
    problem = parabolas(1.0).sized(1)
    state = rule.step(problem, rule.init(problem, np.array([-10.0])))
    np.testing.assert_array_equal(state.sizes, [0.55])
    np.testing.assert_allclose(state.ahead, [-9.5 + 0.55], rtol=1e-15)


def test_a_derivative_that_was_zero_is_no_reason_to_rest():
    """Of an unknown that starts at its minimum, which then moves away from it."""
    problem = objective(
        lambda x: float((x[0] - 3) ** 2 + (x[1] - x[0] ** 2) ** 2),
        grad=lambda x: np.array(
            [2 * (x[0] - 3) - 4 * x[0] * (x[1] - x[0] ** 2), 2 * (x[1] - x[0] ** 2)]
        ),
    )
    result = minimize(problem, "rprop", x0=[0.0, 0.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [3.0, 9.0], rtol=1e-3)


def test_an_outdated_derivative_is_given_up_at_the_least_size():
    """Both unknowns remember signs that the other's move has made wrong.

    The published form would try the wrong directions forever.
    """
    problem = objective(
        lambda x: float((x[0] + x[1] - 1) ** 2 + 0.1 * (x[0] - x[1]) ** 2),
        grad=lambda x: 2 * (x[0] + x[1] - 1) * np.ones(2) + 0.2 * (x[0] - x[1]) * np.array([1, -1]),
    )
    result = minimize(problem, "rprop", x0=[-2.0, 1.5])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [0.5, 0.5], atol=1e-4)


def test_irprop_by_hand():
    """After the sign has changed the unknown rests, and then moves by the halved size."""
    rule = Rprop(variant="irprop-", first=0.5, scaled=False)
    problem = parabolas(1.0).sized(1)
    state = rule.init(problem, np.array([1.0]))
    expected = [1.0, 0.5, -0.1, -0.1, 0.2, 0.2, 0.05]
    for place in expected:
        np.testing.assert_allclose(state.point.x, [place], rtol=1e-13)
        state = rule.step(problem, state)


@pytest.mark.parametrize("name", ["rprop", "rprop-narrow"])
def test_trajectory_is_that_of_pytorch(name):
    reference = trajectory_of(name)
    given = reference.arguments
    shrink, growth = given.get("etas", (0.5, 1.2))
    least, most = given.get("step_sizes", (1e-6, 50.0))
    rule = Rprop("irprop-", given["lr"], growth, shrink, least, most, scaled=False)
    np.testing.assert_allclose(places_of(rule), reference.places, rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", ["simplified", "irprop-"])
@pytest.mark.parametrize("n", [1, 50])
def test_it_knows_when_it_surrounds_the_minimum(variant, n):
    """Steps of the least size go on forever; the run does not."""
    weights = np.geomspace(1, 1e4, n)
    target = np.linspace(-3, 2, n)
    problem = objective(
        lambda x: 7 + float(weights @ (x - target) ** 2), grad=lambda x: 2 * weights * (x - target)
    )
    result = minimize(problem, Rprop(variant), x0=np.ones(n))
    assert result.success, result.message
    np.testing.assert_allclose(result.x, target, atol=1e-4)


def test_the_scale_of_the_objective_does_not_matter():
    """Powers of two change no sign and no digit."""
    problems = [
        objective(
            lambda x, s=s: s * float((x[0] - 2) ** 4 + (x[1] + x[0]) ** 2),
            grad=lambda x, s=s: (
                s * np.array([4 * (x[0] - 2) ** 3 + 2 * (x[1] + x[0]), 2 * (x[1] + x[0])])
            ),
        )
        for s in (1.0, 2.0**-40)
    ]
    left, right = (
        [it.x for it in iterate(problem, Rprop(scaled=False), x0=[0.5, 0.5], max_iter=60)]
        for problem in problems
    )
    np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("variant", ["simplified", "irprop-"])
def test_bounds_hold_and_release(variant):
    """The second unknown is first driven against its bound, and later pulled away from it."""
    problem = objective(
        lambda x: float((x[0] - 4) ** 2 + (x[1] - x[0] + 2) ** 2),
        grad=lambda x: np.array([2 * (x[0] - 4) - 2 * (x[1] - x[0] + 2), 2 * (x[1] - x[0] + 2)]),
        bounds=[(None, 3.5), (0, None)],
    )
    visited = [it.x for it in iterate(problem, Rprop(variant), x0=[0.0, 1.0])]
    assert all(x[0] <= 3.5 and x[1] >= 0 for x in visited)
    np.testing.assert_allclose(visited[-1], [3.5, 1.5], atol=1e-4)


def test_a_step_below_the_resolution_is_the_end():
    result = minimize(
        parabolas(1.0), Rprop(first=1e-20, least=0, scaled=False, most=1e-20), x0=[1.0]
    )
    assert (result.status, result.message) == (Status.STEP.code, Status.STEP.message)


@pytest.mark.parametrize(
    "settings",
    [
        {"variant": "rprop+"},
        {"growth": 1.0},
        {"shrink": 1.0},
        {"least": -1.0},
        {"first": 100.0},
        {"first": 0.0, "least": 0.0},
    ],
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of rprop must be"):
        Rprop(**settings)
