"""The first rate of a method that was given none, from the curvature where it starts."""

from __future__ import annotations

import numpy as np

from symopt.optim.bounds import Box, box_of
from symopt.optim.problem import (
    Needs,
    Point,
    Problem,
    Vector,
    root_mean_squares,
    typical_sizes,
)

_ROUNDS = 8  # of power iteration at a place, at most
_SETTLED = 0.05  # growth of the largest curvature in a round below which there are no more
_DIFFERENCE = 1e-7  # of the typical sizes: the length of differences of gradients
_HALVINGS = 10  # of the first step down the gradient, until the objective is lower there
_PART = 0.1  # of its size that an unknown may move in a first step of unknown curvature


def first_rate(problem: Problem, point: Point) -> float:
    """Half of 1/L, with L the largest curvature at the start and one step down from there.

    Descent at a fixed rate is stable below 2/L; half of 1/L leaves room for curvature that grows
    on the way. The step down is to the minimum of the parabola along the gradient (halved while
    the objective is higher there): a start in a flat place does not know the curvature ahead.
    Power iterations, on Hessian-vector products where the problem has them and on differences of
    gradients elsewhere, see L from below, soon by little. Where nothing curves, the first step
    moves the fastest unknown by a tenth of its size.
    """
    sizes = typical_sizes(problem, point.x)
    with np.errstate(all="ignore"):
        largest = max(
            _largest_curvature(problem, place, sizes)
            for place in (point, _one_step_down(problem, point, sizes))
        )
        rate = 0.5 / largest if largest > 0 else first_length(point, sizes)
    return rate if 0 < rate < np.inf else 1.0


def first_length(point: Point, sizes: Vector) -> float:
    """The length of a first step down the gradient that moves no unknown by more than a tenth."""
    fastest = float(np.max(np.abs(point.gradient) / sizes, initial=0.0))
    return _PART / fastest if 0 < fastest < np.inf else 1.0


def first_sizes(problem: Problem, point: Point) -> Vector:
    """How far each unknown may have to go: what the rates of scale-free methods are relative to.

    The size of its array at the start, or the step that its array makes down the gradient, if
    that is larger: an array that starts near zero does not show its size.
    """
    with np.errstate(all="ignore"):
        sizes = typical_sizes(problem, point.x)
        step = _one_step_down(problem, point, sizes).x - point.x
    found = np.maximum(
        root_mean_squares(problem, point.x),
        root_mean_squares(problem, step),
    )
    overall = float(np.sqrt(np.mean(found**2))) if found.size else 0.0
    return np.where(found > 0, found, overall or 1.0)


def _largest_curvature(problem: Problem, point: Point, sizes: Vector) -> float:
    """The largest |Hv|/|v| that a few power iterations meet; 0 if they learn nothing."""
    direction = _unit(point.gradient) + 0.3 * _unit(np.cos(np.arange(1.0, len(sizes) + 1)))
    largest = 0.0
    for _ in range(_ROUNDS):
        direction = _unit(direction)
        product = _curved(problem, point, direction, sizes)
        if product is None:
            break
        found, before = float(np.linalg.norm(product)), largest
        largest = max(largest, found)
        direction = product
        if found <= (1 + _SETTLED) * before:
            break
    return largest


def _curved(problem: Problem, point: Point, direction: Vector, sizes: Vector) -> Vector | None:
    """The Hessian times a unit vector, or nearly so; None where that is not finite."""
    if Needs.HVP in problem.provides:
        product = problem.hvp(point.x, direction)
        return product if np.isfinite(product).all() else None
    box = box_of(problem)
    length = _DIFFERENCE / float(np.max(np.abs(direction) / sizes, initial=0.0))
    for signed in (length, -length):
        product = _difference(problem, point, box, signed * direction)
        if product is not None:
            return product
    return None


def _difference(problem: Problem, point: Point, box: Box, step: Vector) -> Vector | None:
    """The change of the gradient along a step, by its length; None where it cannot be had."""
    change = box.move(point.x, step) - point.x
    length = float(np.linalg.norm(change))
    # At a bound most of the step may be cut off; the other way there is room.
    if not length > 0.5 * float(np.linalg.norm(step)):
        return None
    product = (problem.grad(point.x + change) - point.gradient) / length
    return product if np.isfinite(product).all() else None


def _one_step_down(problem: Problem, point: Point, sizes: Vector) -> Point:
    """The minimum of the parabola along the gradient, or nearer; the start if there is none."""
    box = box_of(problem)
    direction = _unit(-box.projected(point.x, point.gradient))
    product = _curved(problem, point, direction, sizes) if direction.any() else None
    curvature = 0.0 if product is None else float(direction @ product)
    if not curvature > 0:
        return point
    length = -float(point.gradient @ direction) / curvature
    for _ in range(_HALVINGS):
        x = box.move(point.x, length * direction)
        if problem.value(x) < point.value:
            value, gradient = problem.value_and_grad(x)
            reached = Point(x, value, gradient)
            return reached if reached.finite else point
        length /= 2
    return point


def _unit(vector: Vector) -> Vector:
    """The vector by its length; zero where it has none that is finite."""
    peak = float(np.max(np.abs(vector), initial=0.0))
    if not 0 < peak < np.inf:
        return np.zeros_like(vector)
    scaled = vector / peak  # whose squares neither under- nor overflow
    return scaled / float(np.linalg.norm(scaled))
