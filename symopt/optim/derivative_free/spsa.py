"""SPSA: gradient steps from two values each, along random directions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim.bounds import Box, box_of
from symopt.optim.chance import Chance
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_fraction, check_not_negative, check_positive
from symopt.optim.pool import initial_spread, inside, point_at, resolved, values_at
from symopt.optim.problem import Mask, Matrix, Needs, Point, Problem, Vector, evaluate_value

_DIRECTIONS = 10  # pairs of values that the first gain is judged by
_FARTHEST = 0.1  # how far a first step goes where there is no curvature, in typical sizes
_SLACK = 10.0  # times the changes around the start
_PATIENCE = 20  # steps in a row below the resolution before it ends


@dataclass(frozen=True, slots=True, eq=False)
class SPSAState:
    point: Point  # the better of the two places evaluated last
    x: Vector  # where the gradient is estimated
    best: Point
    gain: float  # a, with which a_k = a/(k + 1 + A)^α
    spread: Vector
    first: float  # the value at the start
    lowest: float  # the least mean of a pair so far
    slack: float  # by how much pairs may differ near by
    count: int  # k
    short: int  # steps in a row that were below the resolution
    chance: Chance
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class SPSA:
    """x -= a_k ĝ_k with ĝ_k = (f(x + c_k Δ) - f(x - c_k Δ))/2c_k · Δ⁻¹, Δ of random signs.

    a_k = a/(k + 1 + A)^α and c_k = c/(k + 1)^γ, in units of the parameters' sizes; α, γ and A, a
    tenth of the steps, are those of Spall 1998. Where `gain` is not given, a makes the first a_k
    the inverse of the largest curvature along some directions Δ. No step moves an entry by more
    than `longest` of its size. A pair that is on average nearer to the value at the start than to
    the lowest one, or not finite, sends the search back to the best point and halves a: Spall's
    blocking, by the values at hand. An entry at a bound takes turns with the others.

    `point` is the better of the two places of a pair: x itself is evaluated at the end only. Values
    with noise want a `perturbation` at which the noise does not hide the differences.
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 20_000

    gain: float | None = None  # a
    perturbation: float = 1e-3  # c
    stability: float = 1_000.0  # A
    alpha: float = 0.602
    gamma: float = 0.101
    longest: float = 0.2
    steps: int = 10_000
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        check_positive("spsa", gain=self.gain, perturbation=self.perturbation)
        check_positive("spsa", alpha=self.alpha, gamma=self.gamma)
        check_positive("spsa", longest=self.longest, steps=self.steps)
        check_not_negative("spsa", stability=self.stability)
        check_fraction("spsa", tolerance=self.tolerance)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> SPSAState:
        point, spread, chance = evaluate_value(problem, x), initial_spread(problem, x), Chance(seed)
        signs = _signs(chance, (_DIRECTIONS, len(x)))
        places = _pairs(box_of(problem), x, self.perturbation * spread, signs)
        changes = values_at(problem, places) - point.value
        changes = np.where(np.isfinite(changes), changes, 0.0)
        slack = _SLACK * float(np.max(np.abs(changes), initial=0.0))
        gain = self.gain or self._gain(changes)
        return SPSAState(
            point,
            point.x,
            point,
            gain,
            spread,
            point.value,
            point.value,
            slack,
            0,
            0,
            chance.following,
        )

    def _gain(self, changes: Vector) -> float:
        """The a that makes the first a_k the inverse of the largest curvature met.

        The values of a pair rise by c² ΔᵀHΔ together: that is the trace of H on average. Where
        they do not, a first step as long as allowed.
        """
        together = (changes[:_DIRECTIONS] + changes[_DIRECTIONS:]) / self.perturbation**2
        apart = np.abs(changes[:_DIRECTIONS] - changes[_DIRECTIONS:]) / (2 * self.perturbation)
        steepest = float(np.max(apart, initial=0.0))
        largest = float(np.max(together, initial=0.0)) or steepest / _FARTHEST
        return (1 + self.stability) ** self.alpha / largest if largest > 0 else 1.0

    def step(self, problem: Problem, state: SPSAState) -> SPSAState:
        box, k = box_of(problem), state.count
        signs = _signs(state.chance, (1, problem.n))
        width = self.perturbation / (k + 1) ** self.gamma  # c_k
        signs = signs * self._turn(box, state)
        pair = _pairs(box, state.x, width * state.spread, signs)
        values = values_at(problem, pair)
        mean = float(values.mean())
        state = replace(state, count=k + 1, chance=state.chance.following)
        if not mean <= (state.first + state.lowest) / 2 + state.slack:
            return self._returned(state)
        point = point_at(pair, values, int(np.argmin(values)))
        a_k = state.gain / (k + 1 + self.stability) ** self.alpha
        gradient = (values[0] - values[1]) / (2 * width) * signs[0]  # per unit of the sizes
        move = np.clip(-a_k * gradient, -self.longest, self.longest) * state.spread
        x = inside(box, state.x, state.x + move)
        below = resolved(np.abs(x - state.x), x, state.spread, self.tolerance)
        moved = replace(
            state,
            point=point,
            x=x,
            best=point if point.value < state.best.value else state.best,
            lowest=min(state.lowest, mean),
            short=state.short + 1 if below else 0,
        )
        return self._ended(problem, moved)

    def _turn(self, box: Box, state: SPSAState) -> Mask:
        """Which entries are perturbed: those at a bound take turns with the others.

        The slope that holds an entry at its bound would be noise in the others that does not fade.
        """
        held = (state.x <= box.lower) | (state.x >= box.upper)
        if held.all() or not held.any():
            return np.ones_like(held)
        return held if state.count % 2 else ~held

    def _returned(self, state: SPSAState) -> SPSAState:
        """At the best point again, with half the gain."""
        lost = state.gain / 2 < np.finfo(np.float64).tiny
        return replace(
            state,
            point=state.best,
            x=state.best.x,
            gain=state.gain / 2,
            outcome=Status.STALLED if lost else None,
        )

    def _ended(self, problem: Problem, state: SPSAState) -> SPSAState:
        """The state, or that at x itself where the steps are short or have all been done."""
        short = state.short >= _PATIENCE
        if not short and state.count < self.steps:
            return state
        point = evaluate_value(problem, state.x)
        point = point if point.value < state.best.value else state.best
        return replace(state, point=point, outcome=Status.STEP if short else Status.MAX_ITER)


def _signs(chance: Chance, shape: tuple[int, int]) -> Matrix:
    return np.where(chance.generator().integers(2, size=shape) == 1, 1.0, -1.0)


def _pairs(box: Box, x: Vector, widths: Vector, signs: Matrix) -> Matrix:
    """x + cΔ for each row of signs, then x - cΔ; x moved so far inside that both are in the box."""
    if not box.unbounded:
        room = widths * np.abs(signs).max(axis=0)
        low = box.lower + np.where(box.open_lower, 2.0, 1.0) * room
        high = box.upper - np.where(box.open_upper, 2.0, 1.0) * room
        x = np.minimum(np.maximum(x, low), high)
    steps: Matrix = widths * signs
    places: Matrix = np.vstack((x + steps, x - steps))
    return places if box.unbounded else inside(box, box.project(x), places)


METHOD = Method(
    name="spsa",
    family="derivative-free",
    order=0,
    optimizer=SPSA,
    source="Spall, IEEE Trans. Autom. Control 37 (1992) 332; "
    "Spall, IEEE Trans. Aerosp. Electron. Syst. 34 (1998) 817",
    stochastic=True,
    bounds=True,
)
