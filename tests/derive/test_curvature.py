"""Gauss-Newton blocks of robust losses: 2 rho' I + 4 max(rho'', -rho'/2s) r r'."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import symopt
from symopt.derive.functions import derive
from symopt.primitives.robust import ROBUST_LOSSES
from tests.support.oracle import Oracle, error

K = 0.8  # the scale
Y = np.array([[0.1, -0.2], [2.0, 1.0], [-0.5, 0.6], [-4.0, 3.0]])


def slopes(loss: str, s: float) -> tuple[float, float]:
    """rho' and rho'' by differences of the value in 50 digits."""
    precise = ROBUST_LOSSES[loss].rho.precise
    assert precise is not None
    with mpmath.workdps(50):
        first = mpmath.diff(lambda t: precise(t, mpmath.mpf(K)), mpmath.mpf(s))
        second = mpmath.diff(lambda t: precise(t, mpmath.mpf(K)), mpmath.mpf(s), 2)
    return float(first), float(second)


def block(loss: str, r: np.ndarray) -> np.ndarray:
    """The curvature of rho(r'r) in r, its negative direction raised to 0."""
    s = float(r @ r)
    first, second = slopes(loss, s)
    return 2 * first * np.eye(len(r)) + 4 * max(second, -first / (2 * s)) * np.outer(r, r)


def robust(loss: str, elementwise: bool) -> Oracle:
    word = " elementwise" if elementwise else ""
    text = f"""
    data y[n, 2]
    param a[2], b
    residual e[i, c] = sinh(b) * y[i, c] - a[c]^2 loss {loss}({K}){word}
    """
    return Oracle(symopt.parse(text).bind(y=Y))


P = np.array([0.4, -0.3, 0.9])
losses = pytest.mark.parametrize("loss", ROBUST_LOSSES)


@losses
@pytest.mark.parametrize("elementwise", [False, True], ids=["blocks", "elementwise"])
def test_blocks_follow_the_formula(loss: str, elementwise: bool) -> None:
    oracle = robust(loss, elementwise)
    residuals = oracle.cut(P).reshape(4, 2)
    jacobian = oracle.jacobian(P).reshape(4, 2, 3)
    wanted = np.zeros((3, 3))
    for r, change in zip(residuals, jacobian, strict=True):
        parts = (
            [block(loss, r)]
            if not elementwise
            else [np.diag([block(loss, r[c : c + 1])[0, 0] for c in range(2)])]
        )
        wanted += change.T @ parts[0] @ change
    task = oracle.task
    found = oracle.function(derive(task, "gauss_newton"), P)[:9].reshape(3, 3)
    full = found + np.tril(found, -1).T
    assert error(full, wanted) < 1e-12
    v = np.array([0.3, -1.0, 0.7])
    assert error(oracle.function(derive(task, "gnvp"), P, v), wanted @ v) < 1e-12
    assert np.linalg.eigvalsh(full).min() > -1e-13 * np.abs(full).max()
    native, _ = oracle.problem.gauss_newton(P)
    assert error(native, wanted) < 1e-12
    assert error(oracle.problem.gnvp(P, v), wanted @ v) < 1e-12


@losses
def test_the_exact_hessian_is_not_raised(loss: str) -> None:
    oracle = robust(loss, False)
    v = np.array([0.3, -1.0, 0.7])
    exact = oracle.hessian_product(P, v)
    assert error(oracle.function(derive(oracle.task, "hvp"), P, v), exact) < 1e-10


@losses
def test_at_zero_residuals_the_block_is_that_of_squares(loss: str) -> None:
    """rho'(0) = 1, and -rho'/2s = -inf never wins."""
    text = f"data y[n]\nparam a\nresidual e[i] = y[i] * a loss {loss}({K})"
    oracle = Oracle(symopt.parse(text).bind(y=np.array([1.0, 2.0])))
    found = oracle.function(derive(oracle.task, "gnvp"), np.zeros(1), np.ones(1))
    assert found == pytest.approx([10.0], rel=1e-14)
    assert oracle.problem.gnvp([0.0], [1.0]) == pytest.approx([10.0], rel=1e-14)


def test_without_outliers_a_robust_loss_is_the_plain_sum_of_squares() -> None:
    for loss in ROBUST_LOSSES:
        text = f"param a\nresidual e = a^2 loss {loss}(1e6)"
        oracle = Oracle(symopt.parse(text).bind())
        found = oracle.function(derive(oracle.task, "gnvp"), np.array([0.5]), np.ones(1))
        assert found == pytest.approx([2.0], rel=1e-11)
