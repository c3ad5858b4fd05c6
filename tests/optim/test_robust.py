"""Robust sums of plain residuals, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.robust import LOSSES, RobustSum

T = np.linspace(0, 4, 40)
Y = 2 * np.exp(-0.7 * T) + 0.5
Y[::9] += 3.0  # outliers


def residuals(x):
    return x[0] * np.exp(-x[1] * T) + x[2] - Y


def jacobian(x):
    return np.stack([np.exp(-x[1] * T), -x[0] * T * np.exp(-x[1] * T), np.ones_like(T)], axis=1)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("method", ["lm", "bfgs"])
def test_the_minimum_is_scipys(loss, method):
    robust = objective(residuals=residuals, jac=jacobian, loss=loss, loss_scale=0.1)
    found = minimize(robust, method, x0=[1.5, 0.5, 0.3])
    wanted = least_squares(
        residuals, [1.5, 0.5, 0.3], jac=jacobian, loss=loss, f_scale=0.1, xtol=1e-14, ftol=1e-14
    )
    assert found.success, found.message
    np.testing.assert_allclose(found.x, wanted.x, rtol=1e-5)
    assert found.fun == pytest.approx(2 * wanted.cost, rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_derivatives(loss):
    """The gradient by complex step; the matrix is the curvature by the residuals, if positive."""
    robust = RobustSum(residuals, jacobian, loss, 0.2)
    x = np.array([1.5, 0.6, 0.2])

    def value(z):
        scaled = ((z[0] * np.exp(-z[1] * T) + z[2] - Y) / 0.2) ** 2
        match loss:
            case "huber":
                rho = np.where(scaled.real > 1, 2 * np.sqrt(scaled) - 1, scaled)
            case "soft_l1":
                rho = 2 * (np.sqrt(1 + scaled) - 1)
            case "cauchy":
                rho = np.log1p(scaled)
            case _:
                rho = np.arctan(scaled)
        return 0.04 * np.sum(rho)

    gradient = [value(x + 1e-30j * unit).imag / 1e-30 for unit in np.eye(3)]
    assert robust.value(x) == pytest.approx(value(x), rel=1e-13)
    np.testing.assert_allclose(robust.grad(x), gradient, rtol=1e-11)
    matrix, same = robust.gauss_newton(x)
    np.testing.assert_array_equal(same, robust.grad(x))
    assert np.linalg.eigvalsh(matrix).min() >= -1e-12


def test_small_residuals_count_in_full():
    for loss in LOSSES:
        robust = RobustSum(lambda x: 1e-6 * x, lambda x: 1e-6 * np.eye(2), loss, 1.0)
        x = np.array([1.0, -2.0])
        assert robust.value(x) == pytest.approx(5e-12, rel=1e-9)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"residuals": residuals, "loss": "hubber"}, "`loss` must be one of"),
        ({"residuals": residuals, "loss": "huber", "loss_scale": 0.0}, "`loss_scale` must be"),
        ({"fun": abs, "loss": "huber"}, "left out without `residuals`"),
    ],
)
def test_what_cannot_be(settings, words):
    with pytest.raises(DataError, match=words):
        objective(**settings)
