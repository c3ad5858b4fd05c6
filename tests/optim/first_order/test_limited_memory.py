"""The two-loop recursion against the matrix that it never forms."""

from __future__ import annotations

import numpy as np

from symopt.optim import Point, Status
from symopt.optim.first_order.limited_memory import (
    LimitedMemoryState,
    Memory,
    first_memory,
    moved,
    restarted,
)


def filled(rng, n, count, capacity):
    root = rng.normal(size=(n, n))
    hessian = root @ root.T + np.eye(n)
    memory = Memory((), 0.5)
    for step in rng.normal(size=(count, n)):
        memory = memory.after(step, hessian @ step, capacity)
    return memory


def test_the_step_is_that_of_the_bfgs_matrix(rng):
    """H+ = (I - s y'/s.y) H (I - y s'/s.y) + s s'/s.y, from gamma I on."""
    memory, gradient = filled(rng, 6, 4, 10), rng.normal(size=6)
    inverse = memory.scale * np.eye(6)
    for pair in memory.pairs:
        s, y = pair.step, pair.change
        left = np.eye(6) - np.outer(s, y) / (s @ y)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
    np.testing.assert_allclose(memory.newton_step(gradient), -inverse @ gradient, rtol=1e-10)


def test_the_oldest_is_forgotten(rng):
    memory = filled(rng, 5, 7, 3)
    assert len(memory.pairs) == 3
    newest = memory.pairs[-1]
    assert memory.scale == newest.curvature / (newest.change @ newest.change)


def test_negative_curvature_is_not_learnt():
    memory = Memory((), 2.0)
    assert memory.after(np.array([1.0, 0.0]), np.array([-1.0, 0.0]), 5) is memory


def test_a_state_that_fails_forgets_its_pairs_and_then_ends():
    point = Point(np.ones(2), 1.0, np.array([4.0, 0.0]))
    first = LimitedMemoryState(point, first_memory(point.gradient), np.ones(2))
    assert first.memory.newton_step(point.gradient).tolist() == [-0.1, 0.0]
    downhill = np.array([-1.0, 0.0])
    assert restarted(first, downhill, point.gradient).outcome is Status.STALLED
    assert restarted(first, 1e-12 * downhill, point.gradient).outcome is Status.PRECISION
    later = moved(first, Point(np.array([0.5, 1.0]), 0.0, np.array([2.0, 0.0])), 5)
    assert later.memory.scale == 0.25  # s.y / y.y
    again = restarted(later, downhill, later.point.gradient)
    assert again.outcome is None
    assert not again.memory.pairs
