"""The method for a problem, by its structure."""

from __future__ import annotations

from dataclasses import dataclass

from symopt.optim.bounds import box_of
from symopt.optim.methods import find_method
from symopt.optim.optimizer import Method
from symopt.optim.problem import Needs, Problem

# A dense curvature matrix is worth its n² entries per sample for up to this many unknowns.
_DENSE_CURVATURE = 300
_DENSE_INVERSE = 1000  # BFGS keeps n² numbers
_SIMPLEX = 10  # beyond, a simplex adapts too slowly


@dataclass(frozen=True, slots=True)
class Choice:
    """A method and why it suits."""

    method: Method
    reason: str


def choose(problem: Problem, *, in_batches: bool = False) -> Choice:
    """The method for a problem: least squares, derivatives, size, bounds, samples in batches."""
    name, reason = _name(problem, in_batches)
    return Choice(find_method(name), reason)


def _name(problem: Problem, in_batches: bool) -> tuple[str, str]:
    provides, n = problem.provides, problem.n
    if Needs.GRADIENT not in provides:
        if n <= _SIMPLEX:
            return "nelder-mead", f"values only, {n} unknowns"
        return "evolution-strategy", f"values only, more than {_SIMPLEX} unknowns"
    if in_batches:
        return "adam", "samples come in batches"
    if Needs.GAUSS_NEWTON in provides and not problem.maximize and n <= _DENSE_CURVATURE:
        kind = "a sum of squares" if problem.least_squares else "a loss of a marked model"
        return "lm", f"{kind} with {n} unknowns"
    if n <= _DENSE_INVERSE:
        return "bfgs", f"a smooth objective with {n} unknowns"
    if box_of(problem).unbounded:
        return "l-bfgs", f"{n} unknowns: too many for a dense matrix"
    return "l-bfgs-b", f"bounds on {n} unknowns: too many for a dense matrix"
