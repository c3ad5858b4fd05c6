"""The scaled matrix against plain algebra."""

from __future__ import annotations

import numpy as np

from tests.optim.linear.coupled import dense, pictures


def test_a_scaled_matrix_is_what_it_says(rng):
    case = pictures(rng)
    system, v = case.system(), rng.normal(size=len(case.names))
    np.testing.assert_allclose(system.assembled().toarray(), dense(system), rtol=1e-14)
    np.testing.assert_allclose(system @ v, dense(system) @ v, rtol=1e-12, atol=1e-13)
