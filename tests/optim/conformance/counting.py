"""How much a minimizer computes on its way to a minimum: ours and SciPy's, counted alike."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import optimize

from symopt.diagnostics import SymoptError
from symopt.optim import minimize
from tests.optim.conformance.problems import Case


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run came to: the minimum it ended in, if any, and its evaluations.

    `values` and `gradients` are those of the whole run, `values_there` and `gradients_there` those
    until it was first within the tolerance of that minimum. Residuals count as a value, their
    Jacobian as a gradient.
    """

    value: float
    minimum: float | None
    values: int
    gradients: int
    hessians: int
    values_there: int | None
    gradients_there: int | None
    ended: str  # in the minimizer's words

    @property
    def reached(self) -> bool:
        return self.minimum is not None


@dataclass(slots=True, eq=False)
class Counted:
    """A problem whose evaluations are counted."""

    case: Case
    values: int = 0
    gradients: int = 0
    hessians: int = 0
    seen: list[tuple[float, int, int]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.case.problem, name)

    def _saw(self, value: float) -> None:
        if self.case.reached(value) is not None:
            self.seen.append((value, self.values, self.gradients))

    def value(self, p: np.ndarray) -> float:
        self.values += 1
        value = self.case.problem.value(p)
        self._saw(value)
        return value

    def residuals(self, p: np.ndarray) -> np.ndarray:
        self.values += 1
        residuals = self.case.problem.residuals(p)
        self._saw(float(residuals @ residuals))
        return residuals

    def value_and_grad(self, p: np.ndarray) -> tuple[float, np.ndarray]:
        self.values += 1
        self.gradients += 1
        value, gradient = self.case.problem.value_and_grad(p)
        self._saw(value)
        return value, gradient

    def grad(self, p: np.ndarray) -> np.ndarray:
        self.gradients += 1
        return self.case.problem.grad(p)

    def jac(self, p: np.ndarray) -> np.ndarray:
        self.gradients += 1
        return self.case.problem.jac(p)

    def gauss_newton(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.gradients += 1
        return self.case.problem.gauss_newton(p)

    def hess(self, p: np.ndarray) -> np.ndarray:
        self.hessians += 1
        return self.case.problem.hess(p)

    def hvp(self, p: np.ndarray, v: np.ndarray) -> np.ndarray:
        self.hessians += 1
        return self.case.problem.hvp(p, v)

    def gnvp(self, p: np.ndarray, v: np.ndarray) -> np.ndarray:
        self.hessians += 1
        return self.case.problem.gnvp(p, v)

    def tally(self, value: float, ended: str, values: int, gradients: int) -> Tally:
        """The counts of a run that ended with a value after so many evaluations."""
        minimum = self.case.reached(value)
        first = next((s for s in self.seen if self.case.reached(s[0]) == minimum), None)
        there = (None, None) if minimum is None or first is None else first[1:]
        return Tally(value, minimum, values, gradients, self.hessians, there[0], there[1], ended)


@functools.cache
def ours(case: Case, method: str, max_iter: int | None = None) -> Tally | None:
    """Our method with its defaults; None where it refuses the problem."""
    counted = Counted(case)
    try:
        result = minimize(counted, method, x0=case.start, max_iter=max_iter)
    except SymoptError:
        return None
    return counted.tally(result.fun, result.message, result.nfev, result.njev)


@functools.cache
def scipy_least_squares(case: Case, method: str, tolerance: float = 1e-8) -> Tally | None:
    """SciPy's `least_squares` with our Jacobian; None where it fails."""
    counted = Counted(case)
    return _tallied(
        counted,
        lambda: optimize.least_squares(
            counted.residuals,
            case.start,
            counted.jac,
            method=method,
            ftol=tolerance,
            xtol=tolerance,
            gtol=tolerance,
            max_nfev=2_000,
        ),
        lambda result: 2 * result.cost,
    )


@functools.cache
def scipy_minimize(case: Case, method: str, tight: bool = True) -> Tally | None:
    """SciPy's `minimize` with our gradient, within the bounds; None where it fails.

    Its default tolerances end it far from minima of little curvature; tight ones let it go on.
    """
    options: dict[str, float] = {"gtol": 1e-9, "maxiter": 3_000} if tight else {}
    if tight and method == "L-BFGS-B":
        options |= {"ftol": 1e-15, "maxfun": 10_000}
    counted = Counted(case)
    lower, upper = case.problem.bounds
    bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())
    return _tallied(
        counted,
        lambda: optimize.minimize(
            counted.value_and_grad,
            case.start,
            jac=True,
            method=method,
            bounds=optimize.Bounds(lower, upper) if bounded else None,
            options=options,
        ),
        lambda result: result.fun,
    )


def _tallied(
    counted: Counted, run: Callable[[], Any], value: Callable[[Any], float]
) -> Tally | None:
    # Overflow at trial points is for the minimizer to handle, and SciPy warns of more.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = run()
        except ValueError:  # non-finite residuals
            return None
    return counted.tally(float(value(result)), result.message, result.nfev, result.njev)
