"""Gently curved valleys of two unknowns, and what a default run makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symopt.optim import minimize, objective

Pairs = list[tuple[float | None, float | None]] | None


@dataclass(frozen=True)
class Valley:
    """A function, where to start and where its minimum is."""

    name: str
    fun: Callable[[np.ndarray], float]
    start: tuple[float, ...]
    minimum: tuple[float, ...]
    bounds: Pairs = None


def banana(x: np.ndarray) -> float:
    return float((1 - x[0]) ** 2 + 5 * (x[1] - x[0] ** 2) ** 2)


def bowl(x: np.ndarray) -> float:
    return float((x[0] - 1) ** 2 + 10 * (x[1] - 2) ** 2)


def half(x: np.ndarray) -> float:
    """A bowl that is not a number for x[0] < 0.45, next to the start."""
    return float((x[0] - 1) ** 2 + (x[1] - 1) ** 2) if x[0] >= 0.45 else np.nan


VALLEYS = (
    Valley("banana", banana, (-1.0, 1.0), (1.0, 1.0)),
    Valley("banana from 0", banana, (0.0, 0.0), (1.0, 1.0)),
    Valley("bowl", bowl, (0.0, 0.0), (1.0, 2.0)),
    Valley("offset", lambda x: 7 + 10 * banana(x), (-1.0, 1.0), (1.0, 1.0)),
    Valley("tiny", lambda x: 1e-6 * banana(x), (-1.0, 1.0), (1.0, 1.0)),
    Valley(
        "rotated",
        lambda x: float(50 * (x[0] + x[1] - 3) ** 2 + (x[0] - x[1] + 1) ** 2),
        (0.0, 0.0),
        (1.0, 2.0),
    ),
    Valley("one unknown", lambda x: float((x[0] - 3) ** 2), (0.0,), (3.0,)),
    Valley("half of it undefined", half, (0.5, 0.0), (1.0, 1.0)),
    Valley("bounded", bowl, (0.0, 0.0), (1.0, 0.5), [(-1, 3), (None, 0.5)]),
    Valley("at its minimum", banana, (1.0, 1.0), (1.0, 1.0)),
)


def check(method: str, valley: Valley, seed: int) -> None:
    """A default run ends by itself, within 1e-2 of the minimum in place and value."""
    start = np.array(valley.start)
    result = minimize(objective(valley.fun, bounds=valley.bounds), method, x0=start, seed=seed)
    assert result.success, result.message
    np.testing.assert_allclose(result.x, valley.minimum, rtol=0, atol=1e-2)
    assert result.fun - valley.fun(np.array(valley.minimum)) < 1e-2 * max(
        1e-6, min(1.0, abs(valley.fun(start)))
    )
