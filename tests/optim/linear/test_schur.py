"""Block elimination against dense solutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from symopt.optim.linear.blocks import find_elimination
from symopt.optim.linear.scaled import ScaledMatrix
from symopt.optim.linear.schur import eliminate, solve_by_blocks
from tests.optim.linear.coupled import dense, pictures

EXACT = 1e-10  # condition numbers below 1e3 leave more digits; in the largest norm of the solution
SIZES = [
    {"cameras": 5, "points": 40},
    {"cameras": 8, "points": 280, "seen": 4, "own": False},
    {"cameras": 3, "points": 210, "seen": 1},
]
every_size = pytest.mark.parametrize("sizes", SIZES, ids=str)


@every_size
def test_solutions_are_those_of_the_whole(rng, sizes):
    case = pictures(rng, **sizes)
    elimination = find_elimination(case.matrix, case.names)
    system, right = case.system(), rng.normal(size=len(case.names))
    wanted = np.linalg.solve(dense(system), right)
    found = solve_by_blocks(system, right, elimination)
    np.testing.assert_allclose(found, wanted, atol=EXACT * np.abs(wanted).max(), rtol=0)


@every_size
def test_the_reduced_matrix_is_the_schur_complement(rng, sizes):
    case = pictures(rng, **sizes)
    elimination = find_elimination(case.matrix, case.names)
    system, right = case.system(), rng.normal(size=len(case.names))
    reduced = eliminate(system, right, elimination)
    whole, kept = dense(system), elimination.reduced
    out = np.setdiff1d(np.arange(len(whole)), kept)
    aside = whole[np.ix_(kept, out)] @ np.linalg.inv(whole[np.ix_(out, out)])
    wanted = whole[np.ix_(kept, kept)] - aside @ whole[np.ix_(out, kept)]
    np.testing.assert_allclose(reduced.matrix, wanted, atol=1e-12 * np.abs(wanted).max())
    np.testing.assert_allclose(reduced.right, right[kept] - aside @ right[out], atol=1e-11)


def test_unknowns_taken_out_are_zero(rng):
    """A scale of 0 and a shift of 1, as for entries at a bound: of a block, and of the rest."""
    case = pictures(rng, cameras=5, points=40)
    elimination = find_elimination(case.matrix, case.names)
    out = [0, 7, case.names.index("point[3, 1]"), case.names.index("brightness[9]")]
    system, right = case.system(), rng.normal(size=len(case.names))
    right[out] = 0
    scale, shift = system.scale.copy(), system.shift.copy()
    scale[out], shift[out] = 0, 1
    system = replace(system, scale=scale, shift=shift)
    found = solve_by_blocks(system, right, elimination)
    kept = np.setdiff1d(np.arange(len(right)), out)
    wanted = np.linalg.solve(dense(system)[np.ix_(kept, kept)], right[kept])
    np.testing.assert_array_equal(found[out], 0)
    np.testing.assert_allclose(found[kept], wanted, atol=EXACT * np.abs(wanted).max(), rtol=0)


def test_nothing_left():
    """Every unknown is in a block."""
    matrix = scipy.sparse.csr_array(np.diag([1.0, 2.0, 4.0]))
    elimination = find_elimination(matrix, ["x[0]", "x[1]", "x[2]"])
    system = ScaledMatrix(matrix, np.ones(3), np.zeros(3))
    found = solve_by_blocks(system, np.ones(3), elimination)
    np.testing.assert_allclose(found, [1, 0.5, 0.25], rtol=1e-15)


@pytest.mark.parametrize("entry", [0, -1], ids=["reduced", "block"])
def test_an_indefinite_matrix_has_no_solution(rng, entry):
    case = pictures(rng, cameras=5, points=40)
    elimination = find_elimination(case.matrix, case.names)
    system = case.system()
    system.shift[entry] = -10
    assert solve_by_blocks(system, np.ones(len(case.names)), elimination) is None
