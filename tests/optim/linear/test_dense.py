"""Dense solutions against plain algebra."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.linear.dense import solve_dense


def test_solution(rng):
    root = rng.normal(size=(12, 8))
    matrix, right = root.T @ root, rng.normal(size=8)
    wanted = np.linalg.solve(matrix, right)
    np.testing.assert_allclose(solve_dense(matrix, right), wanted, rtol=1e-10)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_what_is_not_positive_definite_has_no_solution(value):
    assert solve_dense(np.diag([1.0, value]), np.ones(2)) is None


def test_a_singular_matrix_has_no_solution():
    assert solve_dense(np.ones((3, 3)), np.ones(3)) is None
