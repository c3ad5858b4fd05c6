"""Compact matrices, Cauchy points and subspace minima against dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.first_order.cauchy_point import cauchy_point, compact, subspace_step
from tests.optim.first_order.test_limited_memory import filled

# Also more pairs than unknowns, which are then far from independent.
SIZES = [(8, 4), (6, 6), (3, 8), (5, 20), (4, 0)]


def _dense(memory, n):
    """B+ = B - Bs s'B/s'Bs + y y'/s.y, from I/gamma on."""
    hessian = np.eye(n) / memory.scale
    for pair in memory.pairs:
        s, y = pair.step, pair.change
        product = hessian @ s
        hessian = hessian - np.outer(product, product) / (s @ product) + np.outer(y, y) / (s @ y)
    return hessian


@pytest.mark.parametrize(("n", "count"), SIZES)
def test_the_compact_form_is_the_bfgs_matrix(n, count, rng):
    memory = filled(rng, n, count, 30)
    found = compact(memory, n)
    matrix = found.theta * np.eye(n) - found.wide @ found.middle @ found.wide.T
    expected = _dense(memory, n)
    np.testing.assert_allclose(matrix, expected, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize(("n", "count"), SIZES)
def test_the_cauchy_point_is_the_first_minimum_of_the_bent_path(n, count, rng):
    memory, gradient = filled(rng, n, count, 30), rng.normal(size=n)
    down, up = rng.random((2, n)) * 0.05
    down[0] = up[1] = 0.0
    dense = _dense(memory, n)
    found = cauchy_point(gradient, down, up, compact(memory, n))
    # Along the path in small pieces, until the value rises.
    lengths = np.linspace(0, 1, 40_001)
    path = np.clip(-lengths[:, None] * gradient, -down, up)
    values = path @ gradient + np.einsum("ti,ij,tj->t", path, dense, path) / 2
    rising = np.flatnonzero(np.diff(values) > 1e-16)
    first = rising[0] if rising.size else len(lengths) - 1
    # Between two pieces the value is off by curvature times a piece squared.
    np.testing.assert_allclose(found.step, path[first], atol=2e-4)
    value = gradient @ found.step + found.step @ dense @ found.step / 2
    assert value <= values[first] + 1e-12


@pytest.mark.parametrize(("n", "count"), SIZES)
def test_the_subspace_step_levels_the_model_in_the_free_entries(n, count, rng):
    memory, gradient = filled(rng, n, count, 30), rng.normal(size=n)
    down, up = rng.random((2, n)) * 0.3
    hessian = compact(memory, n)
    cauchy = cauchy_point(gradient, down, up, hessian)
    further = subspace_step(gradient, cauchy, hessian)
    slope = gradient + _dense(memory, n) @ (cauchy.step + further)
    np.testing.assert_allclose(slope[cauchy.free], 0, atol=1e-9)
    np.testing.assert_array_equal(further[~cauchy.free], 0)
