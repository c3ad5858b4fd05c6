"""What Gauss-Newton leaves out, against plain dense algebra."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.least_squares.local_models import residual_model
from symopt.optim.least_squares.secant_model import SecantModel, next_model

FREE = np.array([True, False, True])
HELD = np.array([0.0, 0.3, 0.0])
SCALES = np.array([1.0, 2.0, 0.5])


@pytest.fixture
def jacobian(rng):
    return rng.normal(size=(7, 3))


@pytest.fixture
def residuals(rng):
    return rng.normal(size=7)


@pytest.fixture
def missing(rng):
    half = rng.normal(size=(3, 3))
    return 0.1 * (half + half.T)


def test_reduction_is_that_of_the_quadratic(jacobian, residuals, missing, rng):
    step = rng.normal(size=3)
    change = residuals + jacobian @ step
    expected = residuals @ residuals - change @ change - step @ missing @ step
    model = SecantModel(residual_model(jacobian, residuals), missing)
    np.testing.assert_allclose(model.reduction(step), expected, rtol=1e-12)


@pytest.mark.parametrize("damping", [0.0, 1e-3, 10.0])
def test_step_solves_the_damped_equations(jacobian, residuals, missing, damping):
    model = SecantModel(residual_model(jacobian, residuals), missing)
    matrix = jacobian.T @ jacobian + missing + damping * np.diag(SCALES**2)
    found = model.step(damping, SCALES, np.ones(3, bool), np.zeros(3))
    np.testing.assert_allclose(found, -np.linalg.solve(matrix, jacobian.T @ residuals), rtol=1e-11)
    found = model.step(damping, SCALES, FREE, HELD)
    slope = jacobian.T @ residuals + (jacobian.T @ jacobian + missing) @ HELD
    expected = HELD.copy()
    expected[FREE] = -np.linalg.solve(matrix[np.ix_(FREE, FREE)], slope[FREE])
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_an_indefinite_model_has_no_step(jacobian, residuals):
    model = SecantModel(residual_model(jacobian, residuals), -100 * np.eye(3))
    assert model.step(0.0, np.ones(3), np.ones(3, bool), np.zeros(3)) is None


def _curved(x):
    """Residuals with known second derivatives, and their Jacobian."""
    residuals = np.array([x[0] ** 2 - 3, x[0] * x[1] + 2, x[1] ** 2 - 1, x[0] + x[2], x[2] - 0.5])
    jacobian = np.array(
        [[2 * x[0], 0, 0], [x[1], x[0], 0], [0, 2 * x[1], 0], [1.0, 0, 1], [0, 0, 1]]
    )
    return residuals, jacobian


def test_what_is_learnt_fulfils_the_secant_condition():
    """S+ s = (J+ - J)'r+, symmetric; and the update of Dennis, Gay and Welsch as published."""
    old_x, new_x = np.array([1.5, -0.5, 0.2]), np.array([1.3, -0.8, 0.1])
    (r, j), (r_new, j_new) = _curved(old_x), _curved(new_x)
    s = new_x - old_x
    before = np.diag([1.0, 2.0, 0.5])
    learnt = next_model(residual_model(j, r), before, residual_model(j_new, r_new), s, 1.0)[1]
    sharp, y = (j_new - j).T @ r_new, j_new.T @ r_new - j.T @ r
    assert s @ y > 0
    np.testing.assert_allclose(learnt @ s, sharp, rtol=1e-12, atol=1e-15)
    sized = min(1.0, abs(s @ sharp) / abs(s @ before @ s)) * before
    rest = sharp - sized @ s
    expected = sized + (np.outer(rest, y) + np.outer(y, rest)) / (y @ s)
    expected -= (s @ rest) * np.outer(y, y) / (y @ s) ** 2
    np.testing.assert_allclose(learnt, expected, rtol=1e-12)


def test_the_model_that_foretold_better_is_used():
    (r, j), (r_new, j_new) = _curved(np.array([1.5, -0.5, 0.2])), _curved(np.full(3, 0.1))
    plain, after = residual_model(j, r), residual_model(j_new, r_new)
    step, missing = np.array([0.01, 0.0, 0.0]), 10 * np.eye(3)
    promised = plain.reduction(step)
    with_missing = promised - float(step @ missing @ step)
    assert isinstance(next_model(plain, missing, after, step, with_missing)[0], SecantModel)
    assert next_model(plain, missing, after, step, promised)[0] is after
    learnt = SecantModel(plain, missing)
    assert next_model(learnt, missing, after, step, promised)[0] is after
    assert isinstance(next_model(learnt, missing, after, step, with_missing)[0], SecantModel)
