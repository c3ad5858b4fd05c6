"""Iterated solutions against dense ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symopt.optim.linear.blocks import diagonal_blocks
from symopt.optim.linear.iterative import solve_iteratively
from tests.optim.linear.coupled import dense, pictures


def test_solution(rng):
    case = pictures(rng)
    system, right = case.system(), rng.normal(size=len(case.names))
    labels = diagonal_blocks(case.matrix, case.names)
    found = solve_iteratively(system, right, labels, tolerance=1e-13, most=1000)
    wanted = np.linalg.solve(dense(system), right)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())


def test_what_is_not_positive_definite_has_no_solution(rng):
    case = pictures(rng)
    labels = diagonal_blocks(case.matrix, case.names)
    system = replace(case.system(), shift=np.full(len(case.names), -10.0))
    right = np.ones(len(case.names))
    assert solve_iteratively(system, right, labels, tolerance=1e-3, most=9) is None
