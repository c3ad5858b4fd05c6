"""The perceptron rule: by hand, Novikoff's bound, and honest ends."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.diagnostics import DataError
from symopt.optim import Status, iterate, minimize, objective
from symopt.optim.chance import Chance
from symopt.optim.stochastic.perceptron import Perceptron

TEXT = """
data X[n, d]
data y[n]
param w[d] init 0
s = X @ w
minimize {aggregate}(max(-y[i] * s[i], 0) for i)
"""


def problem_of(X, y, aggregate="sum"):
    return symopt.parse(TEXT.format(aggregate=aggregate)).bind(X=X, y=y)


def separable(margin, seed=0, count=150):
    """Points with a margin from the plane through 0 with a unit normal."""
    rng = np.random.default_rng(seed)
    normal = np.array([0.6, -0.64, 0.48])
    X = rng.normal(size=(count, 3))
    X = X[np.abs(X @ normal) > margin]
    return X, np.sign(X @ normal), np.min(np.abs(X @ normal))


@pytest.mark.parametrize("aggregate", ["sum", "mean"])
def test_a_pass_by_hand(aggregate):
    """w += rate y x for each sample that is wrong when its turn comes."""
    X, y, _ = separable(0.01)
    w0, rate = np.array([0.3, 0.2, -0.1]), 0.5
    state = Perceptron(rate=rate).init(problem_of(X, y, aggregate), w0, seed=3)
    w, mistakes = w0, 0
    for i in Chance(3).generator().permutation(len(y)):
        if y[i] * (X[i] @ w) <= 0:
            w, mistakes = w + rate * y[i] * X[i], mistakes + 1
    np.testing.assert_allclose(state.ahead, w, rtol=1e-13)
    assert state.mistakes == mistakes > 3


@pytest.mark.parametrize("margin", [0.3, 0.1, 0.02])
@pytest.mark.parametrize("rate", [None, 1.0, 1e-3])
def test_novikoffs_bound(margin, rate):
    """From zero, at any rate: (R/γ)² mistakes at most, and then none."""
    X, y, gamma = separable(margin)
    rule = Perceptron(rate=rate)
    *_, last = iterate(problem_of(X, y), rule, x0=np.zeros(3), seed=1)
    assert last.status is Status.GRADIENT
    assert (y * (X @ last.x) > 0).all()
    radius = np.linalg.norm(X, axis=1).max()
    assert 0 < last.state.mistakes <= (radius / gamma) ** 2


def test_the_rate_sets_the_length_only():
    """From zero: the same mistakes, and so the same direction."""
    X, y, _ = separable(0.05)
    left, right = (minimize(problem_of(X, y), Perceptron(rate=r), seed=5).x for r in (1.0, 2.0**-8))
    np.testing.assert_array_equal(left, 2.0**8 * right)


def test_what_cannot_be_separated_is_never_done():
    """Exclusive or: passes may return to where they began, which is no convergence."""
    X = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    y = np.array([1.0, 1.0, -1.0, -1.0])
    result = minimize(problem_of(X, y), Perceptron(rate=1.0), x0=[0.5, 0.25], max_iter=200, seed=0)
    assert not result.success
    assert result.status == Status.MAX_ITER.code


def test_several_samples_at_once():
    X, y, _ = separable(0.05)
    problem = problem_of(X, y)
    result = minimize(problem, "perceptron", seed=0, options={"batch_size": 10})
    assert result.success, result.message
    assert (y * (X @ result.x) > 0).all()


def test_without_samples_it_is_descent():
    problem = objective(lambda x: float(x @ x), grad=lambda x: 2 * x).sized(2)
    rule = Perceptron(rate=0.1)
    state = rule.init(problem, np.array([1.0, -2.0]))
    for k in range(4):
        np.testing.assert_allclose(state.point.x, 0.8**k * np.array([1.0, -2.0]), rtol=1e-15)
        state = rule.step(problem, state)


def test_negative_values_are_no_reason_to_stop():
    """Mistakes are seen from gradients: a loss may be below zero anywhere."""
    problem = objective(lambda x: float(x @ x) - 50, grad=lambda x: 2 * x)
    result = minimize(problem, "perceptron", x0=[1.0, -2.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, 0, atol=1e-6)


@pytest.mark.parametrize("settings", [{"rate": 0}, {"schedule": "none"}, {"batch_size": 0}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of perceptron must be"):
        Perceptron(**settings)
