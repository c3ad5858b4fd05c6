"""Simulated annealing of continuous unknowns, with a step size for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim.bounds import Box, box_of
from symopt.optim.chance import Chance
from symopt.optim.cooling import Cooling, first_temperature
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least, check_fraction
from symopt.optim.pool import accepts, initial_spread, reflected, resolved, values_at
from symopt.optim.problem import Needs, Point, Problem, Vector, evaluate_value

_SAMPLES = 20  # places that the first temperature is judged by
_VARIATION = 2.0  # Corana's c: how much one adjustment changes a step size


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedAnnealingState:
    point: Point  # the current one, not the best
    best: Point
    steps: Vector  # the longest step of each entry
    spread: Vector
    cooling: Cooling
    chance: Chance
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class SimulatedAnnealing:
    """Moves one entry at a time, x_i + u v_i with u uniform on [-1, 1), accepted by exp(-Δ/T).

    A sweep is `cycles` trials for each entry; after it the step sizes v are adjusted so that about
    half the trials are accepted (Corana et al., step 4). After `sweeps` of them the temperature
    falls to `factor` times itself, and the search goes on from the best point so far. The first
    temperature accepts typical rises of the start's surroundings with probability `acceptance`.
    It ends when all steps are below the resolution, or at `coldest` times the first temperature.
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 20_000

    cycles: int = 20
    sweeps: int = 5
    factor: float = 0.85
    acceptance: float = 0.5
    coldest: float = 1e-12
    tolerance: float = 1e-8

    def __post_init__(self) -> None:
        name = "simulated-annealing"
        check_at_least(1, name, cycles=self.cycles, sweeps=self.sweeps)
        check_fraction(name, factor=self.factor, acceptance=self.acceptance)
        check_fraction(name, coldest=self.coldest, tolerance=self.tolerance)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> SimulatedAnnealingState:
        point, spread, chance = evaluate_value(problem, x), initial_spread(problem, x), Chance(seed)
        offsets = chance.generator().uniform(-1, 1, size=(_SAMPLES, len(x))) * spread
        around = values_at(problem, reflected(box_of(problem), point.x, point.x + offsets))
        first = first_temperature(around - point.value, self.acceptance)
        cooling = Cooling(first, self.factor, self.sweeps)
        return SimulatedAnnealingState(point, point, spread, spread, cooling, chance.following)

    def step(self, problem: Problem, state: SimulatedAnnealingState) -> SimulatedAnnealingState:
        point, best, accepted = self._sweep(problem, state)
        steps = _adjusted(state.steps, accepted / self.cycles)
        cooling = state.cooling.following
        if cooling.level > state.cooling.level:
            point = best
        moved = replace(
            state,
            point=point,
            best=best,
            steps=steps,
            cooling=cooling,
            chance=state.chance.following,
        )
        outcome = self._outcome(moved)
        return moved if outcome is None else replace(moved, point=best, outcome=outcome)

    def _sweep(
        self, problem: Problem, state: SimulatedAnnealingState
    ) -> tuple[Point, Point, Vector]:
        """The current and the best point after a sweep, and how many trials were accepted."""
        box, n, generator = box_of(problem), problem.n, state.chance.generator()
        moves = generator.uniform(-1, 1, size=(self.cycles, n))
        draws = generator.uniform(size=(self.cycles, n))
        point, best, accepted = state.point, state.best, np.zeros(n)
        for cycle in range(self.cycles):
            for entry in range(n):
                length = float(moves[cycle, entry] * state.steps[entry])
                place = _moved(box, point.x, entry, length)
                value = float(problem.value(place))
                change = value - point.value
                if np.isfinite(value) and accepts(
                    change, state.cooling.temperature, float(draws[cycle, entry])
                ):
                    point = Point(place, value, np.empty(0))
                    accepted[entry] += 1
                    best = point if value < best.value else best
        return point, best, accepted

    def _outcome(self, state: SimulatedAnnealingState) -> Status | None:
        if resolved(state.steps, state.best.x, state.spread, self.tolerance):
            return Status.STEP
        return Status.VALUE if state.cooling.part < self.coldest else None


def _moved(box: Box, x: Vector, entry: int, length: float) -> Vector:
    place = x.copy()
    place[entry] += length
    within = box.lower[entry] < place[entry] < box.upper[entry]
    return place if within else reflected(box, x, place)


def _adjusted(steps: Vector, ratios: Vector) -> Vector:
    """Longer steps where more than 60 % of the trials were accepted, shorter ones below 40 %."""
    longer = 1 + _VARIATION * (ratios - 0.6) / 0.4
    shorter = 1 + _VARIATION * (0.4 - ratios) / 0.4
    return np.where(ratios > 0.6, steps * longer, np.where(ratios < 0.4, steps / shorter, steps))


METHOD = Method(
    name="simulated-annealing",
    family="derivative-free",
    order=0,
    optimizer=SimulatedAnnealing,
    source="Kirkpatrick, Gelatt and Vecchi, Science 220 (1983) 671; "
    "Corana et al., ACM Trans. Math. Softw. 13 (1987) 262",
    stochastic=True,
    bounds=True,
)
