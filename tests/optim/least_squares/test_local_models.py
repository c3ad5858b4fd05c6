"""Quadratic models against plain dense algebra."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.least_squares.local_models import CurvatureModel, least_point, residual_model

FREE = np.array([True, False, True, True])
HELD = np.array([0.0, 0.3, 0.0, 0.0])
SCALES = np.array([1.0, 2.0, 0.5, 4.0])


@pytest.fixture(params=["residuals", "curvature"])
def case(request, rng):
    """A model, and the matrix and gradient that define it."""
    jacobian, residuals = rng.normal(size=(9, 4)), rng.normal(size=9)
    matrix, gradient = 2 * jacobian.T @ jacobian, 2 * jacobian.T @ residuals
    if request.param == "residuals":
        # Its damping is relative to J'J, half the matrix.
        return residual_model(jacobian, residuals), matrix, gradient, 2.0
    return CurvatureModel(matrix, gradient), matrix, gradient, 1.0


def test_reduction_is_that_of_the_quadratic(case, rng):
    model, matrix, gradient, _ = case
    step = rng.normal(size=4)
    expected = -(gradient @ step + step @ matrix @ step / 2)
    np.testing.assert_allclose(model.reduction(step), expected, rtol=1e-12)


@pytest.mark.parametrize("damping", [0.0, 1e-3, 10.0])
def test_step_solves_the_damped_equations(case, damping):
    model, matrix, gradient, factor = case
    found = model.step(damping, SCALES, np.ones(4, bool), np.zeros(4))
    damped = matrix + factor * damping * np.diag(SCALES**2)
    np.testing.assert_allclose(found, -np.linalg.solve(damped, gradient), rtol=1e-11)


def test_held_entries_stay_and_the_rest_adapt(case):
    model, matrix, gradient, factor = case
    found = model.step(0.1, SCALES, FREE, HELD)
    damped = (matrix + factor * 0.1 * np.diag(SCALES**2))[np.ix_(FREE, FREE)]
    slope = gradient + matrix @ HELD
    expected = HELD.copy()
    expected[FREE] = -np.linalg.solve(damped, slope[FREE])
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_column_sizes_are_curvatures(case):
    model, matrix, _, factor = case
    np.testing.assert_allclose(model.column_sizes, np.sqrt(np.diag(matrix) / factor), rtol=1e-12)


def test_an_indefinite_matrix_has_no_step():
    model = CurvatureModel(np.diag([1.0, -1.0]), np.ones(2))
    assert model.step(0.1, np.ones(2), np.ones(2, bool), np.zeros(2)) is None
    assert model.step(2.0, np.ones(2), np.ones(2, bool), np.zeros(2)) is not None


def test_the_triangular_factor_keeps_digits_that_the_product_loses():
    """Columns that differ by 1e-9: J'J is singular in double precision, R is not."""
    t = np.linspace(0, 1, 20)
    jacobian = np.stack([t, t + 1e-9 * np.cos(7 * t)], axis=1)
    residuals = -jacobian @ np.array([2.0, -1.0])
    scales = np.linalg.norm(jacobian, axis=0)
    found = residual_model(jacobian, residuals).step(0.0, scales, np.ones(2, bool), np.zeros(2))
    # Condition 1e9 times the rounding leaves about 7 digits.
    np.testing.assert_allclose(found, [2.0, -1.0], rtol=1e-5)


def test_no_free_entries():
    model = residual_model(np.eye(2), np.ones(2))
    found = model.step(1.0, np.ones(2), np.zeros(2, bool), np.array([0.5, -0.5]))
    np.testing.assert_array_equal(found, [0.5, -0.5])


def test_there_is_a_least_point_only_where_the_damped_matrix_is_definite():
    matrix, slope = np.diag([3.0, -1.0]), np.array([2.0, 4.0])
    assert least_point(matrix, slope, 0.5) is None
    np.testing.assert_allclose(least_point(matrix, slope, 3.0), [-1 / 3, -2])
