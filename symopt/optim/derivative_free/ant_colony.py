"""Ant colony optimization of continuous unknowns: an archive of solutions, sampled around."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from symopt.optim.bounds import box_of
from symopt.optim.chance import Chance
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least, check_fraction, check_positive
from symopt.optim.pool import (
    Pool,
    evaluated,
    initial_spread,
    lone,
    reflected,
    resolved,
)
from symopt.optim.problem import Matrix, Needs, Point, Problem, Vector, evaluate_value

_PATIENCE = 200  # steps without any new solution, as where there are no finite values


@dataclass(frozen=True, slots=True, eq=False)
class AntColonyState:
    point: Point
    archive: Pool
    spread: Vector
    chance: Chance
    idle: int = 0  # steps in a row that left the archive as it was
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class AntColony:
    """ACO_R: each ant chooses a solution s_l of the archive and samples a Gaussian around it.

    s_l is chosen with probability in proportion to exp(-(l - 1)²/2q²k²)/(qk √2π), by its rank l of
    k (eq. 2); the standard deviation of entry i is ξ Σ_e |s_e,i - s_l,i|/(k - 1) (eq. 3). The
    archive keeps the best k of itself and the `ants` new ones. It ends when the archive is
    narrower than the resolution, or level.
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 50_000

    archive: int = 50  # k
    ants: int = 10  # m
    locality: float = 0.1  # q: small prefers the best
    evaporation: float = 0.85  # ξ: large forgets slowly
    tolerance: float = 1e-8

    def __post_init__(self) -> None:
        name = "ant-colony"
        check_at_least(2, name, archive=self.archive)
        check_at_least(1, name, ants=self.ants)
        check_positive(name, locality=self.locality, evaporation=self.evaporation)
        check_fraction(name, tolerance=self.tolerance)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> AntColonyState:
        point = evaluate_value(problem, x)
        return AntColonyState(point, lone(point), initial_spread(problem, x), Chance(seed))

    def step(self, problem: Problem, state: AntColonyState) -> AntColonyState:
        generator, archive = state.chance.generator(), state.archive
        if len(archive) < self.archive:
            return self._filled(problem, state)
        chosen = generator.choice(len(archive), size=self.ants, p=self._probabilities())
        deviations = self.evaporation * _distances(archive, chosen)
        draws = generator.normal(size=(self.ants, problem.n))
        places = archive.places[chosen] + deviations * draws
        new = evaluated(problem, reflected(box_of(problem), state.point.x, places))
        archive = archive.joined(new).kept(self.archive)
        idle = state.idle + 1 if archive.same(state.archive) else 0
        point, chance = archive.improved(state.point), state.chance.following
        moved = replace(state, point=point, archive=archive, chance=chance, idle=idle)
        if resolved(archive.ranges, point.x, state.spread, self.tolerance):
            return replace(moved, outcome=Status.STEP)
        if archive.level:
            return replace(moved, outcome=Status.VALUE)
        return replace(moved, outcome=Status.STALLED if idle >= _PATIENCE else None)

    def _filled(self, problem: Problem, state: AntColonyState) -> AntColonyState:
        """The first step: an archive of normal deviates around the start."""
        x, size = state.point.x, (self.archive - 1, problem.n)
        offsets = state.chance.generator().normal(size=size) * state.spread
        new = evaluated(problem, reflected(box_of(problem), x, x + offsets))
        archive = state.archive.joined(new)
        point, chance = archive.improved(state.point), state.chance.following
        return replace(state, point=point, archive=archive, chance=chance)

    def _probabilities(self) -> Vector:
        """How likely a solution is chosen, by its rank."""
        ranks = np.arange(self.archive)
        density = np.exp(-(ranks**2) / (2 * (self.locality * self.archive) ** 2))
        return density / density.sum()


def _distances(archive: Pool, chosen: NDArray[np.intp]) -> Matrix:
    """The mean distance of each chosen solution to the others, entry by entry."""
    offsets = archive.places[None, :, :] - archive.places[chosen][:, None, :]
    return np.abs(offsets).sum(axis=1) / (len(archive) - 1)


METHOD = Method(
    name="ant-colony",
    family="derivative-free",
    order=0,
    optimizer=AntColony,
    source="Socha and Dorigo, Eur. J. Oper. Res. 185 (2008) 1155",
    stochastic=True,
    bounds=True,
)
