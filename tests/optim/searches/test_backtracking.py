"""Armijo's rule, straight and along a path that bounds bend."""

from __future__ import annotations

import numpy as np

from symopt.optim import Point, objective
from symopt.optim.bounds import box_of
from symopt.optim.searches.backtracking import backtrack


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
