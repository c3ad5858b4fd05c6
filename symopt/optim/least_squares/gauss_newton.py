"""Gauss-Newton: undamped or damped steps by the curvature of the loss through the cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from symopt.optim import errors
from symopt.optim.linear.conjugate import conjugate_gradients
from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_choice, check_decay
from symopt.optim.problem import Mask, Matrix, Needs, Problem, Vector
from symopt.optim.rounding import EPSILON
from symopt.optim.schedules import ScheduleLike
from symopt.optim.second_order.definite import solve_least_norm
from symopt.optim.second_order.descent import (
    DescentState,
    Direction,
    SearchOrNone,
    check_descent,
    descended,
    started,
)
from symopt.optim.second_order.newton_krylov import forcing_term
from symopt.optim.second_order.quadratic import filled

_LARGEST_JACOBIAN = 1 << 24  # entries; beyond, G is formed from its products (128 MB)
_LARGEST_MATRIX = 1_000  # columns of G; beyond, it is used by products


@dataclass(frozen=True, slots=True)
class GaussNewton:
    """w -= η G⁺ g with G = J'H_l J, H_l the loss's curvature at the cut; for squares, w -= η J⁺ r.

    For any loss of a marked model (softmax log-loss: H_l = Diag(Q) - QQ'). G⁺ is the
    pseudo-inverse: where G has no full rank, the shortest step. `factor` says how steps are
    computed: from the singular values of J ("svd"), from G ("normal"), by products with G and
    conjugate gradients ("krylov", to |G s + g| <= min(forcing, sqrt(|g| / |g₀|)) |g|), or by what
    the problem provides and its size. The step's length is searched for from η = `rate` on;
    `search="none"` is the formula as it stands.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.GAUSS_NEWTON
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-10, step=EPSILON, value=EPSILON)
    max_iter: ClassVar[int] = 2_000

    rate: float = 1.0
    schedule: ScheduleLike = "constant"
    factor: Literal["auto", "svd", "normal", "krylov"] = "auto"
    forcing: float = 0.1
    search: SearchOrNone = "more-thuente"

    def __post_init__(self) -> None:
        check_choice(("auto", "svd", "normal", "krylov"), "gauss-newton", factor=self.factor)
        check_decay("gauss-newton", forcing=self.forcing)
        check_descent("gauss-newton", self.rate, self.schedule, self.search)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> DescentState:
        if self.factor == "svd" and Needs.RESIDUALS not in problem.provides:
            raise errors.missing_capability('gauss-newton with factor="svd"', Needs.RESIDUALS)
        return started(problem, x, self.rate, self.schedule)

    def step(self, problem: Problem, state: DescentState) -> DescentState:
        return descended(problem, state, self._direction(problem, state), self.search)

    def _direction(self, problem: Problem, state: DescentState) -> Direction:
        x, factor = state.point.x, self.factor
        if factor in ("auto", "svd") and Needs.RESIDUALS in problem.provides:
            residuals = problem.residuals(x)
            if factor == "svd" or len(residuals) * len(x) <= _LARGEST_JACOBIAN:
                return _by_jacobian(problem.jac(x), residuals)
        if factor == "krylov" or (factor == "auto" and len(x) > _LARGEST_MATRIX):
            return _by_products(problem, state, self.forcing)
        return _by_matrix(problem.gauss_newton(x)[0], state.point.gradient)


def _by_jacobian(jacobian: Matrix, residuals: Vector) -> Direction:
    def among(free: Mask) -> Vector:
        columns = jacobian[:, free]
        if not np.isfinite(columns).all():
            return np.full(len(free), np.nan)
        return filled(np.zeros(len(free)), free, -shortest_solution(columns, residuals))

    return among


def shortest_solution(columns: Matrix, right: Vector) -> Vector:
    """columns⁺ right; judged with columns of length 1, and only without full rank as it is."""
    sizes = np.linalg.norm(columns, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    solution, _, rank, _ = np.linalg.lstsq(columns / sizes, right, rcond=None)
    if rank == columns.shape[1]:
        return np.asarray(solution / sizes, np.float64)
    return np.asarray(np.linalg.lstsq(columns, right, rcond=None)[0], np.float64)


def _by_matrix(matrix: Matrix, gradient: Vector) -> Direction:
    def among(free: Mask) -> Vector:
        found = solve_least_norm(matrix[np.ix_(free, free)], -gradient[free])
        return filled(np.zeros(len(free)), free, found)

    return among


def _by_products(problem: Problem, state: DescentState, forcing: float) -> Direction:
    """Conjugate gradients stay among the combinations of Gg, GGg, ...: the solution is shortest."""
    point, nothing = state.point, np.zeros_like(state.sizes)

    def among(free: Mask) -> Vector:
        right = -point.gradient[free]
        scaled = state.sizes[free] * right
        found = conjugate_gradients(
            lambda v: problem.gnvp(point.x, filled(nothing, free, v))[free],
            right,
            tolerance=forcing_term(forcing, scaled, state),
            most=2 * len(right) + 10,
        )
        return filled(nothing, free, right if found is None else found.solution)

    return among


METHOD = Method(
    name="gauss-newton",
    family="least squares",
    order=1,
    optimizer=GaussNewton,
    source="Gauss 1809; Schraudolph, Neural Computation 14 (2002) 1723; Nocedal and Wright, ch. 10",
    bounds=True,
)
