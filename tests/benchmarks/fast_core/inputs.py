"""Synthetic data and parameters of the kernels, at any number of samples, always the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

SEED = 20240229


def exponential_fit(n: int) -> dict[str, Any]:
    """Noisy points of a sum of three exponentials (Lanczos's), and parameters a tenth off."""
    rng = np.random.default_rng(SEED)
    b1, b2, b3, b4, b5, b6 = truth = np.array([0.0951, 1.0, 0.8607, 3.0, 1.5576, 5.0])
    x = np.linspace(0.0, 1.2, n)
    y = b1 * np.exp(-b2 * x) + b3 * np.exp(-b4 * x) + b5 * np.exp(-b6 * x)
    return {"x": x, "y": y + 1e-3 * rng.normal(size=n), "b": 1.1 * truth}


def bundle_adjustment(n: int) -> dict[str, Any]:
    """Points in a box before 16 cameras, as many to an observation as in BAL's dubrovnik-16.

    Observations are sorted by point, then by camera, as BAL's are.
    """
    rng = np.random.default_rng(SEED)
    cameras, points = 16, max(1, round(n * 22_106 / 83_000))
    pairs = np.sort(rng.choice(points * cameras, n, replace=False))
    camera = np.column_stack(
        [
            0.3 * rng.normal(size=(cameras, 3)),
            rng.normal(size=(cameras, 2)),
            -8 + 0.5 * rng.normal(size=cameras),
            700 + 50 * rng.normal(size=cameras),
            0.05 * rng.normal(size=cameras),
            0.01 * rng.normal(size=cameras),
        ]
    )
    return {
        "cam": pairs % cameras,
        "pt": pairs // cameras,
        "observed": 200 * rng.normal(size=(n, 2)),
        "camera": camera,
        "point": rng.uniform(-2, 2, (points, 3)),
    }


def softmax(n: int) -> dict[str, Any]:
    """Normal features, labels without a pattern, small weights."""
    rng = np.random.default_rng(SEED)
    d, k = 20, 10
    return {
        "X": rng.normal(size=(n, d)),
        "label": rng.integers(0, k, n),
        "W": 0.3 * rng.normal(size=(d, k)),
        "b": 0.1 * rng.normal(size=k),
    }


def gaussian_mixture(n: int) -> dict[str, Any]:
    """Parameters as ADBench draws them; `pos` says where a lower triangle's entries lie."""
    rng = np.random.default_rng(SEED)
    d, k = 10, 25
    pos = np.zeros((d, d), dtype=np.int64)
    columns, rows = np.triu_indices(d, 1)  # entries below the diagonal, column by column
    pos[rows, columns] = d + np.arange(len(rows))
    return {
        "x": rng.normal(size=(n, d)),
        "pos": pos,
        "gamma": 1.0,
        "m": 0.0,
        "alpha": rng.normal(size=k),
        "mu": rng.uniform(size=(k, d)),
        "factor": 0.3 * rng.normal(size=(k, d + len(rows))),
    }


INPUTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "exponential_fit": exponential_fit,
    "bundle_adjustment": bundle_adjustment,
    "softmax": softmax,
    "gaussian_mixture": gaussian_mixture,
}
