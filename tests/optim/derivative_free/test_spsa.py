"""SPSA against Spall's formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.chance import Chance
from symopt.optim.derivative_free.spsa import SPSA
from tests.optim.derivative_free.valleys import banana


def test_one_step_is_the_formula():
    """Spall 1998, steps 2 to 5, at k = 3, in units of sizes that are 2."""
    settings = SPSA(gain=0.01, perturbation=0.1, stability=10, longest=100)
    problem, x = objective(banana).sized(2), np.array([-2.0, 2.0])
    state = replace(settings.init(problem, x, seed=4), count=3)
    after = settings.step(problem, state)
    bits = Chance(4, 1).generator().integers(2, size=(1, 2))[0]
    delta = np.where(bits == 1, 1.0, -1.0)
    a_k, c_k = 0.01 / (3 + 1 + 10) ** 0.602, 0.1 / (3 + 1) ** 0.101
    above, below = banana(2 * (x / 2 + c_k * delta)), banana(2 * (x / 2 - c_k * delta))
    gradient = (above - below) / (2 * c_k) / delta
    np.testing.assert_allclose(after.x, 2 * (x / 2 - a_k * gradient), rtol=1e-12)
    assert after.point.value == pytest.approx(min(above, below), rel=1e-12)


def test_a_step_takes_two_evaluations():
    counted = []

    def fun(x):
        counted.append(x)
        return banana(x)

    problem, settings = objective(fun).sized(2), SPSA()
    state = settings.init(problem, np.array([-1.0, 1.0]))
    counted.clear()
    for _ in range(10):
        state = settings.step(problem, state)
    assert len(counted) == 20


def test_the_first_gain_is_the_inverse_of_the_largest_curvature():
    """On a sphere of n unknowns ΔᵀHΔ = 2n for all signs Δ."""
    problem, settings = objective(lambda x: float(x @ x)).sized(3), SPSA(stability=0)
    state = settings.init(problem, np.zeros(3))
    np.testing.assert_allclose(state.gain, 1 / 6, rtol=1e-9)


def test_too_large_a_gain_is_halved():
    result = minimize(objective(banana), "spsa", x0=[-1.0, 1.0], options={"gain": 1e6})
    np.testing.assert_allclose(result.x, 1.0, atol=1e-2)


def test_noise_is_averaged():
    """Values with noise of 0.1, the differences of which are about 0.1 as well."""
    noise = np.random.default_rng(0)

    def fun(x):
        return float((x - 1) @ (x - 1) + 0.1 * noise.normal())

    options = {"perturbation": 0.2, "gain": 0.5, "stability": 10.0, "steps": 3000}
    problem, settings = objective(fun).sized(2), SPSA(**options)
    state = settings.init(problem, np.array([0.0, 0.0]))
    for _ in range(2999):
        state = settings.step(problem, state)
    # The spread of an estimate is about that of the last differences, σ/c √a_k = 0.03.
    np.testing.assert_allclose(state.x, 1.0, atol=0.15)


def test_bad_options():
    for options in ({"gain": 0.0}, {"perturbation": -1.0}, {"stability": -1.0}):
        with pytest.raises(DataError, match=next(iter(options))):
            SPSA(**options)
