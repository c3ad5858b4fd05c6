"""CMA-ES: an evolution strategy that learns the covariance of the steps that help."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from symopt.optim import errors
from symopt.optim.bounds import box_of
from symopt.optim.chance import Chance
from symopt.optim.optimizer import Method, Status, Stopping
from symopt.optim.options import check_at_least, check_fraction
from symopt.optim.pool import initial_spread, inside, ranked, resolved, values_at
from symopt.optim.problem import Matrix, Needs, Point, Problem, Vector, evaluate_value

_FLAT = 1e-12  # relative change of the values that counts as none
_WORST_CONDITION = 1e16  # of the covariance; beyond, its small directions are rounding


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The constants of Hansen's Table 1 for n unknowns and λ candidates."""

    recombination: Vector  # w_1 ... w_λ, the second half of them negative
    parents: int  # μ
    mass: float  # μ_eff
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    length: float  # E|N(0, I)|


def weights(n: int, count: int) -> Weights:
    """Hansen's defaults."""
    raw: Vector = np.log((count + 1) / 2) - np.log(np.arange(1, count + 1))
    parents = count // 2
    good, bad = raw[:parents], raw[parents:]
    mass = float(good.sum() ** 2 / (good**2).sum())
    bad_mass = float(bad.sum() ** 2 / (bad**2).sum())
    c_sigma = (mass + 2) / (n + mass + 5)
    d_sigma = 1 + 2 * max(0.0, np.sqrt((mass - 1) / (n + 1)) - 1) + c_sigma
    c_c = (4 + mass / n) / (n + 4 + 2 * mass / n)
    c_1 = 2 / ((n + 1.3) ** 2 + mass)
    c_mu = min(1 - c_1, 2 * (0.25 + mass + 1 / mass - 2) / ((n + 2) ** 2 + mass))
    # The negative weights sum to as much as keeps the covariance positive definite.
    negative: float = min(
        1 + c_1 / c_mu, 1 + 2 * bad_mass / (mass + 2), (1 - c_1 - c_mu) / (n * c_mu)
    )
    recombination: Vector = np.concatenate((good / good.sum(), negative * bad / np.abs(bad).sum()))
    length = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
    return Weights(
        recombination, parents, mass, c_sigma, float(d_sigma), c_c, c_1, c_mu, float(length)
    )


@dataclass(frozen=True, slots=True, eq=False)
class EvolutionStrategyState:
    point: Point  # the best so far
    mean: Vector
    sigma: float
    covariance: Matrix  # in units of the spread
    path_sigma: Vector
    path_c: Vector
    spread: Vector
    generation: int
    lowest: tuple[float, ...]  # the best values of the last generations
    chance: Chance
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class EvolutionStrategy:
    """(μ/μ_w, λ)-CMA-ES with active covariance adaptation and Hansen's defaults.

    λ = 4 + 3 ln n candidates m + σ N(0, C); the mean m moves to their weighted recombination, C
    adapts to the steps taken and their path, σ to the length of the path. A candidate beyond a
    bound is evaluated where it is clipped, and ranked with a penalty: one interquartile range of
    the values for a distance of one standard deviation (Hansen, section B.5).
    """

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping()  # it knows itself when it is done
    max_iter: ClassVar[int] = 100_000

    population: int | None = None  # λ
    sigma: float = 0.5  # at first, in typical sizes
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        name = "evolution-strategy"
        check_at_least(4, name, population=self.population)
        if not 0 < self.sigma < np.inf:
            raise errors.bad_option(name, "sigma", self.sigma, "positive")
        check_fraction(name, tolerance=self.tolerance)

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> EvolutionStrategyState:
        point, n = evaluate_value(problem, x), len(x)
        return EvolutionStrategyState(
            point,
            point.x,
            self.sigma,
            np.eye(n),
            np.zeros(n),
            np.zeros(n),
            initial_spread(problem, x),
            0,
            (),
            Chance(seed),
        )

    def step(self, problem: Problem, state: EvolutionStrategyState) -> EvolutionStrategyState:
        n, count = problem.n, self._count(problem.n)
        axes, lengths = _axes(state.covariance)
        draws = state.chance.generator().normal(size=(count, n))
        steps = (draws * lengths) @ axes.T  # y_k = B D z_k
        wanted = state.mean + state.sigma * state.spread * steps
        places = inside(box_of(problem), state.point.x, wanted)
        values = values_at(problem, places)
        if not np.isfinite(values).any():
            return self._narrowed(state)
        point = ranked(places, values).improved(state.point)
        deviations = state.sigma * state.spread * np.sqrt(np.diag(state.covariance))
        order = np.argsort(values + _penalties(wanted - places, deviations, values), kind="stable")
        moved = _adapted(state, weights(n, count), steps[order], axes, lengths)
        kept = 10 + int(np.ceil(30 * n / count))
        lowest = (*state.lowest, float(values.min()))[-kept:]
        moved = replace(moved, point=point, lowest=lowest, chance=state.chance.following)
        return replace(moved, outcome=self._outcome(moved, values, kept))

    def _count(self, n: int) -> int:
        return self.population or 4 + int(3 * np.log(n))

    def _narrowed(self, state: EvolutionStrategyState) -> EvolutionStrategyState:
        """Nearer to the best point, where no candidate could be evaluated."""
        sigma = state.sigma / 2
        lost = resolved(sigma * state.spread, state.point.x, state.spread, self.tolerance)
        return replace(
            state,
            mean=state.point.x,
            sigma=sigma,
            chance=state.chance.following,
            outcome=Status.STALLED if lost else None,
        )

    def _outcome(
        self, state: EvolutionStrategyState, values: Vector, patience: int
    ) -> Status | None:
        variances = np.diag(state.covariance)
        deviations = state.sigma * state.spread * np.sqrt(variances)
        if resolved(deviations, state.mean, state.spread, self.tolerance):
            return Status.STEP
        if len(state.lowest) == patience:
            recent = np.array([*state.lowest, *values[np.isfinite(values)]])
            if np.ptp(recent) <= _FLAT * abs(state.point.value):
                return Status.VALUE
        return None


