"""Coordinate descent: one unknown after another goes to the minimum along its axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import Box, box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_choice
from symopt.optim.problem import (
    Needs,
    Point,
    Problem,
    Vector,
    evaluate,
    evaluate_value,
    typical_sizes,
)
from symopt.optim.searches.exact import exact
from symopt.optim.searches.golden import golden_section
from symopt.optim.searches.line import Trial, along

_NAME = "coordinate-descent"
_FIRST = 0.1  # of its size: the first trial of an unknown
_ACCURACY = 1e-2  # of the first trial, to which golden section finds a minimum
_SHRINKING = 0.1  # of the first trial, for the next sweep, where it finds nothing lower
_LEAST = 1e-9  # of its size: an unknown is not moved by less


@dataclass(frozen=True, slots=True, eq=False)
class CoordinateDescentState:
    point: Point
    trials: Vector  # how far the next search first goes along each axis
    sizes: Vector  # typical sizes of the parameters
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class CoordinateDescent:
    """A step is a sweep: each unknown in turn goes to the minimum along its axis.

    "golden-section" needs values only; its accuracy goes with the lengths of the last moves.
    "exact" brings the derivative along the axis to zero, and needs gradients. Coupled unknowns
    make it slow; a minimum along all axes is one only where the objective is smooth.
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-8, step=1e-9)
    max_iter: ClassVar[int] = 5_000

    search: Literal["golden-section", "exact"] = "golden-section"

    def __post_init__(self) -> None:
        check_choice(("golden-section", "exact"), _NAME, search=self.search)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> CoordinateDescentState:
        sizes = typical_sizes(problem, x)
        if self.search == "golden-section":
            point = evaluate_value(problem, x)
        else:
            missing = Needs.GRADIENT & ~problem.provides
            if missing:
                raise errors.missing_capability(_NAME, missing)
            point = evaluate(problem, x)
        return CoordinateDescentState(point, _FIRST * sizes, sizes)

    def step(self, problem: Problem, state: CoordinateDescentState) -> CoordinateDescentState:
        box, trials = box_of(problem), state.trials.copy()
        least = _LEAST * np.maximum(np.abs(state.point.x), state.sizes)
        while True:
            point = state.point
            for axis in range(len(point.x)):
                reached = self._along_axis(problem, box, point, axis, float(trials[axis]))
                moved = 0.0 if reached is None else float(abs(reached.x[axis] - point.x[axis]))
                trials[axis] = moved or _SHRINKING * trials[axis]
                point = point if reached is None else reached
            trials = np.maximum(trials, least)
            if point is not state.point:
                return replace(state, point=point, trials=trials)
            if bool((trials <= least).all()):
                return replace(state, outcome=Status.PRECISION)

    def _along_axis(
        self, problem: Problem, box: Box, point: Point, axis: int, first: float
    ) -> Point | None:
        """The minimum along an axis; None where nothing is lower."""
        unit = np.zeros_like(point.x)
        unit[axis] = 1.0
        if self.search == "golden-section":
            down, up = box.reach(point.x)
            found = golden_section(
                lambda length: problem.value(box.move(point.x, length * unit)),
                point.value,
                first,
                -float(down[axis]),
                float(up[axis]),
                tolerance=_ACCURACY * first,
            )
            if found is None:
                return None
            return Point(box.move(point.x, found.length * unit), found.value, point.gradient)
        slope = float(point.gradient[axis])
        if slope == 0 or box.active(point.x, point.gradient)[axis]:
            return None
        direction = -np.sign(slope) * unit
        at = along(problem, box, point, direction)
        start = Trial(0.0, point.value, -abs(slope), point)
        trial = exact(at, start, first, box.longest(point.x, direction))
        return None if trial is None or not trial.value < point.value else trial.point


METHOD = Method(
    name=_NAME,
    family="derivative-free",
    order=0,
    optimizer=CoordinateDescent,
    source="Luenberger, Linear and Nonlinear Programming (1984), sec. 7.9; Kiefer 1953",
    bounds=True,
)
