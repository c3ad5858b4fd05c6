"""Block elimination by products against dense solutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from symopt.optim.linear.blocks import diagonal_blocks, find_elimination
from symopt.optim.linear.implicit_schur import solve_by_products
from symopt.optim.linear.scaled import ScaledMatrix
from tests.optim.linear.coupled import dense, pictures

# Condition numbers below 1e3 leave more digits; in the largest norm of the solution.
EXACT = 1e-10
SIZES = [
    {"cameras": 5, "points": 40},
    {"cameras": 8, "points": 280, "seen": 4, "own": False},
    {"cameras": 3, "points": 210, "seen": 1},
]


def solved(case, system, right, **limits):
    elimination = find_elimination(case.matrix, case.names)
    labels = diagonal_blocks(case.matrix, case.names)
    limits = {"tolerance": 1e-13, "most": 1000, **limits}
    return solve_by_products(system, right, elimination, labels, **limits)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_solutions_are_those_of_the_whole(rng, sizes):
    case = pictures(rng, **sizes)
    system, right = case.system(), rng.normal(size=len(case.names))
    wanted = np.linalg.solve(dense(system), right)
    found = solved(case, system, right)
    np.testing.assert_allclose(found, wanted, atol=EXACT * np.abs(wanted).max(), rtol=0)


def test_unknowns_taken_out_are_zero(rng):
    case = pictures(rng, cameras=5, points=40)
    out = [0, 7, case.names.index("point[3, 1]"), case.names.index("brightness[9]")]
    system, right = case.system(), rng.normal(size=len(case.names))
    right[out] = 0
    scale, shift = system.scale.copy(), system.shift.copy()
    scale[out], shift[out] = 0, 1
    found = solved(case, replace(system, scale=scale, shift=shift), right)
    kept = np.setdiff1d(np.arange(len(right)), out)
    wanted = np.linalg.solve(dense(system)[np.ix_(kept, kept)], right[kept])
    np.testing.assert_array_equal(found[out], 0)
    np.testing.assert_allclose(found[kept], wanted, atol=EXACT * np.abs(wanted).max(), rtol=0)


def test_one_camera_needs_one_product(rng):
    """Then the diagonal block is the whole reduced matrix."""
    matrix = pictures(rng, cameras=1, points=30, seen=1).matrix[:-30][:, :-30].toarray()
    matrix = np.delete(np.delete(matrix, [4, 5], 0), [4, 5], 1)  # of its gain and the drift
    sparse = scipy.sparse.csr_array(matrix)
    names = [*(f"camera[0, {i}]" for i in range(4))]
    names += [f"point[{p}, {i}]" for p in range(30) for i in range(3)]
    elimination, labels = find_elimination(sparse, names), diagonal_blocks(sparse, names)
    system = ScaledMatrix(sparse, np.ones(len(matrix)), np.full(len(matrix), 0.1))
    right = rng.normal(size=len(matrix))
    found = solve_by_products(system, right, elimination, labels, tolerance=1e-8, most=1)
    wanted = np.linalg.solve(dense(system), right)
    np.testing.assert_allclose(found, wanted, atol=EXACT * np.abs(wanted).max(), rtol=0)


def test_nothing_left():
    """Every unknown is in a block."""
    matrix = scipy.sparse.csr_array(np.diag([1.0, 2.0, 4.0]))
    elimination = find_elimination(matrix, ["x[0]", "x[1]", "x[2]"])
    system = ScaledMatrix(matrix, np.ones(3), np.zeros(3))
    labels = np.arange(3)
    found = solve_by_products(system, np.ones(3), elimination, labels, tolerance=1e-9, most=9)
    np.testing.assert_allclose(found, [1, 0.5, 0.25], rtol=1e-15)


@pytest.mark.parametrize("entry", [0, -1], ids=["reduced", "block"])
def test_an_indefinite_matrix_has_no_solution(rng, entry):
    case = pictures(rng, cameras=5, points=40)
    system = case.system()
    system.shift[entry] = -10
    assert solved(case, system, np.ones(len(case.names))) is None
