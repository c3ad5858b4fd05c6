"""Functions of matrices in the evaluator, against NumPy and closed formulas."""

import numpy as np
import pytest

from symopt.statements import matrices

KINDS = ("inverse", "cholesky", "determinant", "logdet")
STEP = 1e-100


def stack(rng: np.random.Generator, size: int) -> np.ndarray:
    a = rng.normal(size=(4, size, size))
    return a @ a.transpose(0, 2, 1) + np.eye(size) + 0.01 * rng.normal(size=(4, size, size))


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_values(size: int, rng: np.random.Generator) -> None:
    m = stack(rng, size)
    symmetric = (m + m.transpose(0, 2, 1)) / 2
    np.testing.assert_allclose(matrices.value("inverse", m), np.linalg.inv(m), rtol=1e-13)
    np.testing.assert_allclose(
        matrices.value("cholesky", m), np.linalg.cholesky(symmetric), rtol=1e-13, atol=1e-14
    )
    np.testing.assert_allclose(matrices.value("determinant", m), np.linalg.det(m), rtol=1e-13)
    expected = np.log(np.linalg.det(m))
    np.testing.assert_allclose(matrices.value("logdet", m), expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_dual_numbers_agree_with_complex_steps(kind: str, rng: np.random.Generator) -> None:
    m, change = stack(rng, 4), rng.normal(size=(4, 4, 4))
    found = matrices.value(kind, m)
    stepped = matrices.value(kind, m + 1j * STEP * change)
    np.testing.assert_allclose(stepped.real, found, rtol=1e-13, atol=1e-14)
    moved = matrices.tangent(kind, m, found, change)
    np.testing.assert_allclose(moved, stepped.imag / STEP, rtol=1e-11, atol=1e-12)


def test_tangents_by_closed_formulas(rng: np.random.Generator) -> None:
    m, change = stack(rng, 3), rng.normal(size=(4, 3, 3))
    for one, move, inverse, factor in zip(
        m,
        change,
        matrices.tangent("inverse", m, matrices.value("inverse", m), change),
        matrices.tangent("cholesky", m, matrices.value("cholesky", m), change),
        strict=True,
    ):
        # d(M X) = 0 and d(L L') = the symmetric part of dM, with dL lower.
        x = np.linalg.inv(one)
        np.testing.assert_allclose(move @ x + one @ inverse, 0, atol=1e-12)
        lower = np.linalg.cholesky((one + one.T) / 2)
        both = factor @ lower.T + lower @ factor.T
        np.testing.assert_allclose(both, (move + move.T) / 2, atol=1e-12)
        np.testing.assert_array_equal(np.triu(factor, 1), 0)


def test_what_has_no_value() -> None:
    singular = np.array([[[1.0, 2.0], [2.0, 4.0]]])
    assert np.isnan(matrices.value("inverse", singular)).all()
    assert matrices.value("logdet", singular) == [-np.inf]
    assert matrices.value("determinant", singular) == [0]
    reflection = np.diag([1.0, -1.0])[None]
    assert np.isnan(matrices.value("logdet", reflection)).all()
    assert np.isnan(matrices.value("logdet", reflection + 0j)).all()
    factor = matrices.value("cholesky", reflection)
    np.testing.assert_array_equal(factor, [[[1, 0], [0, np.nan]]])


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_move_has_no_tangent(kind: str) -> None:
    singular = np.zeros((1, 2, 2))
    found = matrices.value(kind, singular)
    np.testing.assert_array_equal(matrices.tangent(kind, singular, found, singular), 0)
