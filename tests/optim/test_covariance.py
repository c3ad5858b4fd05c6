"""Covariance and standard errors against linear regression, NIST values and plain algebra."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim import objective
from symopt.optim.covariance import estimate, findings

ALL = np.ones(3, bool)


def linear(matrix, target, bounds=None):
    return objective(
        residuals=lambda b: matrix @ b - target, jac=lambda b: matrix, bounds=bounds
    ).sized(matrix.shape[1])


@pytest.fixture
def regression(rng):
    matrix = np.stack([np.ones(30), np.arange(30.0), rng.normal(size=30)], axis=1)
    target = matrix @ [1.0, 2.0, 3.0] + rng.normal(size=30)
    solution = np.linalg.lstsq(matrix, target)[0]
    return matrix, target, solution


def test_linear_regression_by_the_normal_equations(regression):
    matrix, target, solution = regression
    residuals = matrix @ solution - target
    found = estimate(linear(matrix, target), solution, residuals, ALL)
    expected = residuals @ residuals / 27 * np.linalg.inv(matrix.T @ matrix)
    # The normal equations have condition 1e3 here.
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(found.stderr, np.sqrt(np.diag(expected)), rtol=1e-11)
    assert found.dof == 27
    assert findings(found, ("a", "b", "c")) == ()


def test_a_large_jacobian_is_not_made(regression):
    """From J'J, with half the digits; dependent columns and units are found all the same."""
    matrix, target, solution = regression
    residuals = matrix @ solution - target
    units = np.array([1e-20, 1.0, 1e20])
    plain = estimate(linear(matrix, target), solution, residuals, ALL)
    found = estimate(
        linear(matrix * units, target), solution / units, residuals, ALL, largest_jacobian=10
    )
    assert found.dof == 27
    np.testing.assert_allclose(found.stderr * units, plain.stderr, rtol=1e-9)
    doubled = np.column_stack([matrix[:, :2], 1e3 * matrix[:, 1], np.zeros(30)])
    four = np.ones(4, bool)
    residuals = doubled @ [1.0, 2.0, 3.0, 4.0] - target
    found = estimate(linear(doubled, target), np.arange(4.0), residuals, four, largest_jacobian=10)
    assert found.unidentified == (1, 2, 3)
    assert found.without_influence == (3,)
    assert found.dof == 28


def test_units_of_parameters_do_not_matter(regression):
    matrix, target, solution = regression
    units = np.array([2.0**-100, 1.0, 2.0**100])
    residuals = matrix @ solution - target
    plain = estimate(linear(matrix, target), solution, residuals, ALL)
    scaled = estimate(linear(matrix * units, target), solution / units, residuals, ALL)
    np.testing.assert_allclose(scaled.stderr * units, plain.stderr, rtol=1e-12)


def test_fixed_entries_have_no_error_and_cost_no_freedom(regression):
    matrix, target, solution = regression
    residuals = matrix @ solution - target
    free = np.array([True, False, True])
    found = estimate(linear(matrix, target), solution, residuals, free)
    kept = matrix[:, free]
    expected = residuals @ residuals / 28 * np.linalg.inv(kept.T @ kept)
    np.testing.assert_allclose(found.covariance[np.ix_(free, free)], expected, rtol=1e-11)
    assert found.stderr[1] == 0
    np.testing.assert_array_equal(found.covariance[1], 0)
    assert found.dof == 28


def test_entries_at_a_bound_are_nan_and_the_rest_are_given_them(regression):
    matrix, target, _ = regression
    x = np.array([0.0, 2.0, 1.0])
    x[:2] = np.linalg.lstsq(matrix[:, :2], target - matrix[:, 2])[0]
    residuals = matrix @ x - target
    problem = linear(matrix, target, bounds=[(None, None), (None, None), (None, 1.0)])
    found = estimate(problem, x, residuals, ALL)
    kept = matrix[:, :2]
    expected = residuals @ residuals / 27 * np.linalg.inv(kept.T @ kept)
    np.testing.assert_allclose(found.covariance[:2, :2], expected, rtol=1e-11)
    assert np.isnan(found.stderr[2])
    assert found.dof == 27
    assert findings(found, ("a", "b", "c")) == ("at a bound, without standard error: c",)


def test_dependent_columns_are_found_and_the_others_kept(regression):
    matrix, target, _ = regression
    # Column 1 is 3 times column 0; each is rounded on its own.
    tangled = np.stack([matrix[:, 1] / 7, 3 * matrix[:, 1] / 7, matrix[:, 2]], axis=1)
    solution = np.linalg.lstsq(tangled, target)[0]
    residuals = tangled @ solution - target
    found = estimate(linear(tangled, target), solution, residuals, ALL)
    assert found.unidentified == (0, 1)
    assert found.stderr[0] == found.stderr[1] == np.inf
    kept = matrix[:, 1:]
    expected = residuals @ residuals / 28 * np.linalg.inv(kept.T @ kept)[1, 1]
    np.testing.assert_allclose(found.stderr[2], np.sqrt(expected), rtol=1e-10)
    assert found.dof == 28
    assert findings(found, ("a", "b", "c")) == (
        "rank-deficient: the data does not determine a, b, only some combinations of them",
    )


def test_a_parameter_without_influence():
    matrix = np.stack([np.ones(5), np.zeros(5), np.arange(5.0)], axis=1)
    found = estimate(linear(matrix, np.ones(5)), np.ones(3), matrix @ np.ones(3) - 1, ALL)
    assert found.without_influence == (1,)
    assert found.stderr[1] == np.inf
    assert np.isfinite(found.stderr[[0, 2]]).all()
    assert findings(found, ("a", "b", "c")) == ("no residual depends on b",)


def test_as_many_parameters_as_residuals():
    matrix = np.eye(3)
    found = estimate(linear(matrix, np.ones(3)), np.ones(3), np.zeros(3), ALL)
    assert found.dof == 0
    assert np.isnan(found.stderr).all()
    assert findings(found, ("a", "b", "c")) == (
        "as many parameters as residuals: standard errors are undefined",
    )


def test_fewer_residuals_than_parameters():
    matrix = np.array([[1.0, 2.0, 3.0]])
    found = estimate(linear(matrix, np.ones(1)), np.ones(3), np.array([5.0]), ALL)
    assert found.unidentified == (0, 1, 2)
    assert found.dof == 0


def test_long_lists_are_cut(regression):
    matrix = np.zeros((20, 14))
    matrix[:, 0] = 1
    found = estimate(linear(matrix, np.ones(20)), np.ones(14), np.ones(20), np.ones(14, bool))
    (sentence,) = findings(found, tuple(f"w[{i}]" for i in range(14)))
    assert sentence.endswith("w[10] and 3 more")
