"""A genetic algorithm of real-coded unknowns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from symopt.optim.bounds import box_of
from symopt.optim.chance import Chance
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least, check_choice, check_fraction, check_not_negative
from symopt.optim.pool import (
    Pool,
    Rounds,
    evaluated,
    initial_spread,
    lone,
    reflected,
    resolved,
    tournament,
)
from symopt.optim.problem import Matrix, Needs, Point, Problem, Vector, evaluate_value

_PATIENCE = 50  # generations without a survivor, as where there are no finite values


@dataclass(frozen=True, slots=True, eq=False)
class GeneticState:
    point: Point
    pool: Pool
    spread: Vector
    chance: Chance
    idle: int = 0  # generations in a row without a child that survived
    rounds: Rounds = Rounds()
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class Genetic:
    """Parents by tournament, children by crossover and mutation, the best of both survive.

    Crossover of x and y, entry by entry: "blx" draws uniformly between them and a fraction `alpha`
    of their distance beyond (BLX-α, Eshelman and Schaffer); "sbx" simulates the crossover of bit
    strings, (x + y ± β(x - y))/2 with the density of β of index `eta` (Deb and Agrawal). One entry
    in n is mutated: it moves by δ times the population's range of it, with the polynomial density
    of δ of index `eta_mutation`.

    When the population has settled, another one starts around the best; it ends when two in a row
    settle at the same place.
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 20_000

    population: int | None = None
    crossover: Literal["blx", "sbx"] = "blx"
    alpha: float = 0.5
    eta: float = 2.0
    eta_mutation: float = 5.0
    candidates: int = 2  # in a tournament
    restarts: int = 10
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        name = "genetic"
        check_at_least(4, name, population=self.population)
        check_choice(("blx", "sbx"), name, crossover=self.crossover)
        check_not_negative(
            name,
            alpha=self.alpha,
            eta=self.eta,
            eta_mutation=self.eta_mutation,
            restarts=self.restarts,
        )
        check_at_least(1, name, candidates=self.candidates)
        check_fraction(name, tolerance=self.tolerance)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> GeneticState:
        # A population of one has settled: the first step begins another.
        point = evaluate_value(problem, x)
        return GeneticState(point, lone(point), initial_spread(problem, x), Chance(seed))

    def step(self, problem: Problem, state: GeneticState) -> GeneticState:
        generator, pool = state.chance.generator(), state.pool
        state = replace(state, chance=state.chance.following)
        x, verdict = state.point.x, self._verdict(state)
        if verdict is not None:
            settled = state.rounds.settled(x, state.spread, self.tolerance)
            if settled or state.rounds.count >= self.restarts:
                return replace(state, outcome=verdict)
            pool = self._population(problem, state.point, state.spread, generator)
            point, rounds = pool.improved(state.point), state.rounds.after(x)
            return replace(state, point=point, pool=pool, idle=0, rounds=rounds)
        count = len(pool)
        mates = tournament(generator, count, 2 * count, self.candidates)
        left, right = pool.places[mates[:count]], pool.places[mates[count:]]
        blend = _blx(self.alpha, generator.uniform(size=left.shape))
        if self.crossover == "sbx":
            blend = _sbx(self.eta, generator.uniform(size=left.shape))
        children = left + blend * (right - left)
        draws, chosen = generator.uniform(size=(2, *left.shape))
        moves = _polynomial(self.eta_mutation, draws) * pool.ranges
        children = children + np.where(chosen < 1 / problem.n, moves, 0.0)
        new = evaluated(problem, reflected(box_of(problem), x, children))
        survivors = pool.joined(new).kept(count)
        idle = state.idle + 1 if survivors.same(pool) else 0
        return replace(state, point=survivors.improved(state.point), pool=survivors, idle=idle)

    def _verdict(self, state: GeneticState) -> Status | None:
        """What the end of this population would be called, if it has come to one."""
        if resolved(state.pool.ranges, state.point.x, state.spread, self.tolerance):
            return Status.STEP
        if state.pool.level:
            return Status.VALUE
        return Status.STALLED if state.idle >= _PATIENCE else None

    def _population(
        self, problem: Problem, point: Point, spread: Vector, generator: np.random.Generator
    ) -> Pool:
        """The point and others around it."""
        count = self.population or max(40, 10 * problem.n)
        offsets = generator.normal(size=(count - 1, problem.n)) * spread
        places = reflected(box_of(problem), point.x, point.x + offsets)
        return lone(point).joined(evaluated(problem, places))


def _blx(alpha: float, draws: Matrix) -> Matrix:
    """How far from the first parent to the second a child is: uniform on [-α, 1 + α)."""
    return (1 + 2 * alpha) * draws - alpha


def _sbx(eta: float, draws: Matrix) -> Matrix:
    """The same for simulated binary crossover, of the child nearer to the first: (1 - β)/2."""
    inner = (2 * draws) ** (1 / (eta + 1))
    outer = (1 / (2 * (1 - draws))) ** (1 / (eta + 1))
    return (1 - np.where(draws <= 0.5, inner, outer)) / 2


def _polynomial(eta: float, draws: Matrix) -> Matrix:
    """δ in (-1, 1) with the density (η + 1)(1 - |δ|)^η/2."""
    low = (2 * draws) ** (1 / (eta + 1)) - 1
    high = 1 - (2 * (1 - draws)) ** (1 / (eta + 1))
    return np.where(draws < 0.5, low, high)


METHOD = Method(
    name="genetic",
    family="derivative-free",
    order=0,
    optimizer=Genetic,
    source="Holland 1975; Eshelman and Schaffer, FOGA 2 (1993) 187; "
    "Deb and Agrawal, Complex Syst. 9 (1995) 115; Deb and Goyal, Comput. Sci. Inform. 26 (1996) 30",
    stochastic=True,
    bounds=True,
)
