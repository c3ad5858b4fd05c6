"""What methods with a step size for each unknown share: signs, and when they have come to rest."""

from __future__ import annotations

import numpy as np

from symopt.optim.optimizer import Status
from symopt.optim.problem import Vector


def agreement(gradient: Vector, previous: Vector) -> Vector:
    """1 where both have the same sign, -1 where they have opposite ones, 0 where one is zero.

    Products of the entries themselves would underflow near a minimum.
    """
    return np.sign(gradient) * np.sign(previous)


def resting(place: Vector, ahead: Vector, slopes: Vector) -> Status | None:
    """The end, where a step from `place` leads nowhere although there are slopes to follow."""
    still = np.array_equal(ahead, place) and bool(slopes.any())
    return Status.STEP if still else None
