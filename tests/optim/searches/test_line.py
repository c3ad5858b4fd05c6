"""The objective along a line, and when a length is good enough."""

from __future__ import annotations

import numpy as np

from symopt.optim import Point, objective
from symopt.optim.bounds import box_of
from symopt.optim.searches.line import Trial, WolfeConditions, along, progress


def test_along_a_direction():
    problem = objective(lambda x: float(np.sum(x**4)), grad=lambda x: 4 * x**3).sized(2)
    x, direction = np.array([1.0, 2.0]), np.array([1.0, -1.0])
    point = Point(x, problem.value(x), problem.grad(x))
    trial = along(problem, box_of(problem), point, direction)(0.5)
    np.testing.assert_array_equal(trial.point.x, [1.5, 1.5])
    assert trial.value == 2 * 1.5**4
    assert trial.slope == 0


def _trial(length, value, slope):
    return Trial(length, value, slope, Point(np.array([length]), value, np.array([slope])))


def test_conditions():
    conditions = WolfeConditions(_trial(0.0, 1.0, -1.0), decrease=0.1, curvature=0.5)
    assert conditions.lowers(_trial(1.0, 0.9, -1.0))
    assert not conditions.lowers(_trial(1.0, 0.91, -1.0))
    assert conditions.flat(_trial(1.0, 0.0, 0.5))
    assert conditions.flat(_trial(1.0, 0.0, -0.5))
    assert not conditions.flat(_trial(1.0, 0.0, 0.51))


def test_progress_is_what_is_lower():
    start = _trial(0.0, 1.0, -1.0)
    assert progress(start, start) is None
    lower = _trial(1.0, 0.5, -1.0)
    assert progress(start, lower) is lower
