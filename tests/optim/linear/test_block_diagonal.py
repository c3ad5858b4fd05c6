"""Inverses of diagonal blocks against plain algebra."""

from __future__ import annotations

import numpy as np

from symopt.optim.linear.block_diagonal import blocks_of, invert_blocks_of
from tests.optim.linear.coupled import dense, pictures


def test_blocks_of_a_sparse_matrix(rng):
    case = pictures(rng)
    unknowns = np.array([[0, 7, 2], [30, 31, 33]])
    whole = case.matrix.toarray()
    wanted = [whole[np.ix_(block, block)] for block in unknowns]
    np.testing.assert_array_equal(blocks_of(case.matrix, unknowns), wanted)


def test_the_inverse_by_labels(rng):
    """Blocks of two sizes, whose unknowns are not side by side."""
    case = pictures(rng)
    system, v = case.system(), rng.normal(size=len(case.names))
    labels = np.arange(len(case.names))
    labels[[4, 9]], labels[[1, 6]] = 0, 1
    whole = dense(system) * (labels[:, None] == labels)
    np.testing.assert_allclose(
        invert_blocks_of(system, labels) @ v, np.linalg.solve(whole, v), rtol=1e-11
    )
