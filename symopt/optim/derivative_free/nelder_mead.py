"""Nelder-Mead: a simplex that creeps downhill, without derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import Box, box_of
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_fraction, check_not_negative
from symopt.optim.pool import (
    Pool,
    Rounds,
    evaluated,
    initial_spread,
    inside,
    lone,
    resolved,
    values_at,
)
from symopt.optim.problem import Matrix, Needs, Point, Problem, Vector, evaluate_value

_FLATTEST = 1e-10  # ratio of the least to the greatest extent below which a simplex is degenerate


@dataclass(frozen=True, slots=True, eq=False)
class NelderMeadState:
    point: Point
    simplex: Pool  # n + 1 vertices
    spread: Vector  # of the search at its start
    iterations: int  # of this simplex
    rounds: Rounds
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class NelderMead:
    """Reflects the worst vertex x_w at the centroid c of the others: x_r = c + (c - x_w).

    It is expanded to c + χ(x_r - c), contracted to c ± γ(x_r - c), or all vertices shrink towards
    the best by σ, as Lagarias et al. settle it, ties included. `adaptive` takes χ = 1 + 2/n,
    γ = 3/4 - 1/2n, σ = 1 - 1/n (Gao and Han, eq. 4.1), which are the usual 2, 1/2, 1/2 for n = 2.

    Where the simplex is below the resolution, or has become flat, another one starts at the best
    vertex: the run ends when two in a row end at the same place. Vertices beyond a bound are
    clipped.
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 200_000

    adaptive: bool = True
    edge: float = 0.25  # length of the first edges, relative to the typical sizes
    restarts: int = 20
    tolerance: float = 1e-8

    def __post_init__(self) -> None:
        if not 0 < self.edge < np.inf:
            raise errors.bad_option("nelder-mead", "edge", self.edge, "positive")
        check_not_negative("nelder-mead", restarts=self.restarts)
        check_fraction("nelder-mead", tolerance=self.tolerance)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> NelderMeadState:
        point, spread = evaluate_value(problem, x), initial_spread(problem, x)
        simplex = _simplex(problem, point, self.edge * spread)
        return NelderMeadState(point, simplex, spread, 0, Rounds())

    def step(self, problem: Problem, state: NelderMeadState) -> NelderMeadState:
        if self._finished(state):
            return self._restarted(problem, state)
        simplex = self._moved(problem, state.simplex)
        return replace(
            state,
            point=simplex.improved(state.point),
            simplex=simplex,
            iterations=state.iterations + 1,
        )

    def _moved(self, problem: Problem, simplex: Pool) -> Pool:
        """The simplex after one iteration."""
        box, values, worst = box_of(problem), simplex.values, simplex.places[-1]
        expansion, contraction, shrinkage = self._factors(problem.n)
        centroid = simplex.places[:-1].mean(axis=0)
        # Outwards along the line from the worst vertex; negative lengths are inside.
        reflection = _vertex(problem, box, simplex, centroid + (centroid - worst))
        reach = reflection.x - centroid
        if reflection.value < values[0]:
            further = _vertex(problem, box, simplex, centroid + expansion * reach)
            return _replaced(simplex, further if further.value < reflection.value else reflection)
        if reflection.value < values[-2]:
            return _replaced(simplex, reflection)
        if reflection.value < values[-1]:
            nearer = _vertex(problem, box, simplex, centroid + contraction * reach)
            accepted = nearer.value <= reflection.value
        else:
            nearer = _vertex(problem, box, simplex, centroid - contraction * reach)
            accepted = nearer.value < values[-1]
        return _replaced(simplex, nearer) if accepted else _shrunk(problem, simplex, shrinkage)

    def _factors(self, n: int) -> tuple[float, float, float]:
        """How far to expand, contract and shrink."""
        size = max(n, 2) if self.adaptive else 2
        return 1 + 2 / size, 0.75 - 0.5 / size, 1 - 1 / size

    def _finished(self, state: NelderMeadState) -> bool:
        simplex, n = state.simplex, len(state.spread)
        if resolved(simplex.ranges, simplex.places[0], state.spread, self.tolerance):
            return True
        # A look at the shape costs n³, and in a few sweeps it does not change much.
        if (state.iterations + 1) % (10 * (n + 1)):
            return False
        free = state.spread > 0
        edges = (simplex.places[1:] - simplex.places[0])[:, free] / state.spread[free]
        extents = np.linalg.svd(edges, compute_uv=False)
        return not extents[-1] > _FLATTEST * extents[0]

    def _restarted(self, problem: Problem, state: NelderMeadState) -> NelderMeadState:
        """A fresh simplex at the best vertex, or the end."""
        place = state.simplex.places[0]
        rounds = state.rounds
        if rounds.settled(place, state.spread, self.tolerance):
            return replace(state, outcome=Status.STEP)
        if rounds.count >= self.restarts:
            settled = resolved(state.simplex.ranges, place, state.spread, self.tolerance)
            return replace(state, outcome=Status.STEP if settled else Status.STALLED)
        # The other way round than the last one, so that it tells more.
        sign = -1.0 if rounds.count % 2 == 0 else 1.0
        simplex = _simplex(problem, state.point, sign * self.edge * state.spread)
        point = simplex.improved(state.point)
        return NelderMeadState(point, simplex, state.spread, 0, rounds.after(place))


def _simplex(problem: Problem, point: Point, edges: Vector) -> Pool:
    """The point and its neighbours along the axes; away from a bound, where one is in the way."""
    box, x = box_of(problem), point.x
    forth, back = (inside(box, x, x + sign * np.diag(edges)) for sign in (1, -1))
    shorter = np.abs(np.diag(forth) - x) < np.abs(np.diag(back) - x)
    vertices: Matrix = np.where(shorter[:, None], back, forth)
    return lone(point).joined(evaluated(problem, vertices))


def _vertex(problem: Problem, box: Box, simplex: Pool, place: Vector) -> Point:
    x = inside(box, simplex.places[0], place)
    return Point(x, float(values_at(problem, x[None])[0]), np.empty(0))


def _replaced(simplex: Pool, vertex: Point) -> Pool:
    """The simplex with the vertex in place of the worst; after those of equal value."""
    rank = int(np.searchsorted(simplex.values[:-1], vertex.value, side="right"))
    return Pool(
        np.insert(simplex.places[:-1], rank, vertex.x, axis=0),
        np.insert(simplex.values[:-1], rank, vertex.value),
    )


def _shrunk(problem: Problem, simplex: Pool, factor: float) -> Pool:
    best = simplex.places[0]
    rest = evaluated(problem, best + factor * (simplex.places[1:] - best))
    return simplex.kept(1).joined(rest)


METHOD = Method(
    name="nelder-mead",
    family="derivative-free",
    order=0,
    optimizer=NelderMead,
    source="Nelder and Mead, Comput. J. 7 (1965) 308; "
    "Lagarias et al., SIAM J. Optim. 9 (1998) 112; "
    "Gao and Han, Comput. Optim. Appl. 51 (2012) 259",
    bounds=True,
)
