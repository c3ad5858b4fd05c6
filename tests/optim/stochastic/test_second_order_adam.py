"""Second-order Adam: its rule by hand, and what it does on a quadratic."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.stochastic.second_order_adam import SecondOrderAdam

HESSIAN = np.array([[2.0, 1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
SLOPE = np.array([0.0, 0.3, 1.0])


def saddle():
    """Curved up, curved down, and straight."""
    return objective(
        lambda w: float(w @ HESSIAN @ w / 2 + SLOPE @ w),
        grad=lambda w: HESSIAN @ w + SLOPE,
        hvp=lambda w, v: HESSIAN @ v,
    ).sized(3)


def adapted(rate, average, drift, lowest, highest):
    """The rule for one weight, in cases."""
    agree = average * drift > 0
    factor = min(max(average / drift, 0.5), 2.0) if agree else 1.2
    return min(max(rate * factor, lowest), highest)


def test_steps_by_hand():
    rule = SecondOrderAdam(
        rate=0.1, beta1=0.5, beta2=0.875, beta3=0.75, eps=1e-3, lowest=0.5, highest=2.0
    )
    w, rates = np.array([1.0, 0.5, -1.0]), [0.1] * 3
    mean, square, drift = np.zeros(3), np.zeros(3), np.zeros(3)
    state, seen = rule.init(saddle(), w), set()
    for t in range(1, 31):
        gradient = HESSIAN @ w + SLOPE
        mean = 0.5 * mean + 0.5 * gradient
        square = 0.875 * square + 0.125 * gradient**2
        average = mean / (1 - 0.5**t)
        direction = average / (np.sqrt(square / (1 - 0.875**t)) + 1e-3)
        drift = 0.75 * drift + 0.25 * (HESSIAN @ (rates * direction))
        changes = drift / (1 - 0.75**t)
        before = rates
        rates = [adapted(rates[i], average[i], changes[i], 0.05, 0.2) for i in range(3)]
        seen |= {round(a / b, 6) for a, b in zip(rates, before, strict=True)}
        w = w - rates * direction
        # Curved down, the weights run away, and roundings with them.
        np.testing.assert_allclose(state.ahead, w, rtol=1e-11)
        np.testing.assert_allclose(0.1 * state.memory.gains, rates, rtol=1e-11)
        state = rule.step(saddle(), state)
    assert {2.0, 1.2, 1.0} <= seen  # agreement, disagreement, and a limit
    assert any(0 < factor < 1 for factor in seen)


def test_rates_become_those_that_end_the_gradient_in_one_step():
    """Without averages d is the sign of g, and a step of |w| ends the gradient h w."""
    curvature = np.array([1.0, 3.0])
    problem = objective(
        lambda w: float(curvature @ w**2) / 2,
        grad=lambda w: curvature * w,
        hvp=lambda w, v: curvature * v,
    ).sized(2)
    rule = SecondOrderAdam(rate=2.5, beta1=0.0, beta2=0.0, beta3=0.0, eps=1e-20)
    state = rule.init(problem, np.array([4.0, -2.0]))
    np.testing.assert_allclose(2.5 * state.memory.gains, [4.0, 2.0], rtol=1e-14)
    np.testing.assert_allclose(state.ahead, 0.0, atol=1e-14)


@pytest.mark.parametrize(
    "settings", [{"rate": 0}, {"beta1": 1}, {"beta3": 1}, {"lowest": 0}, {"highest": 0.5}]
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of second-order-adam must be"):
        SecondOrderAdam(**settings)
