"""Line searches: the conditions they promise, on lines that are easy, odd and broken."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim import Point, objective
from symopt.optim.bounds import box_of
from symopt.optim.searches.backtracking import backtrack
from symopt.optim.searches.line import Trial, along
from symopt.optim.searches.wolfe import strong_wolfe

LINES = {
    "parabola": (lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1)),
    "more-thuente 1": (
        lambda t: -t / (t**2 + 2),
        lambda t: (t**2 - 2) / (t**2 + 2) ** 2,
    ),
    "more-thuente 2": (
        lambda t: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4,
        lambda t: 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3,
    ),
    "wall": (lambda t: -np.log(1 - t) - 3 * t, lambda t: 1 / (1 - t) - 3),
    "long valley": (lambda t: np.exp(-1e-3 * t) + 1e-9 * t**2, None),
}
LINES["long valley"] = (
    LINES["long valley"][0],
    lambda t: -1e-3 * np.exp(-1e-3 * t) + 2e-9 * t,
)


def line(name):
    value, slope = LINES[name]
    with np.errstate(all="ignore"):
        start = Trial(0.0, value(0.0), slope(0.0), Point(np.zeros(1), value(0.0), np.zeros(1)))

    def at(t):
        with np.errstate(all="ignore"):
            v, s = float(value(np.float64(t))), float(slope(np.float64(t)))
        return Trial(t, v, s, Point(np.array([t]), v, np.array([s])))

    return at, start


@pytest.mark.parametrize("first", [1e-3, 1e-1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("curvature", [0.9, 0.1])
def test_strong_wolfe_conditions_hold(name, first, curvature):
    at, start = line(name)
    found = strong_wolfe(at, start, first, np.inf, decrease=1e-4, curvature=curvature)
    assert found is not None
    assert found.value <= start.value + 1e-4 * found.length * start.slope
    assert abs(found.slope) <= -curvature * start.slope


def test_the_longest_step_needs_a_decrease_only():
    at, start = line("parabola")
    found = strong_wolfe(at, start, 1.0, 0.01)
    assert found is not None
    assert found.length == 0.01


def test_no_step_up_a_hill_or_into_nothing():
    def nowhere(t):
        return Trial(t, np.nan, np.nan, Point(np.array([t]), np.nan, np.zeros(1)))

    _, start = line("parabola")
    assert strong_wolfe(nowhere, start, 1.0, np.inf) is None


def test_slopes_decide_where_values_are_rounding():
    """1 + (t - 1e-9)^2 is 1 all along in double precision; its slope tells where it is least."""

    def at(t):
        slope = 2 * (t - 1e-9)
        return Trial(t, 1.0, slope, Point(np.array([t]), 1.0, np.array([slope])))

    found = strong_wolfe(at, at(0.0), 4e-9, np.inf, curvature=0.1)
    assert found is None or abs(found.length - 1e-9) <= 1e-10
    accepted = strong_wolfe(at, at(0.0), 1.02e-9, np.inf, curvature=0.1)
    assert accepted is not None


def _steep(bounds=None):
    return objective(lambda x: float(np.sum(x**4)), grad=lambda x: 4 * x**3, bounds=bounds).sized(2)


def test_backtracking_meets_armijo():
    problem = _steep()
    x = np.array([1.0, 2.0])
    point = Point(x, problem.value(x), problem.grad(x))
    found = backtrack(problem, box_of(problem), point, -point.gradient, 1.0, 0.1)
    assert found is not None
    step = found.point.x - x
    assert found.value <= point.value + 0.1 * float(point.gradient @ step)
    # Twice as far would not do.
    longer = x + 2 * step
    assert problem.value(longer) > point.value + 0.1 * float(point.gradient @ (2 * step))


def test_backtracking_bends_at_bounds():
    problem = _steep(bounds=[(0.9, None), (None, None)])
    x = np.array([1.0, 2.0])
    point = Point(x, problem.value(x), problem.grad(x))
    found = backtrack(problem, box_of(problem), point, -point.gradient, 1.0, 1e-4)
    assert found is not None
    assert found.point.x[0] == 0.9
    assert found.value < point.value


def test_backtracking_gives_up_uphill():
    problem = _steep()
    x = np.array([1.0, 2.0])
    point = Point(x, problem.value(x), problem.grad(x))
    assert backtrack(problem, box_of(problem), point, point.gradient, 1.0, 1e-4) is None


def test_along_a_direction():
    problem = _steep()
    x, direction = np.array([1.0, 2.0]), np.array([1.0, -1.0])
    point = Point(x, problem.value(x), problem.grad(x))
    trial = along(problem, box_of(problem), point, direction)(0.5)
    np.testing.assert_array_equal(trial.point.x, [1.5, 1.5])
    assert trial.value == 2 * 1.5**4
    assert trial.slope == 0
