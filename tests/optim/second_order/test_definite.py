"""Systems made positive definite, against eigenvalues and pseudo-inverses."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.second_order.definite import (
    balance,
    solve_damped,
    solve_definite,
    solve_least_norm,
)

EXACT = 1e-9  # well-conditioned systems of a few unknowns


@pytest.mark.parametrize("modification", ["ldl", "eigenvalues", "none"])
@pytest.mark.parametrize("n", [1, 2, 6])
def test_definite_systems_are_solved_as_they_are(rng, modification, n):
    root = rng.normal(size=(n, n))
    matrix, right = root @ root.T + np.eye(n), rng.normal(size=n)
    found = solve_definite(matrix, right, modification)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right), rtol=EXACT)


@pytest.mark.parametrize("modification", ["ldl", "eigenvalues"])
def test_indefinite_systems_give_descent(rng, modification):
    for _ in range(50):
        root = rng.normal(size=(6, 6))
        right = rng.normal(size=6)
        assert right @ solve_definite(root + root.T, right, modification) > 0


def test_eigenvalues_lose_their_signs():
    """Rows that peak at 1 need no balancing: then the matrix is turned as it is."""
    rotation = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
    matrix = rotation @ np.diag([3.0, -1.0]) @ rotation.T  # (1, -2; -2, 1)
    positive = rotation @ np.diag([3.0, 1.0]) @ rotation.T
    right = np.array([1.0, 0.3])
    found = solve_definite(matrix, right, "eigenvalues")
    np.testing.assert_allclose(found, np.linalg.solve(positive, right), rtol=EXACT)


def test_pivots_lose_their_signs():
    """(-3, 1; 1, 2) is L D L' with L = (1, 0; -1/3, 1) and D = (-3, 7/3)."""
    matrix = np.array([[-3.0, 1.0], [1.0, 2.0]])
    lower = np.array([[1.0, 0.0], [-1 / 3, 1.0]])
    positive = lower @ np.diag([3.0, 2 + 1 / 3]) @ lower.T
    right = np.array([1.0, 0.3])
    found = solve_definite(matrix, right, "ldl")
    np.testing.assert_allclose(found, np.linalg.solve(positive, right), rtol=EXACT)


@pytest.mark.parametrize("modification", ["ldl", "eigenvalues"])
def test_units_hardly_matter(rng, modification):
    root = rng.normal(size=(5, 5))
    matrix, right = root + root.T, rng.normal(size=5)
    units = 2.0 ** np.array([20, -30, 0, 7, -3])
    plain = solve_definite(matrix, right, modification)
    scaled = solve_definite(matrix * np.outer(units, units), units * right, modification)
    np.testing.assert_allclose(units * scaled, plain, rtol=0.1)  # balances are not unique


def test_balanced_rows_peak_at_one(rng):
    units = 10.0 ** rng.uniform(-8, 8, size=6)
    root = rng.normal(size=(6, 6))
    matrix = (root + root.T) * np.outer(units, units)
    scales = balance(matrix)
    peaks = np.max(np.abs(matrix * np.outer(scales, scales)), axis=1)
    np.testing.assert_allclose(peaks, 1.0, rtol=0.05)
    np.testing.assert_array_equal(balance(np.zeros((2, 2))), 1.0)


def test_singular_systems_have_no_plain_solution():
    assert solve_definite(np.ones((2, 2)), np.array([1.0, 0.0]), "none") is None
    for modification in ("ldl", "eigenvalues"):
        assert np.isfinite(solve_definite(np.zeros((2, 2)), np.ones(2), modification)).all()


def test_least_norm_is_the_pseudo_inverse(rng):
    root = rng.normal(size=(5, 3))
    matrix = root @ root.T
    right = matrix @ rng.normal(size=5)
    found = solve_least_norm(matrix, right)
    np.testing.assert_allclose(found, np.linalg.pinv(matrix, rcond=1e-10) @ right, rtol=1e-7)


def test_damping_is_relative_to_the_mean_eigenvalue(rng):
    root = rng.normal(size=(4, 2))
    matrix, right = root @ root.T, rng.normal(size=4)
    damped = matrix + 0.1 * np.trace(matrix) / 4 * np.eye(4)
    np.testing.assert_allclose(
        solve_damped(matrix, right, 0.1), np.linalg.solve(damped, right), rtol=EXACT
    )
    np.testing.assert_array_equal(solve_damped(np.zeros((4, 4)), right, 0.1), right)


def test_what_is_not_finite_has_no_finite_solution():
    broken = np.full((2, 2), np.nan)
    for found in (
        solve_definite(broken, np.ones(2), "ldl"),
        solve_least_norm(broken, np.ones(2)),
        solve_damped(broken, np.ones(2), 0.1),
    ):
        assert np.isnan(found).all()


def test_what_a_singular_system_does_not_reach_is_added(rng):
    """(1 0; 0 0) x = (2, 3): 2 along the first, and 3 over the mean eigenvalue along the second."""
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    matrix, right = turn @ np.diag([1.0, 0.0]) @ turn.T, turn @ [2.0, 3.0]
    np.testing.assert_allclose(solve_damped(matrix, right, 0.0), turn @ [2.0, 6.0], rtol=EXACT)


def test_the_negative_part_of_a_singular_system_is_turned_around(rng):
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    matrix, right = turn @ np.diag([2.0, -4.0, 0.0]) @ turn.T, turn @ [1.0, 1.0, 1.0]
    expected = turn @ [0.5, 0.25, 0.0]
    np.testing.assert_allclose(solve_least_norm(matrix, right), expected, rtol=EXACT)
