"""The genetic algorithm of real numbers against its formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.chance import Chance
from symopt.optim.derivative_free.genetic import Genetic, _polynomial, _sbx
from tests.optim.derivative_free.valleys import banana


def test_one_generation_is_the_formula():
    settings = Genetic(population=6, alpha=0.5, eta_mutation=5.0)
    problem = objective(banana).sized(2)
    state = settings.step(problem, settings.init(problem, np.array([-1.0, 1.0]), seed=6))
    after = settings.step(problem, state)

    generator, old = Chance(6, 1).generator(), state.pool.places
    mates = generator.integers(6, size=(12, 2)).min(axis=1)
    blend = generator.uniform(size=(6, 2))
    draws, chosen = generator.uniform(size=(2, 6, 2))
    candidates = [tuple(place) for place in old]
    for child in range(6):
        left, right = old[mates[child]], old[mates[6 + child]]
        low, distance = np.minimum(left, right), np.abs(left - right)
        x = np.empty(2)
        for i in range(2):
            # Uniform on [min - α d, max + α d], from the side of the first parent.
            part = blend[child, i] if left[i] <= right[i] else 1 - blend[child, i]
            x[i] = low[i] - 0.5 * distance[i] + 2 * distance[i] * part
            if chosen[child, i] < 1 / 2:
                u = draws[child, i]
                delta = (2 * u) ** (1 / 6) - 1 if u < 0.5 else 1 - (2 * (1 - u)) ** (1 / 6)
                x[i] += delta * (old[:, i].max() - old[:, i].min())
        candidates.append(tuple(x))
    survivors = sorted(candidates, key=lambda x: banana(np.array(x)))[:6]
    np.testing.assert_allclose(after.pool.places, survivors, rtol=1e-13)


def test_simulated_binary_crossover_has_its_density():
    """Deb and Agrawal: p(β) = (η + 1) βᶯ/2 up to 1, (η + 1)/2βᶯ⁺² beyond."""
    eta, draws = 2.0, (np.arange(200_000) + 0.5) / 200_000
    beta = 1 - 2 * _sbx(eta, draws[:, None]).ravel()
    for low, high in ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0)):
        expected = quad(
            lambda b: (eta + 1) * (b**eta if b <= 1 else b ** -(eta + 2)) / 2, low, high
        )[0]
        assert np.mean((beta >= low) & (beta < high)) == pytest.approx(expected, abs=1e-4)


def test_polynomial_mutation_has_its_density():
    eta, draws = 5.0, (np.arange(200_000) + 0.5) / 200_000
    delta = _polynomial(eta, draws[:, None]).ravel()
    for low, high in ((-1.0, -0.2), (-0.2, 0.1), (0.1, 1.0)):
        expected = quad(lambda d: (eta + 1) * (1 - abs(d)) ** eta / 2, low, high)[0]
        assert np.mean((delta >= low) & (delta < high)) == pytest.approx(expected, abs=1e-4)


def test_the_best_always_survives():
    problem, settings = objective(banana).sized(2), Genetic(population=10, crossover="sbx")
    state = settings.init(problem, np.array([-1.0, 1.0]))
    for _ in range(30):
        after = settings.step(problem, state)
        assert after.point.value <= state.point.value
        assert after.pool.values[0] == after.point.value
        state = after


def test_bad_options():
    for options in ({"population": 3}, {"crossover": "none"}, {"alpha": -1.0}, {"candidates": 0}):
        with pytest.raises(DataError, match=next(iter(options))):
            Genetic(**options)
