"""Tabu search over discrete states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim.chance import Chance
from symopt.optim.discrete.method import Candidate, DiscreteProblem
from symopt.optim.discrete.neighbourhoods import DiscreteState, Move
from symopt.optim.optimizer import Status
from symopt.optim.options import check_at_least, check_not_negative
from symopt.optim.pool import TabuList


@dataclass(frozen=True, slots=True, eq=False)
class DiscreteTabuState:
    current: Candidate
    best: Candidate
    tabu: TabuList[Move]
    waited: int  # steps since the best
    chance: Chance
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class DiscreteTabu:
    """The best move of all, even for the worse, that does not undo one of the last `length`.

    A move to a new best state is made in any case (aspiration); where all moves are tabu, the best
    of them. By default `length` is half the number of entries of a state. After `patience` steps
    without a new best state (by default 50 and five for each entry) it goes on from any state,
    drawn at random; it ends when `restarts` of these in a row found none either.
    """

    max_iter: ClassVar[int] = 100_000

    length: int | None = None
    patience: int | None = None
    restarts: int = 3

    def __post_init__(self) -> None:
        check_at_least(1, NAME, length=self.length, patience=self.patience)
        check_not_negative(NAME, restarts=self.restarts)

    def init(
        self, problem: DiscreteProblem, start: DiscreteState, seed: int = 0
    ) -> DiscreteTabuState:
        current = problem.at(start)
        tabu: TabuList[Move] = TabuList(self.length or max(1, len(start) // 2))
        return DiscreteTabuState(current, current, tabu, 0, Chance(seed))

    def step(self, problem: DiscreteProblem, state: DiscreteTabuState) -> DiscreteTabuState:
        current, best = state.current, state.best
        moves = list(problem.neighbourhood.moves(current.state))
        changes = np.array([problem.change(current, move) for move in moves])
        changes = np.where(np.isnan(changes), np.inf, changes)
        forbidden = frozenset(state.tabu.entries)
        tabu = np.array([move in forbidden for move in moves])
        barred = tabu & ~(current.cost + changes < best.cost)
        ranks = changes if barred.all() else np.where(barred, np.inf, changes)
        # Equal moves in random order, lest it goes round in circles.
        generator = state.chance.generator()
        chosen = int(generator.choice(np.flatnonzero(ranks == ranks.min())))
        current = problem.after(current, moves[chosen], float(changes[chosen]))
        moved = replace(
            state,
            current=current,
            tabu=state.tabu.adding(moves[chosen]),
            chance=state.chance.following,
        )
        if current.cost < best.cost:
            return replace(moved, best=current, waited=0)
        return self._waiting(problem, replace(moved, waited=state.waited + 1), generator)

    def _waiting(
        self, problem: DiscreteProblem, state: DiscreteTabuState, generator: np.random.Generator
    ) -> DiscreteTabuState:
        """The state; or another beginning, or the end, when it has waited long."""
        size = len(state.current.state)
        rounds, rest = divmod(state.waited, self.patience or 50 + 5 * size)
        if rest:
            return state
        if rounds > self.restarts:
            return replace(state, outcome=Status.VALUE)
        current = problem.at(problem.neighbourhood.shuffled(state.current.state, generator))
        best = current if current.cost < state.best.cost else state.best
        return replace(state, current=current, best=best, tabu=TabuList(state.tabu.length))


NAME = "tabu"
