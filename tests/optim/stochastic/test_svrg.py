"""SVRG: its steps by hand, means and sums, and convergence at a constant rate."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.diagnostics import DataError
from symopt.optim import iterate, minimize, objective
from symopt.optim.chance import Chance
from symopt.optim.stochastic.sgd import SGD
from symopt.optim.stochastic.svrg import SVRG

rng = np.random.default_rng(11)
X, Y = rng.normal(size=(40, 3)), rng.normal(size=40)
EXACT = np.linalg.lstsq(X, Y, rcond=None)[0]


def fitted(objective_text, **data):
    text = f"data X[n, d]\ndata y[n]\nparam w[d] init 0\ns = X @ w\nminimize {objective_text}\n"
    return symopt.parse(text).bind(X=X, y=Y, **data)


MEAN, SUM = "mean((y[i] - s[i])^2 for i)", "sum((y[i] - s[i])^2 for i)"


@pytest.mark.parametrize(("text", "weight"), [(MEAN, 1.0), (SUM, 40.0)])
def test_a_step_by_hand(text, weight):
    """With the drawn samples as given; of a mean in units of one sample, of a sum of all."""
    rate, steps = 0.01 / weight, 7
    rule = SVRG(rate=rate, batch_size=2, inner=steps)
    w0 = np.array([1.0, -1.0, 0.5])

    def mean_gradient(w, rows):
        return -2 * X[rows].T @ (Y[rows] - X[rows] @ w) / len(rows)

    state = rule.init(fitted(text), w0, seed=4)
    # The second place of the sequence: the first is for looking at the curvature.
    drawn = Chance(4, 1).generator().integers(40, size=(steps, 2))
    w = w0
    for rows in drawn:
        noise = mean_gradient(w, rows) - mean_gradient(w0, rows)
        w = w - rate * weight * (noise + mean_gradient(w0, np.arange(40)))
    np.testing.assert_array_equal(state.point.x, w0)
    np.testing.assert_allclose(state.ahead, w, rtol=1e-11)


@pytest.mark.parametrize(
    "text",
    [
        MEAN,
        SUM,
        f"{MEAN} + 0.1 * sumsq(w)",
        f"{SUM} + 2 * sumsq(w)",
        "mean((y[i] - s[i])^2 for i if y[i] > 0)",
        "sum(s[i]^2 - 3 * y[i] * s[i] for i) + 0.1 * sumsq(w)",
    ],
)
def test_means_and_sums_with_and_without_other_terms(text):
    problem = fitted(text)
    result = minimize(problem, "svrg", seed=1, max_iter=400)
    assert result.success, result.message
    np.testing.assert_allclose(problem.grad(result.x), 0, atol=1e-4 * 40)
    expected = minimize(problem, "bfgs").x
    np.testing.assert_allclose(result.x, expected, atol=1e-6)


def test_it_converges_where_descent_on_samples_does_not():
    """At the same constant rate, with the same number of gradients of samples."""
    problem = fitted(MEAN)
    rate = 0.01
    runs = iterate(problem, SVRG(rate=rate, batch_size=1), max_iter=30, seed=2)
    *_, variance_reduced = runs
    *_, plain = iterate(problem, SGD(rate=rate), batch_size=1, max_iter=30 * 5 * 40, seed=2)
    assert np.linalg.norm(variance_reduced.x - EXACT) < 1e-6
    assert np.linalg.norm(plain.x - EXACT) > 1e-3


def test_same_seed_same_run():
    first, second, other = (
        minimize(fitted(MEAN), "svrg", max_iter=3, seed=seed).x for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_without_samples_it_is_gradient_descent():
    problem = objective(lambda x: float(x @ x), grad=lambda x: 2 * x).sized(2)
    rule = SVRG(rate=0.1)
    state = rule.init(problem, np.array([1.0, -2.0]))
    for k in range(4):
        np.testing.assert_allclose(state.point.x, 0.8**k * np.array([1.0, -2.0]), rtol=1e-15)
        state = rule.step(problem, state)


def test_a_stream_takes_each_batch_for_all_samples():
    """The streaming form: a full gradient of fresh samples, then steps on these."""
    w = np.array([1.0, 2.0, -1.0])
    fresh = np.random.default_rng(0)

    def data():
        for _ in range(60):
            x = fresh.normal(size=(30, 3))
            yield {"X": x, "y": x @ w + 0.01 * fresh.normal(size=30)}

    result = minimize(fitted(MEAN), "svrg", stream=data(), seed=0)
    np.testing.assert_allclose(result.x, w, atol=0.02)


def test_a_rate_of_its_own_choice_does_not_run_away():
    """Curvature that grows on the way: far from the start the first rate is too large."""
    problem = symopt.parse("data a[n]\nparam w init 0.1\nminimize mean((w - a[i])^4 for i)\n").bind(
        a=np.full(10, 20.0) + np.arange(10)
    )
    values = [it.fun for it in iterate(problem, "svrg", max_iter=50, seed=0)]
    assert max(values) <= 2 * values[0]
    assert values[-1] < 1e-2 * values[0]


def test_bounds():
    problem = symopt.parse(
        "data a[n]\nparam w in [0, 2] init 1\nparam v in (0, inf) init 1\n"
        "minimize mean((w - a[i])^2 + (v - 1 / a[i])^2 for i)\n"
    ).bind(a=np.array([2.5, 3.0, 5.0]))
    visited = [it.x for it in iterate(problem, "svrg", seed=0)]
    assert all(x[0] <= 2 and x[1] > 0 for x in visited)
    np.testing.assert_allclose(visited[-1], [2.0, (1 / 2.5 + 1 / 3 + 1 / 5) / 3], atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"rate": 0}, {"schedule": "none"}, {"batch_size": 0}, {"inner": 0}]
)
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of svrg must be"):
        SVRG(**settings)
