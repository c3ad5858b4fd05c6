"""Armijo's rule: shorter and shorter steps, until one lowers the objective enough."""

from __future__ import annotations

from symopt.optim.bounds import Box
from symopt.optim.problem import Point, Problem, Vector
from symopt.optim.searches.line import Trial


def backtrack(
    problem: Problem, box: Box, point: Point, direction: Vector, first: float, decrease: float
) -> Trial | None:
    """The first of the lengths first, first/2, first/4, ... that lowers the objective enough.

    Enough is Armijo's rule along the path bent by the bounds: at least `decrease` times what the
    gradient promises for the step really taken. None if rounding is reached before.
    """
    length = first
    for _ in range(100):
        x = box.move(point.x, length * direction)
        promised = float(point.gradient @ (x - point.x))
        if not promised < 0:
            return None
        value = problem.value(x)
        if value <= point.value + decrease * promised and value < point.value:
            reached = Point(x, value, problem.grad(x))
            if reached.finite:
                return Trial(length, value, float(reached.gradient @ direction), reached)
        length /= 2
    return None
