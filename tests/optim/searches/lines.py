"""Lines to search, among them the six test functions of Moré and Thuente (ACM TOMS 20, 1994)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symopt.optim import Point
from symopt.optim.searches.line import Trial


@dataclass(frozen=True)
class Line:
    """Value and slope over the length, and the constants with which the paper searches it."""

    value: object
    slope: object
    decrease: float = 1e-4
    curvature: float = 0.9

    def at(self, t):
        with np.errstate(all="ignore"):
            v, s = float(self.value(np.float64(t))), float(self.slope(np.float64(t)))
        return Trial(float(t), v, s, Point(np.array([float(t)]), v, np.array([s])))

    @property
    def start(self):
        return self.at(0.0)


class Counting:
    """A line that remembers the lengths at which it was evaluated."""

    def __init__(self, line):
        self.line, self.lengths = line, []

    def __call__(self, t):
        self.lengths.append(t)
        return self.line.at(t)


def _noisy_corner(t, beta=0.01, waves=39):
    wave = 2 * (1 - beta) / (waves * np.pi) * np.sin(waves * np.pi / 2 * t)
    if t <= 1 - beta:
        return 1 - t + wave
    if t >= 1 + beta:
        return t - 1 + wave
    return (t - 1) ** 2 / (2 * beta) + beta / 2 + wave


def _noisy_corner_slope(t, beta=0.01, waves=39):
    wave = (1 - beta) * np.cos(waves * np.pi / 2 * t)
    if t <= 1 - beta:
        return -1 + wave
    if t >= 1 + beta:
        return 1 + wave
    return (t - 1) / beta + wave


def _two_corners(b1, b2):
    """Yanai, Ozawa and Kaneko 1981."""
    weight1, weight2 = np.sqrt(1 + b1**2) - b1, np.sqrt(1 + b2**2) - b2
    return Line(
        lambda t: weight1 * np.hypot(1 - t, b2) + weight2 * np.hypot(t, b1),
        lambda t: weight1 * (t - 1) / np.hypot(1 - t, b2) + weight2 * t / np.hypot(t, b1),
        1e-3,
        1e-3,
    )


MORE_THUENTE = (
    Line(lambda t: -t / (t**2 + 2), lambda t: (t**2 - 2) / (t**2 + 2) ** 2, 1e-3, 0.1),
    Line(
        lambda t: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4,
        lambda t: 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3,
        0.1,
        0.1,
    ),
    Line(_noisy_corner, _noisy_corner_slope, 0.1, 0.1),
    _two_corners(1e-3, 1e-3),
    _two_corners(1e-2, 1e-3),
    _two_corners(1e-3, 1e-2),
)
FIRST_LENGTHS = (1e-3, 1e-1, 1e1, 1e3)

PARABOLA = Line(lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1))
WALL = Line(lambda t: -np.log(1 - t) - 3 * t, lambda t: 1 / (1 - t) - 3)
LONG_VALLEY = Line(
    lambda t: np.exp(-1e-3 * t) + 1e-9 * t**2, lambda t: -1e-3 * np.exp(-1e-3 * t) + 2e-9 * t
)
NOWHERE = Line(lambda t: 0.0 if t == 0 else np.nan, lambda t: -1.0 if t == 0 else np.nan)
# 1 + (t - 1e-9)^2 is 1 all along in double precision; its slope tells where it is least.
FLAT = Line(lambda t: 1.0, lambda t: 2 * (t - 1e-9))
