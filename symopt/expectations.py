"""What a program expects of its fit, held against the fit: the `expect` lines, evaluated."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from symopt.diagnostics import DerivativeUnavailable, Diagnostic, Kind, Label, SymoptError
from symopt.typed.program import Expectation, Finite, Quantity
from symopt.types import evaluate

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from symopt.problem import Problem

# A fit that misses what is expected is continued from where it ended, down to rounding.
_TIGHT = 1e-14


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation beside what was found, with everything there is to say about it.

    `found` is None where there is no such number, `allowed` the greatest distance from what is
    expected: 0 for an order. `fit` says how the fit went, None where there was none; `remedy` what
    can be done, if anything is known.
    """

    expectation: Expectation | Finite
    ok: bool
    found: float | None
    allowed: float
    message: str
    fit: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        span = self.expectation.span
        story = f". The fit: {self.fit}" if self.fit else ""
        return f"{span.source.name}:{span.line}: {self.expectation.text}: {self.message}{story}"

    @property
    def diagnostic(self) -> Diagnostic:
        """The outcome as a mistake with its place."""
        return Diagnostic(
            Kind.DATA,
            "expectation",
            self.message,
            (Label(self.expectation.span),),
            (f"the fit: {self.fit}",) if self.fit else (),
            self.remedy,
        )


def evaluate_expectations(
    problem: Problem, expectations: Iterable[Expectation | Finite] | None = None
) -> tuple[Outcome, ...]:
    """An outcome for each expectation of the program, or of those given, from one fit."""
    judge = Judge(problem)
    wanted = problem.model.expectations if expectations is None else expectations
    return tuple(judge.outcome(expectation) for expectation in wanted)


