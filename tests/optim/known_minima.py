"""Problems whose minima are known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symopt.optim import Objective, objective


@dataclass(frozen=True)
class KnownMinimum:
    """Residuals of a problem, where to start, and where the sum of squares is least."""

    name: str
    residuals: object
    jacobian: object
    start: np.ndarray
    minimum: np.ndarray
    value: float
    easy: bool  # within the reach of gradient descent

    def least_squares(self, **extra) -> Objective:
        return objective(residuals=self.residuals, jac=self.jacobian, hess=self.hessian, **extra)

    def hessian(self, x):
        """By complex step of the gradient, to rounding."""
        step = 1e-150

        def gradient(z):
            return 2 * self.jacobian(z).T @ self.residuals(z)

        turned = [gradient(x + 1j * step * unit).imag / step for unit in np.eye(len(x))]
        return (np.array(turned) + np.array(turned).T) / 2

    def function(self) -> Objective:
        return objective(
            lambda x: float(np.sum(self.residuals(x) ** 2)),
            grad=lambda x: 2 * self.jacobian(x).T @ self.residuals(x),
        )

    def gauss_newton(self) -> Objective:
        def curvature(x):
            jacobian = self.jacobian(x)
            return 2 * jacobian.T @ jacobian, 2 * jacobian.T @ self.residuals(x)

        return objective(lambda x: float(np.sum(self.residuals(x) ** 2)), gauss_newton=curvature)


def _quadratic(name: str, condition: float, n: int, easy: bool) -> KnownMinimum:
    weights = np.sqrt(np.geomspace(1.0, condition, n))
    # A rotation, so that the axes are not the eigenvectors.
    rotation = np.linalg.qr(np.random.default_rng(7).normal(size=(n, n)))[0]
    matrix = weights[:, None] * rotation
    minimum = np.arange(1.0, n + 1)
    return KnownMinimum(
        name,
        lambda x: matrix @ (x - minimum),
        lambda x: matrix,
        np.zeros(n),
        minimum,
        0.0,
        easy,
    )


def _beale_jacobian(x):
    return np.array(
        [
            [-(1 - x[1]), x[0]],
            [-(1 - x[1] ** 2), 2 * x[0] * x[1]],
            [-(1 - x[1] ** 3), 3 * x[0] * x[1] ** 2],
        ]
    )


_LINE_X = np.arange(6.0)
_LINE_Y = np.array([1.0, 2.9, 5.2, 6.8, 9.1, 11.0])
_LINE_FIT = np.polynomial.polynomial.polyfit(_LINE_X, _LINE_Y, 1)

PROBLEMS = (
    KnownMinimum(
        "rosenbrock",
        lambda x: np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]),
        lambda x: np.array([[-20 * x[0], 10.0], [-1.0, 0.0]]),
        np.array([-1.2, 1.0]),
        np.array([1.0, 1.0]),
        0.0,
        easy=False,
    ),
    KnownMinimum(
        "beale",
        lambda x: np.array([1.5, 2.25, 2.625]) - x[0] * (1 - x[1] ** np.array([1, 2, 3])),
        _beale_jacobian,
        np.array([1.0, 1.0]),
        np.array([3.0, 0.5]),
        0.0,
        easy=True,
    ),
    KnownMinimum(
        "line",
        lambda b: _LINE_Y - b[0] - b[1] * _LINE_X,
        lambda b: np.stack([-np.ones(6), -_LINE_X], axis=1),
        np.zeros(2),
        _LINE_FIT,
        float(np.sum((_LINE_Y - _LINE_FIT[0] - _LINE_FIT[1] * _LINE_X) ** 2)),
        easy=True,
    ),
    _quadratic("round quadratic", 10.0, 5, easy=True),
    _quadratic("quadratic of condition 1e6", 1e6, 8, easy=False),
)