def _axes(covariance: Matrix) -> tuple[Matrix, Vector]:
    """B and the diagonal of D, where C = B D² Bᵀ; directions that are rounding get a least D."""
    squares, axes = np.linalg.eigh(covariance)
    return axes, np.sqrt(np.maximum(squares, squares[-1:] / _WORST_CONDITION))


def _penalties(outside: Matrix, deviations: Vector, values: Vector) -> Vector:
    """What the distances from the bounds cost."""
    if not outside.any():
        return np.zeros(len(values))
    distances = np.divide(
        outside, deviations, out=np.zeros_like(outside), where=(outside != 0) & (deviations > 0)
    )
    finite = values[np.isfinite(values)]
    interquartile = float(np.subtract(*np.quantile(finite, [0.75, 0.25])))
    return interquartile * (distances**2).sum(axis=1)


def _adapted(
    state: EvolutionStrategyState, w: Weights, steps: Matrix, axes: Matrix, lengths: Vector
) -> EvolutionStrategyState:
    """Mean, paths, covariance and step size after ranked steps; Hansen's equations 41 to 47."""
    n = steps.shape[1]
    whitened = (steps @ axes) / lengths  # rows Bᵀ y / D, as long as C^-½ y
    mean_step = w.recombination[: w.parents] @ steps[: w.parents]
    white_step = axes @ (w.recombination[: w.parents] @ whitened[: w.parents])
    path_sigma = (1 - w.c_sigma) * state.path_sigma
    path_sigma = path_sigma + np.sqrt(w.c_sigma * (2 - w.c_sigma) * w.mass) * white_step
    length = float(np.linalg.norm(path_sigma))
    sigma = state.sigma * float(np.exp(w.c_sigma / w.d_sigma * (length / w.length - 1)))
    settled = np.sqrt(1 - (1 - w.c_sigma) ** (2 * (state.generation + 1)))
    steady = length / settled < (1.4 + 2 / (n + 1)) * w.length  # h_σ
    path_c = (1 - w.c_c) * state.path_c
    if steady:
        path_c = path_c + np.sqrt(w.c_c * (2 - w.c_c) * w.mass) * mean_step
    missing = 0.0 if steady else w.c_c * (2 - w.c_c)  # δ(h_σ)
    squares = (whitened**2).sum(axis=1)
    signed = np.where(w.recombination >= 0, w.recombination, w.recombination * n / squares)
    keep = 1 + w.c_1 * missing - w.c_1 - w.c_mu * w.recombination.sum()
    covariance = keep * state.covariance
    covariance = covariance + w.c_1 * np.outer(path_c, path_c)
    covariance = covariance + w.c_mu * (signed[:, None] * steps).T @ steps
    return replace(
        state,
        mean=state.mean + state.sigma * state.spread * mean_step,
        sigma=sigma,
        covariance=(covariance + covariance.T) / 2,
        path_sigma=path_sigma,
        path_c=path_c,
        generation=state.generation + 1,
    )


METHOD = Method(
    name="evolution-strategy",
    family="derivative-free",
    order=0,
    optimizer=EvolutionStrategy,
    source="Hansen and Ostermeier, Evol. Comput. 9 (2001) 159; "
    "Hansen, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772",
    stochastic=True,
    bounds=True,
    aliases=("cma-es",),
)
