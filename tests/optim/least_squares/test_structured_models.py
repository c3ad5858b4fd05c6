"""Sparse models and those by products: their steps against plain dense algebra."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.optim.least_squares.levenberg_marquardt import LevenbergMarquardt
from tests.optim.least_squares.photographs import photographed


@pytest.fixture(scope="module")
def village():
    return photographed(120)


def first_step(problem, factor, x, free=None, damping=1e-3):
    """The first damped step, in units of the columns."""
    state = LevenbergMarquardt(factor=factor).init(problem, x)
    free = np.ones(problem.n, bool) if free is None else free
    held = np.where(free, 0.0, 1e-3)
    # The damping of a factored Jacobian is relative to J'J, half of G.
    damping = damping if factor == "qr" else 2 * damping
    scales = state.scales / (1 if factor == "qr" else np.sqrt(2))
    return scales * state.model.step(damping, scales, free, held)


@pytest.mark.parametrize("factor", ["normal", "sparse", "schur"])
@pytest.mark.parametrize("held", [False, True])
def test_every_form_takes_the_same_step(village, factor, held):
    free = None
    if held:
        free = np.ones(village.n, bool)
        free[[0, 40, 80, 81, 200]] = False
    wanted = first_step(village, "qr", village.x0, free)
    found = first_step(village, factor, village.x0, free)
    # Damping by 1e-3 leaves a condition number of 1e4.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())


def test_the_step_solves_the_damped_equations(village):
    """(G + damping D^2) p = -g with D^2 the diagonal of G, by plain dense algebra."""
    x, damping = village.x0, 1e-3
    jacobian, residuals = village.jac(x), village.residuals(x)
    matrix, gradient = 2 * jacobian.T @ jacobian, 2 * jacobian.T @ residuals
    wanted = -np.linalg.solve(matrix + damping * np.diag(np.diag(matrix)), gradient)
    state = LevenbergMarquardt(factor="schur").init(village, x)
    every, none = np.ones(village.n, bool), np.zeros(village.n)
    found = state.model.step(damping, state.scales, every, none)
    sizes = np.sqrt(np.diag(matrix))
    np.testing.assert_allclose(
        sizes * found, sizes * wanted, rtol=0, atol=1e-10 * np.abs(sizes * wanted).max()
    )
    np.testing.assert_allclose(state.scales, sizes, rtol=1e-12)
    promised = -(gradient @ wanted + wanted @ matrix @ wanted / 2)
    np.testing.assert_allclose(state.model.reduction(found), promised, rtol=1e-9)


def test_products_give_a_step_that_is_nearly_as_good(village):
    x = village.x0
    state = LevenbergMarquardt(factor="krylov").init(village, x)
    every, none = np.ones(village.n, bool), np.zeros(village.n)
    found = state.model.step(1e-3, state.scales, every, none)
    matrix, gradient = village.gauss_newton(x)
    wanted = -np.linalg.solve(matrix + 1e-3 * np.diag(state.scales**2), gradient)
    least = gradient @ wanted / 2  # of the damped model
    reached = gradient @ found + found @ (matrix @ found + 1e-3 * state.scales**2 * found) / 2
    # The residual is 1e-3 of what it was; the model is off by about the square of that.
    assert reached <= (1 - 1e-4) * least
    assert state.remark == "lm with Gauss-Newton-vector products (432 unknowns)"


def test_column_sizes_by_products_are_traces():
    """One product an array: exact where G is diagonal on it."""
    text = "data k[n]\nparam x[n], s\nresidual r[i] = k[i] * x[i] for i in n\nresidual q = 3 * s"
    problem = symopt.parse(text).bind(k=np.array([1.0, 2.0, 5.0]))
    state = LevenbergMarquardt(factor="krylov").init(problem, np.ones(4))
    sizes = [*[np.sqrt(2 * (1 + 4 + 25) / 3)] * 3, np.sqrt(18)]
    np.testing.assert_allclose(state.model.column_sizes, sizes, rtol=1e-14)
