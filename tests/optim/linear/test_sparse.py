"""Sparse direct solutions against dense ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from symopt.optim.linear.scaled import ScaledMatrix
from symopt.optim.linear.sparse import factor_work, solve_sparse
from tests.optim.linear.coupled import dense, pictures


def test_solution_of_a_scaled_system(rng):
    case = pictures(rng)
    system, right = case.system(), rng.normal(size=len(case.names))
    wanted = np.linalg.solve(dense(system), right)
    np.testing.assert_allclose(solve_sparse(system, right), wanted, rtol=1e-10, atol=1e-11)


def test_the_work_of_a_factorization():
    """A chain has one entry below each diagonal but one; a full matrix has all."""
    chain = np.eye(50) + np.eye(50, k=1) + np.eye(50, k=-1)
    shuffled = np.random.default_rng(3).permutation(50)
    matrix = scipy.sparse.csr_array(chain[np.ix_(shuffled, shuffled)])
    assert factor_work(matrix) == 49
    full = scipy.sparse.csr_array(np.ones((50, 50)))
    assert factor_work(full) == sum(i**2 for i in range(50))
    assert factor_work(scipy.sparse.csr_array(np.eye(5))) == 0


@pytest.mark.parametrize("shift", [-10.0, np.nan])
def test_what_is_not_positive_definite_has_no_solution(rng, shift):
    case = pictures(rng)
    system = replace(case.system(), shift=np.full(len(case.names), shift))
    assert solve_sparse(system, np.ones(len(case.names))) is None


def test_a_singular_matrix_has_no_solution():
    ones = scipy.sparse.csr_array(np.ones((3, 3)))
    system = ScaledMatrix(ones, np.ones(3), np.zeros(3))
    assert solve_sparse(system, np.ones(3)) is None