class Judge:
    """Evaluates expectations of a problem; the fit is made once, when it is first needed."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def outcome(self, expectation: Expectation | Finite) -> Outcome:
        """What became of an expectation. Nothing is raised for what the program cannot do."""
        match expectation:
            case Finite():
                why = nonfinite_start(self.problem)
                message = "value and gradient are finite at the start" if why is None else why
                return Outcome(expectation, why is None, None, 0.0, message)
            case Expectation():
                return self._compared(expectation)
            case _:
                assert_never(expectation)

    def _compared(self, expectation: Expectation) -> Outcome:
        try:
            outcome = self._at(expectation, self._first)
            if not outcome.ok and self._first.success and self._second is not None:
                outcome = self._at(expectation, self._second)
        except SymoptError as error:
            text = "; ".join(diagnostic.message for diagnostic in error.diagnostics)
            remedy = error.diagnostics[0].help
            return Outcome(expectation, False, None, 0.0, f"there is no fit: {text}", None, remedy)
        return outcome

    @cached_property
    def _first(self) -> OptimizeResult:
        return _fit(self.problem)

    @cached_property
    def _second(self) -> OptimizeResult | None:
        """The fit continued with a tighter tolerance; None where that makes it no better."""
        first = self._first
        second = _fit(self.problem, x0=first.x, tol=_TIGHT)
        sign = -1 if self.problem.maximize else 1
        return second if sign * second.fun <= sign * first.fun else None

    def _at(self, expectation: Expectation, fit: OptimizeResult) -> Outcome:
        """The expectation beside the numbers of a fit."""
        story = _story(self._first)
        found = self._number(expectation.quantity, fit)
        if isinstance(found, str):
            return Outcome(expectation, False, None, 0.0, found, story)
        allowed = _allowed(expectation)
        ok = _holds(expectation, found, allowed)
        message = _distance(expectation, found, allowed, ok=ok)
        remedy = None if ok else _remedy(expectation, found, converged=bool(self._first.success))
        return Outcome(expectation, ok, found, allowed, message, story, remedy)

    def _number(self, quantity: Quantity, fit: OptimizeResult) -> float | str:
        """The number that a quantity is, or why there is none."""
        if quantity.kind == "objective":
            return float(fit.fun)
        try:
            array = self._array(quantity, fit)
        except DerivativeUnavailable as error:
            return error.diagnostics[0].message
        if array is None:
            return f"there are no standard errors: {fit.message}"
        origin = self.problem.model.origins.get(quantity.name, ())
        dims = self.problem.dims
        place = [int(evaluate(part, dims, {}, {})) for part in quantity.place]
        lows = [int(evaluate(part, dims, {}, {})) for part in origin] or [0] * len(place)
        for index, low, extent in zip(place, lows, array.shape, strict=True):
            if not low <= index < low + extent:
                return (
                    f"index {index} of `{quantity.name}` is outside of its axis, "
                    f"which has {low} to {low + extent - 1}"
                )
        return float(array[tuple(index - low for index, low in zip(place, lows, strict=True))])

    def _array(self, quantity: Quantity, fit: OptimizeResult) -> np.ndarray[Any, Any] | None:
        """A parameter or definition at the fit, or its standard errors, None without any."""
        name = quantity.name
        if quantity.kind == "value":
            return np.asarray(self.problem.eval(name, fit.x))
        if "covariance" not in fit:
            return None
        if name in fit.stderr:
            return np.asarray(fit.stderr[name])
        return np.asarray(self.problem.stderr_of(name, fit.x, fit.covariance))


def nonfinite_start(problem: Problem) -> str | None:
    """Why value or gradient is not finite at the start; None if both are."""
    start = problem.x0
    missing = [name for name, entry in zip(problem.names, start, strict=True) if np.isnan(entry)]
    if missing:
        return f"{missing[0]} has no start: write `init` behind its declaration"
    try:
        value, gradient = problem.value_and_grad(start)
    except SymoptError as error:
        return error.diagnostics[0].message
    if math.isfinite(value) and np.isfinite(gradient).all():
        return None
    return problem.explain_nonfinite(start) or f"the value at the start is {value}"


def _fit(problem: Problem, **options: Any) -> OptimizeResult:
    from symopt.optim import minimize

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the message of the fit says what matters
        return minimize(problem, **options)


def _allowed(expectation: Expectation) -> float:
    scale = abs(expectation.value) if expectation.value else 1.0
    return expectation.tolerance * scale


def _holds(expectation: Expectation, found: float, allowed: float) -> bool:
    value = expectation.value
    if not math.isfinite(found):
        return False
    match expectation.comparison:
        case "==":
            return abs(found - value) <= allowed
        case "<":
            return found < value
        case "<=":
            return found <= value
        case ">":
            return found > value
        case ">=":
            return found >= value
        case _:
            assert_never(expectation.comparison)


# ── words ────────────────────────────────────────────────────────────────────────────────────

_NOT = {"<": "not below", "<=": "above", ">": "not above", ">=": "below"}


def _distance(expectation: Expectation, found: float, allowed: float, *, ok: bool) -> str:
    """What was found, and how that compares."""
    away = abs(found - expectation.value)
    shown = f"{found:.11g}" if ok else _digits(found, away)
    if expectation.comparison != "==":
        word = "" if ok else f", which is {_NOT[expectation.comparison]} {expectation.value:.12g}"
        return f"found {shown}{word}"
    if math.isnan(found):
        return f"found {shown}"
    limit = "is" if ok else "would be"
    return f"found {shown}, which is {away:.5g} away; {allowed:.3g} {limit} allowed"


def _digits(number: float, difference: float) -> str:
    """A number with so many digits that a difference shows."""
    few = f"{number:.11g}"
    return few if abs(float(few) - number) <= difference / 10 else repr(number)


def _story(fit: OptimizeResult) -> str:
    """How the fit went."""
    end = "converged" if fit.success else "did NOT converge"
    steps = "1 iteration" if fit.nit == 1 else f"{fit.nit} iterations"
    return f"{fit.method}, {end} after {steps} ({fit.message})"


def _remedy(expectation: Expectation, found: float, *, converged: bool) -> str | None:
    """What to do about an expectation that is not met."""
    if not converged:
        return "see how the fit goes with `symopt fit`: another start or method may do"
    if expectation.comparison != "==" or not math.isfinite(found):
        return None
    name = expectation.text.partition("==")[0].rstrip()
    within = f"within {expectation.tolerance:g}" if expectation.tolerance else "within 1e-9"
    return f"if what was found is right, write `{name} == {found:.11g} {within}`"
