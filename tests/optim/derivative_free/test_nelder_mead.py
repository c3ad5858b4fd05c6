"""Nelder-Mead against its formulas and SciPy's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.derivative_free.nelder_mead import NelderMead
from symopt.optim.pool import ranked
from tests.optim.derivative_free.valleys import banana


def stepped(fun, vertices, **options):
    """The vertices after one step from these, best first."""
    problem, settings = objective(fun).sized(vertices.shape[1]), NelderMead(**options)
    simplex = ranked(vertices, np.array([fun(x) for x in vertices]))
    state = settings.init(problem, vertices[0])
    state = replace(state, simplex=simplex, point=simplex.improved(state.point))
    return settings.step(problem, state).simplex.places


CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("fun", "expected"),
    [
        # The worst is (0, 1) and the centroid (1/2, 0), so the reflection is (1, -1).
        pytest.param(lambda x: x[1] + 0.1 * x[0], [[1.5, -2], [0, 0], [1, 0]], id="expanded"),
        pytest.param(
            lambda x: x[1] + 0.1 * x[0] if x[1] > -1.5 else 9.0,
            [[1, -1], [0, 0], [1, 0]],
            id="reflected, too far expanded",
        ),
        pytest.param(
            lambda x: abs(x[1] + 0.5) + 0.2 * x[0] - 0.05 * (x[1] < -0.9),
            [[0, 0], [1, 0], [1, -1]],
            id="reflected",
        ),
        pytest.param(
            lambda x: abs(x[1] + 0.1) + 0.1 * x[0] + (x[1] < -0.7) * 0.05,
            [[0, 0], [1, 0], [0.75, -0.5]],
            id="contracted outside",
        ),
        pytest.param(
            lambda x: x[1] ** 2 + 0.5 * x[0] + 5 * (x[1] < 0),
            [[0, 0], [1, 0], [0.25, 0.5]],
            id="contracted inside",
        ),
        pytest.param(
            lambda x: float(x.any()) + 0.1 * abs(x[1]) + (x[0] == 0.25),
            [[0, 0], [0.5, 0], [0, 0.5]],
            id="shrunk",
        ),
    ],
)
def test_one_step_is_the_formula(fun, expected):
    """By hand for the corners of the unit square, χ = 2 and γ = σ = 1/2."""
    found = stepped(lambda x: float(fun(x)), CORNERS)
    assert sorted(map(tuple, found)) == sorted(map(tuple, np.array(expected, float)))


def test_adaptive_parameters():
    """Gao and Han, eq. 4.1: χ = 1 + 2/n, γ = 3/4 - 1/2n, σ = 1 - 1/n; the usual ones for n = 2."""
    np.testing.assert_allclose(NelderMead()._factors(2), (2.0, 0.5, 0.5))
    np.testing.assert_allclose(NelderMead()._factors(8), (1.25, 0.6875, 0.875))
    np.testing.assert_allclose(NelderMead(adaptive=False)._factors(8), (2.0, 0.5, 0.5))


@pytest.mark.parametrize("n", [2, 4])
def test_sixty_steps_are_scipys(n):
    """From the same simplex."""

    def fun(x):
        return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))

    start = np.linspace(-1.2, 0.7, n)  # no ties, which SciPy sorts in any order
    problem, settings = objective(fun).sized(n), NelderMead()
    state = settings.init(problem, start)
    theirs = scipy_minimize(
        fun,
        start,
        method="Nelder-Mead",
        options={
            "initial_simplex": state.simplex.places,
            "adaptive": True,
            "maxiter": 61,
            "xatol": 0,
            "fatol": 0,
        },
    )
    for _ in range(60):  # SciPy counts its iterations from 1
        state = settings.step(problem, state)
    # Rounding grows from step to step: sums are written in another order.
    np.testing.assert_allclose(state.simplex.places, theirs.final_simplex[0], atol=1e-9)


def test_a_flat_simplex_starts_anew():
    problem, settings = objective(banana).sized(2), NelderMead()
    state = settings.init(problem, np.array([-1.0, 1.0]))
    flat = ranked(
        np.array([[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0 + 1e-13]]), np.array([4.0, 6.0, 8.0])
    )
    state = replace(state, simplex=flat, iterations=29)
    after = settings.step(problem, state)
    assert after.rounds.count == 1
    edges = after.simplex.places[1:] - after.simplex.places[0]
    assert abs(np.linalg.det(edges)) > 0.01


def test_bounds_are_never_left_and_the_simplex_does_not_collapse_on_them():
    seen = []

    def fun(x):
        seen.append(x.copy())
        return float((x[0] - 1) ** 2 + 10 * (x[1] - 2) ** 2)

    result = minimize(objective(fun, bounds=[(0, 3), (None, 0.5)]), "nelder-mead", x0=[0.0, 0.5])
    assert all(0 <= x[0] <= 3 and x[1] <= 0.5 for x in seen)
    np.testing.assert_allclose(result.x, [1.0, 0.5], atol=1e-6)
    assert result.x[1] == 0.5


def test_bad_options():
    for options in ({"edge": 0.0}, {"restarts": -1}, {"tolerance": 1.0}):
        with pytest.raises(DataError, match=next(iter(options))):
            NelderMead(**options)
