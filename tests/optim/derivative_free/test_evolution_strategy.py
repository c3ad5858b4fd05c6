"""CMA-ES against Hansen's tutorial."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.chance import Chance
from symopt.optim.derivative_free.evolution_strategy import EvolutionStrategy, weights
from tests.optim.derivative_free.valleys import banana


def table_1(n, count):
    """Hansen's Table 1, as it is printed."""
    raw = [np.log((count + 1) / 2) - np.log(i) for i in range(1, count + 1)]
    mu = count // 2
    mu_eff = sum(raw[:mu]) ** 2 / sum(w**2 for w in raw[:mu])
    mu_eff_minus = sum(raw[mu:]) ** 2 / sum(w**2 for w in raw[mu:])
    c_sigma = (mu_eff + 2) / (n + mu_eff + 5)
    d_sigma = 1 + 2 * max(0, np.sqrt((mu_eff - 1) / (n + 1)) - 1) + c_sigma
    c_c = (4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n)
    c_1 = 2 / ((n + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (1 / 4 + mu_eff + 1 / mu_eff - 2) / ((n + 2) ** 2 + 2 * mu_eff / 2))
    alpha = min(1 + c_1 / c_mu, 1 + 2 * mu_eff_minus / (mu_eff + 2), (1 - c_1 - c_mu) / n / c_mu)
    plus, minus = sum(w for w in raw if w > 0), sum(-w for w in raw if w < 0)
    final = [w / plus if w >= 0 else alpha / minus * w for w in raw]
    return np.array(final), mu, mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu


@pytest.mark.parametrize(("n", "count"), [(1, 4), (2, 6), (5, 8), (5, 9), (20, 12), (50, 200)])
def test_constants_are_those_of_the_table(n, count):
    w = weights(n, count)
    final, mu, mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu = table_1(n, count)
    np.testing.assert_allclose(w.recombination, final, rtol=1e-12, atol=1e-15)
    assert w.parents == mu
    np.testing.assert_allclose(
        (w.mass, w.c_sigma, w.d_sigma, w.c_c, w.c_1, w.c_mu),
        (mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu),
        rtol=1e-12,
    )


@pytest.mark.parametrize("steady", [True, False])
def test_one_step_is_the_tutorials(steady, rng):
    """Equations 37 to 47 with loops, from a state in the middle of a run."""
    n, count = 3, 7

    def fun(x):
        return float(np.sum((x - [1, 2, 3]) ** 2 * [1, 10, 100]))

    problem, settings = objective(fun).sized(n), EvolutionStrategy()
    root = rng.normal(size=(n, n))
    start = settings.init(problem, np.array([1.0, 1.0, 1.0]), seed=5)
    state = replace(
        start,
        covariance=root @ root.T + np.eye(n),
        path_sigma=rng.normal(size=n) * (0.3 if steady else 30),
        path_c=rng.normal(size=n),
        sigma=0.7,
        generation=4,
    )
    after = settings.step(problem, state)

    final, mu, mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu = table_1(n, count)
    squares, axes = np.linalg.eigh(state.covariance)
    inverse_root = axes @ np.diag(squares**-0.5) @ axes.T
    z = Chance(5).generator().normal(size=(count, n))
    y = [axes @ (np.sqrt(squares) * z_k) for z_k in z]
    order = np.argsort([fun(state.mean + 0.7 * y_k) for y_k in y])
    y = [y[k] for k in order]
    y_w = sum(final[i] * y[i] for i in range(mu))
    expectation = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
    p_sigma = (1 - c_sigma) * state.path_sigma + np.sqrt(
        c_sigma * (2 - c_sigma) * mu_eff
    ) * inverse_root @ y_w
    norm = np.linalg.norm(p_sigma)
    sigma = 0.7 * np.exp(c_sigma / d_sigma * (norm / expectation - 1))
    h = norm / np.sqrt(1 - (1 - c_sigma) ** (2 * 5)) < (1.4 + 2 / (n + 1)) * expectation
    assert h == steady
    p_c = (1 - c_c) * state.path_c + h * np.sqrt(c_c * (2 - c_c) * mu_eff) * y_w
    covariance = (1 + c_1 * (1 - h) * c_c * (2 - c_c) - c_1 - c_mu * sum(final)) * state.covariance
    covariance = covariance + c_1 * np.outer(p_c, p_c)
    for w_i, y_i in zip(final, y, strict=True):
        w_i = w_i if w_i >= 0 else w_i * n / np.sum((inverse_root @ y_i) ** 2)
        covariance = covariance + c_mu * w_i * np.outer(y_i, y_i)

    # A few dozen roundings each.
    np.testing.assert_allclose(after.mean, state.mean + 0.7 * y_w, rtol=1e-12)
    np.testing.assert_allclose(after.path_sigma, p_sigma, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(after.sigma, sigma, rtol=1e-12)
    np.testing.assert_allclose(after.path_c, p_c, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(after.covariance, covariance, rtol=1e-11, atol=1e-12)


def test_the_default_population():
    assert [EvolutionStrategy()._count(n) for n in (1, 2, 5, 10, 100)] == [4, 6, 8, 10, 17]
    assert EvolutionStrategy(population=20)._count(5) == 20


def test_a_penalty_ranks_candidates_beyond_a_bound():
    """With a slope that pushes outside, the mean stays near the bound and the run ends on it."""
    seen = []

    def fun(x):
        seen.append(x.copy())
        return float(x[0] ** 2 - 50 * x[1])

    bounded = objective(fun, bounds=[(None, None), (0, 1)])
    result = minimize(bounded, "evolution-strategy", x0=[2.0, 0.5])
    assert all(0 <= x[1] <= 1 for x in seen)
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [0.0, 1.0], atol=1e-6)
    assert result.x[1] == 1.0


def test_where_nothing_is_defined_around_the_start():
    lonely = objective(lambda x: 1.0 if not x.any() else np.nan)
    result = minimize(lonely, "cma-es", x0=[0.0, 0.0])
    assert not result.success
    assert result.x.tolist() == [0.0, 0.0]


def test_scales_come_from_the_start():
    """Powers of two rescale without rounding: the same run in other units."""
    units = np.array([2.0**10, 2.0**-12])
    names = ["a", "b"]
    plain = minimize(objective(banana, names=names), "cma-es", x0=[-1.0, 1.0], seed=1)
    other = minimize(
        objective(lambda u: banana(u / units), names=names),
        "cma-es",
        x0=[-1.0, 1.0] * units,
        seed=1,
    )
    np.testing.assert_array_equal(other.x / units, plain.x)
    assert other.nfev == plain.nfev


def test_bad_options():
    for options in ({"population": 3}, {"sigma": 0.0}, {"tolerance": 1.0}):
        with pytest.raises(DataError, match=next(iter(options))):
            EvolutionStrategy(**options)
