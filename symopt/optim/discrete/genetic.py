"""A genetic algorithm over discrete states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim.chance import Chance
from symopt.optim.discrete.method import Candidate, DiscreteProblem
from symopt.optim.discrete.neighbourhoods import DiscreteState
from symopt.optim.optimizer import Status
from symopt.optim.options import check_at_least, check_decay
from symopt.optim.pool import Pool, ranked, tournament


@dataclass(frozen=True, slots=True, eq=False)
class DiscreteGeneticState:
    best: Candidate
    pool: Pool
    waited: int  # generations since the best
    chance: Chance
    outcome: Status | None = None

    @property
    def current(self) -> Candidate:
        return self.best


@dataclass(frozen=True, slots=True)
class DiscreteGenetic:
    """Parents by tournament, children by the neighbourhood's crossover; the best of both survive.

    A child makes a random move with probability `mutation`, and after each one perhaps another.
    Of equal states one survives. It ends `patience` generations after the last best state.
    """

    max_iter: ClassVar[int] = 10_000

    population: int = 60
    mutation: float = 0.5
    candidates: int = 2  # in a tournament
    patience: int = 50

    def __post_init__(self) -> None:
        check_at_least(2, NAME, population=self.population)
        check_at_least(1, NAME, candidates=self.candidates, patience=self.patience)
        check_decay(NAME, mutation=self.mutation)

    def init(
        self, problem: DiscreteProblem, start: DiscreteState, seed: int = 0
    ) -> DiscreteGeneticState:
        chance = Chance(seed)
        generator = chance.generator()
        others = [
            problem.neighbourhood.shuffled(start, generator) for _ in range(self.population - 1)
        ]
        first = problem.at(start)
        pool = _distinct(first, [problem.at(other) for other in others])
        return DiscreteGeneticState(first, pool, 0, chance.following)

    def step(self, problem: DiscreteProblem, state: DiscreteGeneticState) -> DiscreteGeneticState:
        generator, pool = state.chance.generator(), state.pool
        mates = tournament(generator, len(pool), 2 * self.population, self.candidates)
        pairs = pool.places[mates].reshape(self.population, 2, -1)
        children = [problem.at(self._child(problem, a, b, generator)) for a, b in pairs]
        survivors = _distinct(state.best, [*_candidates(pool), *children]).kept(self.population)
        best = _best(survivors, state.best)
        waited = 0 if best is not state.best else state.waited + 1
        return replace(
            state,
            best=best,
            pool=survivors,
            waited=waited,
            chance=state.chance.following,
            outcome=Status.VALUE if waited >= self.patience else None,
        )

    def _child(
        self,
        problem: DiscreteProblem,
        first: DiscreteState,
        second: DiscreteState,
        generator: np.random.Generator,
    ) -> DiscreteState:
        neighbourhood = problem.neighbourhood
        child = neighbourhood.crossed(first, second, generator)
        while generator.uniform() < self.mutation:
            child = neighbourhood.apply(child, neighbourhood.propose(child, generator))
        return child


def _candidates(pool: Pool) -> list[Candidate]:
    return [Candidate(place, float(v)) for place, v in zip(pool.places, pool.values, strict=True)]


def _distinct(first: Candidate, others: list[Candidate]) -> Pool:
    """The pool of all that differ; what is not a number is worse than everything."""
    seen = {each.state.tobytes(): each for each in reversed([first, *others])}
    found = list(reversed(seen.values()))
    costs = np.array([each.cost for each in found])
    return ranked(
        np.stack([each.state for each in found]), np.where(np.isnan(costs), np.inf, costs)
    )


def _best(pool: Pool, before: Candidate) -> Candidate:
    if not pool.values[0] < before.cost:
        return before
    return Candidate(pool.places[0].copy(), float(pool.values[0]))


NAME = "genetic"
