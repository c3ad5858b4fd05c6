"""The two-loop recursion against the matrix that it never forms."""

from __future__ import annotations

import numpy as np

from symopt.optim.first_order.limited_memory import Memory


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
