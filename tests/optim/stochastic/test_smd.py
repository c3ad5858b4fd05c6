"""Stochastic meta-descent: its formula by hand, its fixpoint, and what does not change there."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.problem import Needs
from symopt.optim.rules import NUMPY
from symopt.optim.stochastic.smd import SMD, SMDMemory


def cubic(asked, *, samples):
    """Σ over samples of w³/3 + w·a, with a Hessian 2 w and a "Gauss-Newton matrix" 5."""
    return objective(
        lambda w: float(np.sum(w**3) / 3 + samples @ w),
        grad=lambda w: w**2 + samples,
        hvp=lambda w, v: asked.append(w.copy()) or 2 * w * v,
        gauss_newton=lambda w: (5 * np.eye(2), w**2 + samples),
    ).sized(2)


BATCHES = [np.array([0.5, -1.0]), np.array([-0.25, 3.0]), np.array([1.0, 2.0]), np.zeros(2)]


@pytest.mark.parametrize("product", ["hessian", "gauss-newton"])
@pytest.mark.parametrize("decay", [0.0, 0.75, 1.0])
def test_steps_by_hand(product, decay):
    """Step sizes first, then weights, then v; product and gradient of one batch at one place."""
    asked, mu = [], 0.6
    rule = SMD(rate=0.1, meta_rate=mu, decay=decay, product=product)
    w, p, v = np.array([1.0, -2.0]), np.full(2, 0.1), np.zeros(2)
    state = rule.init(cubic(asked, samples=BATCHES[0]), w)
    halved = False
    for number, samples in enumerate(BATCHES):
        g = w**2 + samples
        curved = 2 * w * v if product == "hessian" else 5 * v
        factor = np.array([max(0.5, 1 - mu * g[i] * v[i]) for i in range(2)])
        halved |= bool((factor == 0.5).any())
        p = p * factor
        place, w = w, w - p * g
        v = decay * v - p * (g + decay * curved)
        np.testing.assert_array_equal(state.point.x.round(12), place.round(12))
        np.testing.assert_allclose(state.ahead, w, rtol=1e-13)
        np.testing.assert_allclose(state.memory.trend, v, rtol=1e-13)
        if product == "hessian" and decay:
            assert len(asked) == number + 1
            np.testing.assert_array_equal(asked[-1], state.point.x)
        else:
            assert not asked
        following = BATCHES[min(number + 1, 3)]
        state = rule.step(cubic(asked, samples=following), state)


def settled(rule, gradient, hessian, steps):
    """v after many steps with the same gradient, Hessian and step sizes p."""
    memory = SMDMemory(steps, np.zeros_like(gradient), 1e-300)
    for _ in range(4000):
        product = hessian @ memory.trend
        _, memory = rule.update(NUMPY, 0.0, gradient, memory, 1.0, product)
    return memory.trend


HESSIAN = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, -0.5], [0.0, -0.5, 1.0]])
GRADIENT = np.array([1.0, -2.0, 0.5])
STEPS = np.array([0.1, 0.3, 0.2])


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99, 1.0])
def test_fixpoint(decay):
    """v → −[λ H + (1 − λ) diag(1/p)]⁻¹ g."""
    found = settled(SMD(decay=decay), GRADIENT, HESSIAN, STEPS)
    matrix = decay * HESSIAN + (1 - decay) * np.diag(1 / STEPS)
    np.testing.assert_allclose(found, -np.linalg.solve(matrix, GRADIENT), rtol=1e-12)


def test_v_g_does_not_change_with_coordinates():
    """With λ = 1, under w = A u + b: g becomes Aᵀ g, H becomes Aᵀ H A, and v·g stays."""
    change = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.3], [-0.4, 0.0, 0.7]])
    rule = SMD(decay=1.0)
    here = settled(rule, GRADIENT, HESSIAN, STEPS) @ GRADIENT
    gradient, hessian = change.T @ GRADIENT, change.T @ HESSIAN @ change
    there = settled(rule, gradient, hessian, np.array([0.1, 0.05, 0.2])) @ gradient
    np.testing.assert_allclose(there, here, rtol=1e-12)
    np.testing.assert_allclose(here, -GRADIENT @ np.linalg.solve(HESSIAN, GRADIENT), rtol=1e-12)
    # The gradient itself is another vector there.
    assert not np.isclose(gradient @ gradient, GRADIENT @ GRADIENT)


def test_the_products_must_be_provided():
    plain = objective(lambda w: float(w @ w), grad=lambda w: 2 * w)
    with pytest.raises(DataError, match="Hessian-vector products"):
        minimize(plain, "smd", x0=[1.0])
    with_products = objective(lambda w: float(w @ w), grad=lambda w: 2 * w, hvp=lambda w, v: 2 * v)
    with pytest.raises(DataError, match="Gauss-Newton"):
        minimize(with_products, SMD(product="gauss-newton"), x0=[1.0])
    assert Needs.HVP in SMD.needs


@pytest.mark.parametrize(
    "settings", [{"rate": 0}, {"meta_rate": 0}, {"decay": 1.1}, {"product": "fisher"}]
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of smd must be"):
        SMD(**settings)
