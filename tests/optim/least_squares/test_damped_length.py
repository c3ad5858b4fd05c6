"""The damping for a length, against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.least_squares.damped_length import step_of_length

GRADIENT = np.array([3.0, -1.0, 2.0])
SCALES = np.array([1.0, 2.0, 0.5])


def damped(curvatures):
    def solve(damping):
        shifted = curvatures + damping * SCALES**2
        return None if (shifted <= 0).any() else -GRADIENT / shifted

    return solve


@pytest.mark.parametrize("radius", [1e-8, 1e-3, 0.1, 1.0])
@pytest.mark.parametrize("guesses", [(), (1.0,), (1e-30, 1e30)])
@pytest.mark.parametrize(
    "curvatures", [[1.0, 2.0, 3.0], [1e-9, 1.0, 1e9], [0.0, 0.0, 0.0], [-5.0, 1.0, 1.0]], ids=str
)
def test_a_long_step_is_shortened_to_the_radius(radius, guesses, curvatures):
    solve = damped(np.array(curvatures))
    found = step_of_length(solve, SCALES, radius, 1e-20, guesses, solves=100)
    assert found is not None
    np.testing.assert_array_equal(found.step, solve(found.damping))
    length = np.linalg.norm(SCALES * found.step)
    assert found.length == length
    assert length <= 1.1 * radius
    assert found.damping <= 1e-20 or length >= 0.9 * radius


def test_a_short_step_is_not_damped():
    found = step_of_length(damped(np.full(3, 100.0)), SCALES, 1.0, 1e-20, (1.0,))
    assert found is not None
    assert found.damping == 1e-20


def test_there_may_be_no_step_at_all():
    assert step_of_length(lambda damping: None, SCALES, 1.0, 1e-20, ()) is None
