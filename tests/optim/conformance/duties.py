"""Which of the published minima each method has to reach, and why not all: said here alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from symopt.optim import METHODS
from symopt.optim.optimizer import Method
from tests.optim.conformance.problems import ABSOLUTE, RELATIVE, Case


@dataclass(frozen=True, slots=True)
class Duty:
    """What is asked of a method from the standard starts.

    Reaching is judged as for all methods (see problems), but for `fraction`.
    """

    reason: str = ""
    condition: float = np.inf  # of the Hessian at the minimum: problems up to this one
    fraction: float = 0.0  # of the decrease from the start that may be left
    excused: tuple[str, ...] = ()  # problems, beside those

    def includes(self, case: Case) -> bool:
        return case.name not in self.excused and condition_number(case) <= self.condition

    def fulfilled(self, case: Case, value: float) -> bool:
        start = case.problem.value(case.start)
        return any(
            value - least <= max(RELATIVE * abs(least), ABSOLUTE, self.fraction * (start - least))
            for least in case.values
        )


ALL = Duty()
QUASI_NEWTON = Duty(
    "the approximate Hessian has the digits that differences of gradients have: "
    "some 16, less those of the condition number",
    condition=1e11,
)
CONJUGATE = Duty(
    "the rate goes with the square root of the condition number, and n steps end nothing where "
    "the function is far from quadratic",
    condition=1e8,
)
LINEAR = Duty(
    "the rate is linear, (κ - 1)/(κ + 1) a step: some 10 κ steps for 1e-6 once the valley is "
    "reached, which shall be a few thousand",
    condition=200.0,
    fraction=1e-6,
)
SIGNS = Duty(
    "steps depend on signs, so their size has to be found for each coordinate alone; "
    "they end where steps are 1e-6 or so",
    condition=200.0,
    fraction=1e-6,
)
DUTIES: dict[str, Duty] = {
    "gradient-descent": LINEAR,
    "steepest-descent": LINEAR,
    "preconditioned-descent": LINEAR,
    "momentum": LINEAR,
    "nesterov": LINEAR,
    "cg-fletcher-reeves": CONJUGATE,
    "cg-polak-ribiere": CONJUGATE,
    "cg-hestenes-stiefel": CONJUGATE,
    "cg-dai-yuan": CONJUGATE,
    "cg-hager-zhang": CONJUGATE,
    "bfgs": QUASI_NEWTON,
    "l-bfgs": QUASI_NEWTON,
    "l-bfgs-b": QUASI_NEWTON,
    "gauss-newton": Duty(
        "without damping it ends where the Jacobian loses its rank on the way (Powell 1970); "
        "Freudenstein and Roth's and the exponentials' do",
        excused=("freudenstein_roth", "gulf", "biggs_exp6"),
    ),
    "natural-gradient": Duty(
        "its metric is of distributions: for a sum of squares as one sample, its Fisher matrix of "
        "rank one is no curvature",
        condition=0.0,
    ),
    "gradient-covariance": Duty(
        "the covariance of the residuals' gradients is no curvature either where residuals vanish",
        condition=0.0,
    ),
    "rprop": SIGNS,
    "supersab": SIGNS,
    "delta-bar-delta": SIGNS,
    "silva-almeida": SIGNS,
    "quickprop": SIGNS,
}


def takes(method: Method, case: Case) -> bool:
    """Whether a problem has all that a method needs."""
    return not method.needs & ~case.problem.provides


def duty(method: Method) -> Duty:
    """What is asked of a method: everything, where nothing is said."""
    return DUTIES.get(method.name, ALL)


def descents() -> tuple[Method, ...]:
    """The methods that descend along derivatives, without chance."""
    return tuple(method for method in METHODS if not method.stochastic and method.order > 0)


def condition_number(case: Case) -> float:
    """Of the Hessian at the best minimum of the nicest kind; infinite where it is singular."""
    return min(_condition(case.name, index, case) for index in range(len(case.minima)))


@functools.cache
def _condition(name: str, index: int, case: Case) -> float:
    lowest, *_, highest = np.linalg.eigvalsh(case.problem.hess(case.minima[index]))
    return float(highest / lowest) if lowest > 0 else np.inf
