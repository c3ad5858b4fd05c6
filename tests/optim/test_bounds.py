"""Boxes: projection, reach, and which entries a bound holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symopt.optim.bounds import Box

inf = np.inf


def box(lower, upper, is_open=False):
    flags = np.full(len(lower), is_open)
    return Box(np.array(lower, float), np.array(upper, float), flags, flags)


def holds(bounded, x):
    low = np.where(bounded.open_lower, x > bounded.lower, x >= bounded.lower)
    high = np.where(bounded.open_upper, x < bounded.upper, x <= bounded.upper)
    return bool((low & high).all())


def test_projection_onto_closed_bounds():
    inside = box([0, -inf, 1], [1, 2, 1]).project(np.array([-1.0, 5.0, 0.0]))
    np.testing.assert_array_equal(inside, [0, 2, 1])


def test_projection_onto_open_bounds_is_strictly_inside():
    bounded = box([0, 0, 1e6], [1e-9, inf, inf], is_open=True)
    inside = bounded.project(np.array([5.0, -1.0, 0.0]))
    assert holds(bounded, inside)


def test_a_step_ends_on_a_closed_bound_exactly():
    reached = box([0.1], [0.3]).move(np.array([0.2]), np.array([0.1]))
    assert reached[0] == 0.3


def test_a_step_never_reaches_an_open_bound():
    bounded = box([0], [inf], is_open=True)
    x = np.array([1.0])
    for _ in range(50):
        x = bounded.move(x, np.array([-10.0]))
        assert x[0] > 0


@given(
    st.floats(-1e3, 1e3), st.floats(0, 1e3), st.floats(0, 1), st.floats(-1e6, 1e6), st.booleans()
)
@settings(max_examples=200, deadline=None)
def test_moves_stay_inside(lower, width, where, step, is_open):
    bounded = box([lower], [lower + width], is_open)
    x = bounded.project(np.array([lower + where * width]))
    if width > 1e-6:
        assert holds(bounded, bounded.move(x, np.array([step])))


@pytest.mark.parametrize(
    ("direction", "longest"),
    [([1.0, 0.0], 1.0), ([-1.0, 1.0], 1.0), ([0.0, 1.0], inf), ([0.0, 0.0], inf), ([4, -1], 0.25)],
)
def test_longest_step(direction, longest):
    assert box([0, 0], [2, inf]).longest(np.ones(2), np.array(direction)) == longest


def test_held_entries():
    bounded = box([0, 0, 0, 0], [1, 1, 1, 1])
    x = np.array([0.0, 0.0, 1.0, 0.5])
    gradient = np.array([1.0, -1.0, -1.0, 7.0])
    np.testing.assert_array_equal(bounded.active(x, gradient), [True, False, True, False])
    np.testing.assert_array_equal(bounded.projected(x, gradient), [0, -1, 0, 7])
    np.testing.assert_array_equal(bounded.leaving(x, -gradient), [True, False, True, False])


def test_directions_are_cut_at_open_ends_only():
    x, direction = np.array([1.0, 1.0]), np.array([-5.0, 3.0])
    np.testing.assert_allclose(
        box([0, 0], [inf, 2], is_open=True).shortened(x, direction), [-0.99, 0.99]
    )
    np.testing.assert_array_equal(box([0, 0], [inf, 2]).shortened(x, direction), direction)


def test_unbounded():
    assert box([-inf], [inf]).unbounded
    assert not box([0], [inf]).unbounded


def test_a_feasible_step_is_made_without_the_entries_that_it_pushes_outside():
    # The inverse of the free block of [[2, 1], [1, 2]] times minus the gradient: alone, the second
    # entry is pulled inside by its gradient, but with the first it is pushed outside.
    hessian, gradient = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([-4.0, -1.0])
    asked = []

    def among(free):
        asked.append(free.copy())
        step = np.zeros(2)
        step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        return step

    step = box([-inf, 0], [inf, inf]).feasible(np.zeros(2), gradient, among)
    np.testing.assert_array_equal(asked, [[True, True], [True, False]])
    np.testing.assert_array_equal(step, [2, 0])


def test_a_feasible_step_is_zero_where_all_is_held_and_nothing_where_there_is_none():
    def nothing(free):
        return None

    assert box([-1], [1]).feasible(np.zeros(1), np.ones(1), nothing) is None
    held = box([0], [1]).feasible(np.zeros(1), np.ones(1), nothing)
    np.testing.assert_array_equal(held, [0])
