"""Conjugate gradients against direct solutions."""

from __future__ import annotations

import numpy as np

from symopt.optim.linear.conjugate import conjugate_gradients


def spread(rng, eigenvalues):
    basis = np.linalg.qr(rng.normal(size=(len(eigenvalues), len(eigenvalues))))[0]
    return basis * eigenvalues @ basis.T


def test_the_first_step_by_its_formula(rng):
    """x1 = (r'z / d'A d) d with z = d = M r."""
    matrix, right = spread(rng, np.linspace(1, 9, 6)), rng.normal(size=6)
    weights = rng.uniform(0.5, 2, 6)
    found = conjugate_gradients(
        lambda v: matrix @ v, right, precondition=lambda v: weights * v, tolerance=0, most=1
    )
    direction = weights * right
    wanted = right @ direction / (direction @ matrix @ direction) * direction
    np.testing.assert_allclose(found.solution, wanted, rtol=1e-14)
    assert (found.products, found.converged) == (1, False)


def test_as_many_steps_as_different_eigenvalues(rng):
    matrix = spread(rng, np.repeat([1.0, 5.0, 20.0], 10))
    right = rng.normal(size=30)
    found = conjugate_gradients(lambda v: matrix @ v, right, tolerance=1e-10, most=30)
    assert found.converged
    assert found.products == 3
    np.testing.assert_allclose(matrix @ found.solution, right, atol=1e-9)


def test_the_exact_preconditioner_takes_one_step(rng):
    matrix, right = spread(rng, np.logspace(-3, 3, 8)), rng.normal(size=8)
    inverse = np.linalg.inv(matrix)
    found = conjugate_gradients(
        lambda v: matrix @ v, right, precondition=lambda v: inverse @ v, tolerance=1e-8, most=9
    )
    assert found.products == 1


def test_nothing_to_do():
    found = conjugate_gradients(lambda v: v, np.zeros(3), tolerance=1e-3, most=5)
    assert found.converged
    np.testing.assert_array_equal(found.solution, 0)


def test_no_positive_curvature_at_once_is_no_solution():
    assert conjugate_gradients(lambda v: -v, np.ones(3), tolerance=1e-3, most=5) is None
    nan = np.full(3, np.nan)
    assert conjugate_gradients(lambda v: nan, np.ones(3), tolerance=1e-3, most=5) is None


def test_no_positive_curvature_later_keeps_what_was_reached():
    matrix = np.diag([4.0, 1.0, -0.1])
    right = np.array([1.0, 1.0, 0.1])
    found = conjugate_gradients(lambda v: matrix @ v, right, tolerance=1e-12, most=9)
    assert not found.converged
    assert right @ found.solution > 0
