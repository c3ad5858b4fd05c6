"""Silva and Almeida's steps: by hand, and steps that are taken back."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import Status, iterate, minimize, objective
from symopt.optim.adaptive.silva_almeida import SilvaAlmeida

CURVATURES = np.array([1.0, 12.0])


def bowl(bounds=None):
    return objective(
        lambda x: float(CURVATURES @ x**2) / 2, grad=lambda x: CURVATURES * x, bounds=bounds
    )


def test_steps_by_hand():
    """Kept steps: the second unknown overshoots, but the objective falls."""
    u, d, alpha, rate = 1.3, 0.6, 0.1, 0.1
    rule, problem = SilvaAlmeida(rate, u, d, alpha), bowl().sized(2)
    w, eta = np.array([2.0, -1.0]), np.array([rate, rate])
    before, z = None, np.zeros(2)
    values, signs = [], []
    state = rule.init(problem, w)
    for _ in range(6):
        np.testing.assert_allclose(state.point.x, w, rtol=1e-13)
        values.append(state.point.value)
        g = CURVATURES * w
        if before is not None:
            eta = eta * np.where(g * before >= 0, u, d)
            signs.append(np.sign(g * before))
        z = g + alpha * z
        w, before = w - eta * z, g
        state = rule.step(problem, state)
    assert (np.diff(values) < 0).all(), "no step of these is taken back"
    assert (np.array(signs)[:, 1] < 0).any()


def test_a_step_that_raises_the_objective_is_taken_back():
    """x²/2 from 1 at rate 3 ends at -2: the next step is from 1 again, at the rate 3 d."""
    problem = objective(lambda x: float(x[0] ** 2) / 2, grad=lambda x: x.copy()).sized(1)
    rule = SilvaAlmeida(rate=3.0, d=0.5, momentum=0.5)
    state = rule.step(problem, rule.init(problem, np.ones(1)))
    np.testing.assert_array_equal(state.point.x, [-2.0])
    np.testing.assert_array_equal(state.ahead, [1 - 1.5 * 1.0])
    assert state.failures == 1


def test_a_rise_within_the_tolerance_is_kept():
    problem = objective(lambda x: float(x[0] ** 2) / 2, grad=lambda x: x.copy()).sized(1)
    rule = SilvaAlmeida(rate=2.1, d=0.5, tolerance=0.25)
    state = rule.step(problem, rule.init(problem, np.ones(1)))
    # From -1.1, where the objective is 21 % higher.
    np.testing.assert_allclose(state.ahead, [-1.1 + 1.05 * 1.1], rtol=1e-13)


def test_places_where_nothing_is_finite_are_left_again():
    """log x - x from the far right: the first step leads to negative numbers."""

    def value(x):
        return float(x[0] - np.log(x[0])) if x[0] > 0 else np.nan

    problem = objective(value, grad=lambda x: 1 - 1 / x)
    result = minimize(problem, SilvaAlmeida(rate=40.0), x0=[30.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [1.0], atol=1e-6)


def test_a_gradient_that_points_uphill_is_no_convergence():
    problem = objective(lambda x: float(x[0] ** 2), grad=lambda x: -2 * x)
    result = minimize(problem, "silva-almeida", x0=[1.0])
    assert (result.success, result.status) == (False, Status.STALLED.code)


def test_kept_places_never_rise():
    rosenbrock = objective(
        lambda x: float((1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2),
        grad=lambda x: np.array(
            [
                2 * (x[0] - 1) - 40 * x[0] * (x[1] - x[0] ** 2),
                20 * (x[1] - x[0] ** 2),
            ]
        ),
    )
    kept = [it.state.base.value for it in iterate(rosenbrock, "silva-almeida", x0=[-1.2, 1.0])]
    assert (np.diff(kept) <= 0).all()


def test_bounds():
    result = minimize(bowl([(0.5, None), (None, None)]), "silva-almeida", x0=[2.0, -1.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [0.5, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"rate": 0}, {"u": 1}, {"d": 1}, {"momentum": 1}, {"tolerance": -1}]
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of silva-almeida must be"):
        SilvaAlmeida(**settings)
