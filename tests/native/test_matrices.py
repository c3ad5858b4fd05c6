"""Functions of matrices as compiled: against many digits, in every layout of matrices and lanes."""

import mpmath
import numpy as np
import pytest

import symopt

TEXT = """
data A[m, d, d], B[d, d], u[d]
param s init 1
def f(M) = {}
z[i] = f(s * A[i])
minimize sum(z) + 0 * (sum(B) + sum(u))
"""


def problem(expression: str, a: np.ndarray, rng: np.random.Generator) -> symopt.Problem:
    size = a.shape[-1]
    data = {"A": a, "B": rng.normal(size=(size, size)), "u": rng.normal(size=size)}
    return symopt.parse(TEXT.format(expression)).bind(data)


def graded(rng: np.random.Generator, size: int) -> np.ndarray:
    """Rows of very different size."""
    scale = 10.0 ** np.linspace(-6, 6, size)
    return rng.normal(size=(3, size, size)) * scale[:, None]


def ill_conditioned(rng: np.random.Generator, size: int) -> np.ndarray:
    """Singular values from 1 to 1e-8."""
    left, right = (np.linalg.qr(rng.normal(size=(3, size, size)))[0] for _ in range(2))
    return left * 10.0 ** np.linspace(0, -8, size) @ right


def exact(matrix: np.ndarray) -> mpmath.matrix:
    return mpmath.matrix(matrix.tolist())


# Nine matrices fill the lanes once and leave a remainder; sizes on both sides of 8.
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 12])
def test_values_to_rounding(size: int, rng: np.random.Generator) -> None:
    a = rng.normal(size=(9, size, size))
    a = a @ a.transpose(0, 2, 1) + np.eye(size)
    for expression, expected in (
        ("sum(inv(M))", lambda m: np.sum(np.linalg.inv(m))),
        ("sum(cholesky(M))", lambda m: np.sum(np.linalg.cholesky(m))),
        ("det(M)", np.linalg.det),
        ("logdet(M)", lambda m: np.linalg.slogdet(m)[1]),
    ):
        found = problem(expression, a, rng).eval("z", [1.0])
        np.testing.assert_allclose(found, [expected(m) for m in a], rtol=1e-12)


@pytest.mark.parametrize("make", [graded, ill_conditioned])
def test_badly_scaled_matrices(make, rng: np.random.Generator) -> None:
    """As exact as LU with partial pivoting promises: backward errors of a few units."""
    a = make(rng, 7)
    with mpmath.workdps(50):
        logs = [float(mpmath.log(abs(mpmath.det(exact(m))))) for m in a]
        signs = [float(mpmath.sign(mpmath.det(exact(m)))) for m in a]
    found = problem("log(abs(det(M)))", a, rng).eval("z", [1.0])
    # A relative error of the determinant is about the condition number times rounding.
    np.testing.assert_allclose(found, logs, atol=1e-7)
    found = problem("logdet(M)", a, rng).eval("z", [1.0])
    expected = [log if sign > 0 else np.nan for log, sign in zip(logs, signs, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("make", [graded, ill_conditioned])
def test_solutions_leave_small_residuals(make, rng: np.random.Generator) -> None:
    a = make(rng, 6)
    text = "data A[m, d, d], u[d]\nparam s init 1\nx = solve(A, s * u)\nminimize sum(x)"
    u = rng.normal(size=6)
    x = symopt.parse(text).bind(A=a, u=u).eval("x", [1.0])
    for matrix, one in zip(a, x, strict=True):
        scale = np.abs(matrix) @ np.abs(one) + np.abs(u)
        assert np.max(np.abs(matrix @ one - u) / scale) < 1e-13
        expected = np.linalg.solve(matrix, u)
        # Both are off by the condition number, at most 1e8 once rows are scaled, times rounding.
        np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_what_has_no_value(rng: np.random.Generator) -> None:
    a = np.stack([np.diag([1.0, 2.0]), [[1.0, 2.0], [2.0, 4.0]], np.diag([1.0, -1.0])] * 3)
    inverse = problem("sum(inv(M))", a, rng).eval("z", [1.0])
    np.testing.assert_allclose(inverse, [1.5, np.nan, 0.0] * 3)
    logs = problem("logdet(M)", a, rng).eval("z", [1.0])
    np.testing.assert_allclose(logs, [np.log(2), -np.inf, np.nan] * 3)
    np.testing.assert_allclose(problem("det(M)", a, rng).eval("z", [1.0]), [2, 0, -1] * 3)
    factor = problem("sum(cholesky(M))", a, rng).eval("z", [1.0])
    np.testing.assert_allclose(factor, [1 + np.sqrt(2), np.nan, np.nan] * 3)


def test_matrices_without_elements(rng: np.random.Generator) -> None:
    a = np.zeros((3, 0, 0))
    for expression, expected in (
        ("det(M)", 1.0),
        ("logdet(M)", 0.0),
        ("sum(inv(M))", 0.0),
        ("sum(solve(M, u))", 0.0),
        ("sum(cholesky(M))", 0.0),
    ):
        found = problem(expression, a, rng)
        np.testing.assert_array_equal(found.eval("z", [1.0]), expected)
        np.testing.assert_array_equal(found.grad([1.0]), 0)


@pytest.mark.parametrize("size", [3, 20])
def test_size_left_open(size: int, rng: np.random.Generator) -> None:
    """Where samples are the rows of the matrix, code is for any size of it."""
    text = """
    data X[n], y[n]
    param s init 0.7
    K[i, j] = exp(-(X[i] - X[j])^2) + (s^2 if i == j else 0)
    minimize dot(y, solve(K, y)) + logdet(K) + sum(cholesky(K))
    """
    x, y = rng.normal(size=size), rng.normal(size=size)
    found = symopt.parse(text).bind(X=x, y=y)
    k = np.exp(-((x[:, None] - x) ** 2)) + 0.49 * np.eye(size)
    expected = y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1] + np.linalg.cholesky(k).sum()
    assert found.value([0.7]) == pytest.approx(expected, rel=1e-12)


def test_gathered_and_transposed(rng: np.random.Generator) -> None:
    """The matrix of every sample lies elsewhere, or not row by row."""
    text = """
    dim k
    data X[n, d], g[n] in k, P[k, d, d]
    param s init 1
    e[i] = solve(s * P[g[i]], X[i])
    f[i] = inv(P[g[i]].T) @ X[i]
    minimize sum(e * e) + s * sum(f)
    """
    g = np.arange(11) % 3
    x, p = rng.normal(size=(11, 2)), rng.normal(size=(3, 2, 2)) + 3 * np.eye(2)
    found = symopt.parse(text).bind(X=x, g=g, P=p)
    inverses = np.linalg.inv(p)[g]
    e = np.einsum("nij,nj->ni", inverses, x) / 1.1
    f = np.einsum("nji,nj->ni", inverses, x)
    assert found.value([1.1]) == pytest.approx(np.sum(e**2) + 1.1 * np.sum(f), rel=1e-12)
    assert found.grad([1.1]) == pytest.approx([-2 * np.sum(e**2) / 1.1 + np.sum(f)], rel=1e-12)
