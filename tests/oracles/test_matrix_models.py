"""Likelihoods made of matrices: a Gaussian process and a Kalman filter, against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import symopt

GAUSSIAN_PROCESS = """
data x[n], y[n]
param ls init 0.1, lf init 0.2, ln init -1
K[i, j] = exp(2*lf - (x[i] - x[j])^2 / 2 * exp(-2*ls)) + (exp(2*ln) if i == j else 0)
{}
"""
FORMS = {
    "whole": "minimize dot(y, solve(K, y)) / 2 + logdet(K) / 2",
    "factor": "L = cholesky(K)\nminimize sumsq(solve(L, y)) / 2 + sum(log(L[i, i]) for i)",
}


@pytest.mark.parametrize("form", FORMS)
def test_gaussian_process(form: str, rng: np.random.Generator) -> None:
    """Value, gradient and Hessian by the textbook formulas (Rasmussen and Williams, 5.9)."""
    n = 50
    x, y = np.sort(rng.uniform(0, 5, n)), rng.normal(size=n)
    problem = symopt.parse(GAUSSIAN_PROCESS.format(FORMS[form])).bind(x=x, y=y)
    square = (x[:, None] - x) ** 2 * np.exp(-0.2)
    smooth = np.exp(0.4 - square / 2)
    noise = np.exp(-2) * np.eye(n)
    first = [smooth * square, 2 * smooth, 2 * noise]
    second = [
        [smooth * (square**2 - 2 * square), 2 * smooth * square, 0 * noise],
        [2 * smooth * square, 4 * smooth, 0 * noise],
        [0 * noise, 0 * noise, 4 * noise],
    ]
    k = smooth + noise
    inverse = np.linalg.inv(k)
    a = inverse @ y
    outer = inverse - np.outer(a, a)
    gradient = [np.sum(outer * d) / 2 for d in first]
    hessian = [
        [
            np.sum(outer * both) / 2
            - np.sum((inverse @ d) * (inverse @ e).T) / 2
            + a @ d @ inverse @ e @ a
            for both, e in zip(row, first, strict=True)
        ]
        for row, d in zip(second, first, strict=True)
    ]
    # The condition number of K is about 400.
    value = y @ a / 2 + np.linalg.slogdet(k)[1] / 2
    assert problem.value(problem.x0) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(problem.grad(problem.x0), gradient, rtol=1e-11)
    np.testing.assert_allclose(problem.hess(problem.x0), hessian, rtol=1e-10, atol=1e-10)
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(problem.hvp(problem.x0, v), np.array(hessian) @ v, rtol=1e-10)


KALMAN = """
data y[T, m], H[m, n], A[n, n]
param q[n] init 0, r[m] init 0, x0[n] init 0

Q[i, j] = exp(q[i]) if i == j else 0 for j in n
R[i, j] = exp(r[i]) if i == j else 0 for j in m
x[0] = x0
P[0, i, j] = 1 if i == j else 0 for i in n, j in n
ahead[t] = A @ x[t-1] for t in range(1, T+1)
V[t] = A @ P[t-1] @ A.T + Q for t in range(1, T+1)
S[t] = H @ V[t] @ H.T + R for t in range(1, T+1)
K[t] = V[t] @ H.T @ inv(S[t]) for t in range(1, T+1)
e[t] = y[t-1] - H @ ahead[t] for t in range(1, T+1)
x[t] = ahead[t] + K[t] @ e[t] for t in range(1, T+1)
P[t] = V[t] - K[t] @ H @ V[t] for t in range(1, T+1)

minimize sum(logdet(S[t]) + dot(e[t], solve(S[t], e[t])) for t in range(1, T+1)) / 2
"""


def kalman(z: np.ndarray, y: np.ndarray, h: np.ndarray, a: np.ndarray) -> complex:
    """Minus the log likelihood, one observation after another; complex numbers go through."""
    m, n = h.shape
    q, r, x = z[:n], z[n : n + m], z[n + m :]
    p, total = np.eye(n), 0.0
    for one in y:
        x, p = a @ x, a @ p @ a.T + np.diag(np.exp(q))
        s, e = h @ p @ h.T + np.diag(np.exp(r)), one - h @ x
        inverse = np.linalg.inv(s)
        sign, size = np.linalg.slogdet(s)
        total = total + (np.log(sign) + size + e @ inverse @ e) / 2
        gain = p @ h.T @ inverse
        x, p = x + gain @ e, p - gain @ h @ p
    return complex(total)


def test_kalman_filter(rng: np.random.Generator) -> None:
    y, h = rng.normal(size=(30, 2)), rng.normal(size=(2, 3))
    a = np.eye(3) + 0.1 * rng.normal(size=(3, 3))
    problem = symopt.parse(KALMAN).bind(y=y, H=h, A=a)
    z = 0.1 * rng.normal(size=8)
    assert problem.value(z) == pytest.approx(kalman(z, y, h, a).real, rel=1e-12)

    def gradient(at: np.ndarray) -> np.ndarray:
        steps = at + 1e-100j * np.eye(8)
        return np.array([kalman(step, y, h, a).imag / 1e-100 for step in steps])

    np.testing.assert_allclose(problem.grad(z), gradient(z), rtol=1e-11, atol=1e-12)
    v, width = rng.normal(size=8), 1e-4
    near = gradient(z + width * v) - gradient(z - width * v)
    far = gradient(z + 2 * width * v) - gradient(z - 2 * width * v)
    product = (8 * near - far) / (12 * width)
    # Differences of fourth order: about 1e-12 / width of rounding.
    np.testing.assert_allclose(problem.hvp(z, v), product, rtol=1e-8, atol=1e-8)
