"""Simulated annealing over discrete states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim.chance import Chance
from symopt.optim.cooling import Cooling, first_temperature
from symopt.optim.discrete.method import Candidate, DiscreteProblem
from symopt.optim.discrete.neighbourhoods import DiscreteState
from symopt.optim.optimizer import Status
from symopt.optim.options import check_at_least, check_fraction
from symopt.optim.pool import accepts

_SAMPLES = 50  # moves that the first temperature is judged by


@dataclass(frozen=True, slots=True, eq=False)
class DiscreteAnnealingState:
    current: Candidate
    best: Candidate
    cooling: Cooling
    idle: int  # sweeps in a row without an accepted move
    chance: Chance
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class DiscreteAnnealing:
    """Random moves, accepted with probability exp(-Δ/T) where they are for the worse.

    A sweep is `trials` moves for each entry of the state; after it T falls to `factor` times
    itself. The first T accepts a typical rise with probability `acceptance`. It ends when no move
    was accepted in `patience` sweeps, or at `coldest` times the first temperature.
    """

    max_iter: ClassVar[int] = 10_000

    trials: int = 10
    factor: float = 0.95
    acceptance: float = 0.5
    coldest: float = 1e-4
    patience: int = 5

    def __post_init__(self) -> None:
        check_at_least(1, NAME, trials=self.trials, patience=self.patience)
        check_fraction(NAME, factor=self.factor, acceptance=self.acceptance, coldest=self.coldest)

    def init(
        self, problem: DiscreteProblem, start: DiscreteState, seed: int = 0
    ) -> DiscreteAnnealingState:
        current, chance = problem.at(start), Chance(seed)
        generator = chance.generator()
        moves = [problem.neighbourhood.propose(start, generator) for _ in range(_SAMPLES)]
        changes = np.array([problem.change(current, move) for move in moves])
        cooling = Cooling(first_temperature(changes, self.acceptance), self.factor, sweeps=1)
        return DiscreteAnnealingState(current, current, cooling, 0, chance.following)

    def step(
        self, problem: DiscreteProblem, state: DiscreteAnnealingState
    ) -> DiscreteAnnealingState:
        generator, temperature = state.chance.generator(), state.cooling.temperature
        current, best, accepted = state.current, state.best, 0
        for draw in generator.uniform(size=self.trials * len(current.state)):
            move = problem.neighbourhood.propose(current.state, generator)
            change = problem.change(current, move)
            if accepts(change, temperature, draw):
                current, accepted = problem.after(current, move, change), accepted + 1
                best = current if current.cost < best.cost else best
        cooling = state.cooling.following
        idle = 0 if accepted else state.idle + 1
        done = idle >= self.patience or cooling.part < self.coldest
        outcome = Status.VALUE if done else None
        return replace(
            state,
            current=current,
            best=best,
            cooling=cooling,
            idle=idle,
            chance=state.chance.following,
            outcome=outcome,
        )


NAME = "simulated-annealing"
