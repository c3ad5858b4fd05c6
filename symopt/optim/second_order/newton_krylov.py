"""Newton-Krylov: Newton's step by conjugate gradients, from products with the Hessian alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from symopt.optim import errors
from symopt.optim.linear.conjugate import conjugate_gradients
from symopt.optim.optimizer import Method, Stopping
from symopt.optim.options import check_choice, check_decay
from symopt.optim.problem import Mask, Needs, Problem, Vector
from symopt.optim.rounding import EPSILON
from symopt.optim.schedules import ScheduleLike
from symopt.optim.second_order.descent import (
    DescentState,
    SearchOrNone,
    check_descent,
    descended,
    started,
)
from symopt.optim.second_order.quadratic import filled


@dataclass(frozen=True, slots=True)
class NewtonKrylov:
    """H s = -g, solved only as well as it pays; then a search along s.

    Conjugate gradients end at |H s + g| <= min(forcing, sqrt(|g| / |g₀|)) |g|, so that the last
    steps converge superlinearly, or before the first direction of negative curvature: then s is
    what they have reached, -g at least. `product` says what products are: "hvp" by derivatives,
    "complex-step" by Im ∇f(p + iεv)/ε (slow, to compare), or "gauss-newton" with G for H.
    Lengths are measured in typical sizes.
    """

    needs: ClassVar[Needs] = Needs.VALUE | Needs.GRADIENT | Needs.HVP
    stopping: ClassVar[Stopping] = Stopping(gradient=1e-10, step=EPSILON, value=EPSILON)
    max_iter: ClassVar[int] = 5_000

    rate: float = 1.0
    schedule: ScheduleLike = "constant"
    product: Literal["hvp", "complex-step", "gauss-newton"] = "hvp"
    forcing: float = 0.5
    search: SearchOrNone = "more-thuente"

    def __post_init__(self) -> None:
        known = ("hvp", "complex-step", "gauss-newton")
        check_choice(known, "newton-krylov", product=self.product)
        check_decay("newton-krylov", forcing=self.forcing)
        check_descent("newton-krylov", self.rate, self.schedule, self.search)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> DescentState:
        wanted = {"complex-step": Needs.COMPLEX_STEP, "gauss-newton": Needs.GAUSS_NEWTON}
        missing = wanted.get(self.product, Needs(0)) & ~problem.provides
        if missing:
            raise errors.missing_capability(f'newton-krylov with product="{self.product}"', missing)
        return started(problem, x, self.rate, self.schedule)

    def step(self, problem: Problem, state: DescentState) -> DescentState:
        point, nothing = state.point, np.zeros_like(state.sizes)
        multiply = {
            "hvp": problem.hvp,
            "complex-step": problem.hvp_complex_step,
            "gauss-newton": problem.gnvp,
        }[self.product]

        def among(free: Mask) -> Vector:
            sizes = state.sizes[free]
            right = -sizes * point.gradient[free]
            found = conjugate_gradients(
                lambda v: sizes * multiply(point.x, filled(nothing, free, sizes * v))[free],
                right,
                tolerance=forcing_term(self.forcing, right, state),
                most=2 * len(right) + 10,
            )
            step = right if found is None else found.solution
            return filled(nothing, free, sizes * step)

        return descended(problem, state, among, self.search)


def forcing_term(most: float, right: Vector, state: DescentState) -> float:
    """min(most, sqrt(|g| / |g₀|)), and not below rounding."""
    ratio = float(np.linalg.norm(right)) / state.steepness if state.steepness > 0 else 1.0
    return max(min(most, float(np.sqrt(ratio))), 1e-12)


METHOD = Method(
    name="newton-krylov",
    family="second order",
    order=2,
    optimizer=NewtonKrylov,
    source="Dembo and Steihaug, Math. Prog. 26 (1983) 190; Nocedal and Wright 2006, ch. 7.1",
    bounds=True,
    aliases=("Newton-CG",),
)
