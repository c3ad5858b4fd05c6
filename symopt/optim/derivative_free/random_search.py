"""Random search: steps of many lengths in random directions, the best of them taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.chance import Chance
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least, check_fraction, check_not_negative
from symopt.optim.pool import Rounds, initial_spread, inside, point_at, resolved, values_at
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate_value

_LONGER = 2  # doublings beyond the last length that helped


@dataclass(frozen=True, slots=True, eq=False)
class RandomSearchState:
    point: Point
    spread: Vector  # the unit of the radius, entry by entry
    radius: float  # of the last step that helped, halved since
    chance: Chance
    rounds: Rounds = Rounds()
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class RandomSearch:
    """x becomes the best of x and x + r_k v_k, v_k drawn from N(0, I/n), radii r_k = 2⁻ᵏ R.

    No length has to be chosen well: one of the radii always is about right (gradientless descent
    of Golovin et al., Algorithm 1). Here the radii are `candidates` neighbours of the last one that
    helped, R = 4 r; where none helps, r is halved. Once r is below the resolution it begins anew
    with long steps, and ends when that comes to the same place.
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 100_000

    candidates: int = 8
    restarts: int = 10
    tolerance: float = 1e-8

    def __post_init__(self) -> None:
        # Some candidates have to be shorter than the last one.
        check_at_least(4, "random-search", candidates=self.candidates)
        check_not_negative("random-search", restarts=self.restarts)
        check_fraction("random-search", tolerance=self.tolerance)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> RandomSearchState:
        return RandomSearchState(
            evaluate_value(problem, x), initial_spread(problem, x), 1.0, Chance(seed)
        )

    def step(self, problem: Problem, state: RandomSearchState) -> RandomSearchState:
        x, n = state.point.x, problem.n
        radii = state.radius * 2.0 ** (_LONGER - np.arange(self.candidates))
        directions = state.chance.generator().normal(size=(self.candidates, n)) / np.sqrt(n)
        places = x + radii[:, None] * state.spread * directions
        places = inside(box_of(problem), x, places)
        values = values_at(problem, places)
        best = int(np.argmin(values))
        if values[best] < state.point.value:
            point = point_at(places, values, best)
            chance = state.chance.following
            return replace(state, point=point, radius=float(radii[best]), chance=chance)
        halved = replace(state, radius=state.radius / 2, chance=state.chance.following)
        if not resolved(halved.radius * state.spread, x, state.spread, self.tolerance):
            return halved
        # Short steps may have failed by bad luck in a narrow valley: once more, from long ones.
        settled = state.rounds.settled(x, state.spread, self.tolerance)
        if settled or state.rounds.count >= self.restarts:
            return replace(halved, outcome=Status.STEP)
        return replace(halved, radius=1.0, rounds=state.rounds.after(x))


METHOD = Method(
    name="random-search",
    family="derivative-free",
    order=0,
    optimizer=RandomSearch,
    source="Rastrigin, Autom. Remote Control 24 (1963) 1337; "
    "Golovin et al., ICLR 2020, Algorithm 1",
    stochastic=True,
    bounds=True,
)
