"""Tabu search of continuous unknowns: always on to the best neighbour, never back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.chance import Chance
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least, check_fraction, check_not_negative
from symopt.optim.pool import (
    Rounds,
    TabuList,
    initial_spread,
    inside,
    point_at,
    resolved,
    values_at,
)
from symopt.optim.problem import Mask, Matrix, Needs, Point, Problem, Vector, evaluate_value

Place = tuple[float, ...]  # entries of a tabu list are compared, which arrays are not


@dataclass(frozen=True, slots=True, eq=False)
class TabuState:
    point: Point  # the current one, not the best
    best: Point
    radius: float  # of the neighbourhood, in units of the spread
    tabu: TabuList[Place]
    waited: int  # steps since the best one
    spread: Vector
    chance: Chance
    rounds: Rounds = Rounds()
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class Tabu:
    """Moves to the best of its neighbours, even if that is worse, unless it is near the last ones.

    One neighbour is drawn in each of `neighbours` nested boxes around x, each half as wide as the
    one before. Those within a `ball` times the radius of the last `length` places are tabu,
    unless they are the best ever (aspiration). After `patience` steps without a new best the search
    intensifies: it returns to the best, forgets the list and halves the radius. Once that is
    below the resolution it begins anew with a wide neighbourhood, and ends when that comes to the
    same place. Chelouah and Siarry's method, with its best place only as the promising ones.
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 20_000

    neighbours: int = 10
    length: int = 10
    ball: float = 0.01
    patience: int = 10
    restarts: int = 10
    tolerance: float = 1e-7

    def __post_init__(self) -> None:
        check_at_least(1, "tabu", neighbours=self.neighbours)
        check_at_least(1, "tabu", length=self.length, patience=self.patience)
        check_not_negative("tabu", ball=self.ball, restarts=self.restarts)
        check_fraction("tabu", tolerance=self.tolerance)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> TabuState:
        point = evaluate_value(problem, x)
        spread, tabu = initial_spread(problem, x), _listed(TabuList(self.length), point)
        return TabuState(point, point, 1.0, tabu, 0, spread, Chance(seed))

    def step(self, problem: Problem, state: TabuState) -> TabuState:
        x = state.point.x
        draws = state.chance.generator().uniform(-1, 1, size=(self.neighbours, problem.n))
        state = replace(state, chance=state.chance.following, waited=state.waited + 1)
        radii = state.radius * 0.5 ** np.arange(self.neighbours)
        places = inside(box_of(problem), x, x + radii[:, None] * state.spread * draws)
        values = values_at(problem, places)
        allowed = (values < state.best.value) | ~self._forbidden(state, places)
        values = np.where(allowed, values, np.inf)
        chosen = int(np.argmin(values))
        if np.isfinite(values[chosen]):
            point = point_at(places, values, chosen)
            state = replace(state, point=point, tabu=_listed(state.tabu, point))
            if point.value < state.best.value:
                return replace(state, best=point, waited=0)
        return state if state.waited < self.patience else self._intensified(state)

    def _forbidden(self, state: TabuState, places: Matrix) -> Mask:
        """Which places are within a ball around one of the list."""
        units = np.where(state.spread > 0, state.spread, 1.0)
        listed = np.array(state.tabu.entries)
        offsets = (places[:, None, :] - listed[None, :, :]) / units
        distances = np.sqrt(np.mean(offsets**2, axis=2))
        return (distances < self.ball * state.radius).any(axis=1)

    def _intensified(self, state: TabuState) -> TabuState:
        """At the best place again, with a smaller neighbourhood; or the end."""
        best = state.best
        tabu = _listed(TabuList(self.length), best)
        state = replace(state, point=best, tabu=tabu, radius=state.radius / 2, waited=0)
        if not resolved(state.radius * state.spread, best.x, state.spread, self.tolerance):
            return state
        settled = state.rounds.settled(best.x, state.spread, self.tolerance)
        if settled or state.rounds.count >= self.restarts:
            return replace(state, outcome=Status.STEP)
        return replace(state, radius=1.0, rounds=state.rounds.after(best.x))


def _listed(tabu: TabuList[Place], point: Point) -> TabuList[Place]:
    return tabu.adding(tuple(point.x.tolist()))


METHOD = Method(
    name="tabu",
    family="derivative-free",
    order=0,
    optimizer=Tabu,
    source="Glover, ORSA J. Comput. 1 (1989) 190; "
    "Chelouah and Siarry, Eur. J. Oper. Res. 123 (2000) 256",
    stochastic=True,
    bounds=True,
)
