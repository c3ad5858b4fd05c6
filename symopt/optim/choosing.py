"""The method for a problem, by its structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from symopt.optim.bounds import box_of
from symopt.optim.methods import METHODS, find_method
from symopt.optim.optimizer import Method, Optimizer, Remarked, State, Status, Stopping
from symopt.optim.problem import Needs, Point, Problem, Vector

# A dense curvature matrix is worth its n² entries per sample for up to this many unknowns.
_DENSE_CURVATURE = 300
_SPARSE = 10  # a matrix with one entry in so many, or fewer, is worth its entries for more of them
_MOST_ENTRIES = 50_000_000
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
    if Needs.GAUSS_NEWTON in provides and not problem.maximize:
        kind = "a sum of squares" if problem.least_squares else "a loss of a marked model"
        if n <= _DENSE_CURVATURE:
            return "lm", f"{kind} with {n} unknowns"
        entries = problem.gauss_newton_entries
        if entries <= min(n * n // _SPARSE, _MOST_ENTRIES):
            return "lm", f"{kind}, sparse: about {max(entries // n, 1)} of {n} unknowns in a row"
    if n <= _DENSE_INVERSE:
        return "bfgs", f"a smooth objective with {n} unknowns"
    if box_of(problem).unbounded:
        return "l-bfgs", f"{n} unknowns: too many for a dense matrix"
    return "l-bfgs-b", f"bounds on {n} unknowns: too many for a dense matrix"


@dataclass(frozen=True, slots=True, eq=False)
class AutomaticState:
    """The state of the method that was chosen."""

    optimizer: Optimizer[Any]
    inner: State

    @property
    def point(self) -> Point:
        return self.inner.point

    @property
    def outcome(self) -> Status | None:
        return self.inner.outcome

    @property
    def remark(self) -> str:
        return self.inner.remark if isinstance(self.inner, Remarked) else ""


@dataclass(frozen=True, slots=True)
class Automatic:
    """The method that suits the structure of the problem; the result says which, and why.

    Least squares and other losses of a marked model: lm. Samples in batches: adam. Values only:
    nelder-mead, and evolution-strategy from 11 unknowns on. Else bfgs, from 1001 unknowns on
    l-bfgs, or l-bfgs-b within bounds. Options are those of the method chosen.
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping()
    max_iter: ClassVar[int] = 10_000

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> AutomaticState:
        optimizer = choose(problem).method.settings({})
        return AutomaticState(optimizer, optimizer.init(problem, x, seed))

    def step(self, problem: Problem, state: AutomaticState) -> AutomaticState:
        return AutomaticState(state.optimizer, state.optimizer.step(problem, state.inner))


AUTO = Method(
    name="auto",
    family="by structure",
    order=0,
    optimizer=Automatic,
    source="the rules of its description",
    bounds=True,
)


def methods() -> tuple[Method, ...]:
    """Every method there is, and `auto`, which is one of them."""
    return (*METHODS, AUTO)
