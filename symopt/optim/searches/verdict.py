"""What it means that a search finds nothing: the noise floor, or a wall."""

from __future__ import annotations

from symopt.optim.optimizer import Status
from symopt.optim.problem import Point, Vector
from symopt.optim.rounding import relative_change

# This is the noise floor if the step promises at most this fraction of the objective (1e-5
# sqrt(dof) standard errors), or moves no parameter by more than that fraction of its size (an
# objective near zero, whose relative rounding is large).
_NEAR_DECREASE = 1e-10
_NEAR_STEP = 1e-7


def at_noise_floor(point: Point, step: Vector, sizes: Vector) -> bool:
    """Whether the step that should have lowered the objective was about rounding only."""
    promised = -float(point.gradient @ step)
    if not promised > 0:
        return False
    return is_negligible(point, step) or is_short(point, step, sizes)


def is_negligible(point: Point, step: Vector) -> bool:
    """Whether a step changes the objective by next to nothing, to first order."""
    return abs(float(point.gradient @ step)) <= _NEAR_DECREASE * abs(point.value)


def is_short(point: Point, step: Vector, sizes: Vector) -> bool:
    """Whether a step moves no parameter by more than a small part of its size."""
    return relative_change(point.x, step, sizes) <= _NEAR_STEP


def verdict(point: Point, step: Vector, sizes: Vector) -> Status:
    """How a run ends where no step lowers the objective, not even down the gradient."""
    return Status.PRECISION if at_noise_floor(point, step, sizes) else Status.STALLED
