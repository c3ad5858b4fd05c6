"""Preconditioned descent: down the gradient in coordinates where the curvature is more even."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from symopt.optim import errors
from symopt.optim.bounds import Box, box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.problem import (
    Mask,
    Needs,
    Point,
    Problem,
    Vector,
    dense_hessian,
    evaluate,
    typical_sizes,
)
from symopt.optim.rounding import EPSILON
from symopt.optim.schedules import Pace, ScheduleLike, check_rate, pace_of
from symopt.optim.searches.choice import Search, check_search, search
from symopt.optim.searches.verdict import verdict

_NAME = "preconditioned-descent"
_LEAST = 1e-4  # the least curvature, of the largest, that a diagonal is taken to have
_LEAST_EIGENVALUE = 1e-10
Metric = NDArray[np.float64]  # the diagonal of A, or A


@dataclass(frozen=True, slots=True, eq=False)
class PreconditionedDescentState:
    point: Point
    metric: Metric
    sizes: Vector  # typical sizes of the parameters
    pace: Pace | None  # the rate of fixed steps
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class PreconditionedDescent:
    """w -= η A⁻¹ g: gradient descent on ŵ = A^½ w, written in w.

    `metric` is A: "diagonal" (of the Hessian; of the parameters' sizes as 1/size² where the
    problem has none), "hessian" (the whole of it), both taken anew in each step and made
    positive, or your own: a vector for a diagonal, or a symmetric positive definite matrix.
    `rate` fixes η, and `schedule` says how it goes on; without it a line search begins at η = 1.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-6, step=1e-9, value=EPSILON)
    max_iter: ClassVar[int] = 20_000

    metric: Literal["diagonal", "hessian"] | Any = "diagonal"
    rate: float | None = None
    schedule: ScheduleLike = "constant"
    search: Search = "more-thuente"
    decrease: float = 1e-4
    curvature: float = 0.1

    def __post_init__(self) -> None:
        check_rate(_NAME, self.rate, self.schedule)
        check_search(_NAME, self)
        if isinstance(self.metric, str):
            if self.metric not in ("diagonal", "hessian"):
                expected = "'diagonal', 'hessian', a vector or a matrix"
                raise errors.bad_option(_NAME, "metric", self.metric, expected)
        else:
            _check_positive(_given(self.metric))

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> PreconditionedDescentState:
        if isinstance(self.metric, str):
            missing = Needs.HESSIAN & ~problem.provides
            if self.metric == "hessian" and missing and Needs.HVP not in problem.provides:
                raise errors.missing_capability(_NAME, missing)
        elif len(_given(self.metric)) != len(x):
            raise errors.wrong_length("metric", len(_given(self.metric)), len(x))
        point, sizes = evaluate(problem, x), typical_sizes(problem, x)
        pace = None if self.rate is None else pace_of(self.rate, self.schedule)
        return PreconditionedDescentState(point, self._metric(problem, x, sizes), sizes, pace)

    def step(
        self, problem: Problem, state: PreconditionedDescentState
    ) -> PreconditionedDescentState:
        box, point = box_of(problem), state.point
        direction = _direction(box, point, state.metric)
        if state.pace is not None:
            reached = evaluate(problem, box.move(point.x, state.pace.rate * direction))
            stuck = Status.STALLED if np.array_equal(reached.x, point.x) else None
            pace = state.pace.following
            metric = self._metric(problem, reached.x, state.sizes)
            return PreconditionedDescentState(reached, metric, state.sizes, pace, stuck)
        trial = search(self, problem, box, point, direction, 1.0)
        if trial is None:
            return replace(state, outcome=verdict(point, direction, state.sizes))
        metric = self._metric(problem, trial.point.x, state.sizes)
        return replace(state, point=trial.point, metric=metric)

    def _metric(self, problem: Problem, x: Vector, sizes: Vector) -> Metric:
        if not isinstance(self.metric, str):
            return _given(self.metric)
        if not problem.provides & (Needs.HESSIAN | Needs.HVP):
            return 1 / sizes**2
        hessian = dense_hessian(problem, x)
        if not np.isfinite(hessian).all():
            return 1 / sizes**2
        return (
            _positive(hessian) if self.metric == "hessian" else _positive_diagonal(hessian, sizes)
        )


def _given(metric: Any) -> Metric:
    return np.asarray(metric, np.float64)


def _check_positive(metric: Metric) -> None:
    """Refuse what is not the metric of some coordinates."""
    square = metric.ndim == 2 and metric.shape[0] == metric.shape[1]
    if metric.ndim == 1:
        positive = bool((metric > 0).all() and np.isfinite(metric).all())
    else:
        positive = square and bool(np.isfinite(metric).all()) and _definite(metric)
    if not positive:
        expected = "positive numbers, or a symmetric positive definite matrix"
        raise errors.bad_option(_NAME, "metric", metric, expected)


def _definite(matrix: Metric) -> bool:
    symmetric = np.allclose(matrix, matrix.T, rtol=1e-10, atol=0)
    return symmetric and bool(np.linalg.eigvalsh(matrix)[0] > 0)


def _positive_diagonal(hessian: Metric, sizes: Vector) -> Vector:
    """The sizes of the diagonal's entries, none too small beside the others (in like units)."""
    curvatures = np.abs(np.diag(hessian)) * sizes**2
    largest = float(np.max(curvatures, initial=0.0))
    if not largest > 0:
        return 1 / sizes**2
    return np.maximum(curvatures, _LEAST * largest) / sizes**2


def _positive(hessian: Metric) -> Metric:
    """The matrix with the sizes of its eigenvalues, none too small beside the others."""
    values, vectors = np.linalg.eigh(hessian)
    sizes = np.abs(values)
    largest = float(np.max(sizes, initial=0.0)) or 1.0
    return (vectors * np.maximum(sizes, _LEAST_EIGENVALUE * largest)) @ vectors.T


def _direction(box: Box, point: Point, metric: Metric) -> Vector:
    """−A⁻¹ g, among the entries that neither the gradient nor the step itself holds at a bound."""
    gradient = point.gradient
    return box.feasible(point.x, gradient, lambda free: _solved(gradient, metric, free))


def _solved(gradient: Vector, metric: Metric, free: Mask) -> Vector:
    direction = np.zeros_like(gradient)
    if metric.ndim == 1:
        direction[free] = -gradient[free] / metric[free]
    else:
        direction[free] = -np.linalg.solve(metric[np.ix_(free, free)], gradient[free])
    return direction


METHOD = Method(
    name=_NAME,
    family="first order",
    order=1,
    optimizer=PreconditionedDescent,
    source="Bertsekas, Nonlinear Programming, 3rd ed. (2016), sec. 1.3 (scaling)",
    bounds=True,
)
