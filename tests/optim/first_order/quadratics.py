"""Quadratics, on which these methods are known to the last step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symopt.optim import objective


@dataclass(frozen=True)
class Quadratic:
    """(x - m)' A (x - m)/2."""

    matrix: np.ndarray
    minimum: np.ndarray

    def value(self, x):
        return float((x - self.minimum) @ self.matrix @ (x - self.minimum)) / 2

    def gradient(self, x):
        return self.matrix @ (x - self.minimum)

    def objective(self, **more):
        return objective(self.value, grad=self.gradient, **more)

    def exact_length(self, x, direction):
        """Where the slope along a direction vanishes."""
        slope = self.gradient(x) @ direction
        return -slope / (direction @ self.matrix @ direction)


def quadratic(n, condition=20.0, seed=3):
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(n, n)))[0]
    matrix = rotation @ np.diag(np.geomspace(1, condition, n)) @ rotation.T
    return Quadratic((matrix + matrix.T) / 2, rng.normal(size=n))
