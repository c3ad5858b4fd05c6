"""Small discrete problems and their optima by trying every state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from symopt.optim.discrete.costs import Cost, QuadraticAssignment, QuadraticBits, Tour
from symopt.optim.discrete.neighbourhoods import Flips, Neighbourhood, Reversals, Swaps


@dataclass(frozen=True)
class Instance:
    """A cost, its neighbourhood, where to start, and the best there is."""

    name: str
    cost: Cost
    neighbourhood: Neighbourhood
    start: np.ndarray
    optimum: Callable[[], float]
    maximize: bool = False


def circle(n: int, seed: int) -> np.ndarray:
    """Distances between points on a circle, in random order: the best tour goes around it."""
    angles = 2 * np.pi * np.random.default_rng(seed).permutation(n) / n
    places = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    return np.linalg.norm(places[:, None] - places[None], axis=2)


def _assignment() -> QuadraticAssignment:
    rng = np.random.default_rng(1)
    flows, distances = rng.integers(0, 10, size=(2, 7, 7)).astype(float)
    return QuadraticAssignment(flows, distances)


def _max_cut() -> QuadraticBits:
    """Σ w_ij (b_i + b_j - 2 b_i b_j): the weight of the edges between the two sides."""
    weights = np.triu(np.random.default_rng(2).integers(0, 5, size=(12, 12)), 1).astype(float)
    weights = weights + weights.T
    return QuadraticBits(-weights, weights.sum(axis=1))


_WEIGHTS, _WORTHS = np.random.default_rng(3).integers(1, 20, size=(2, 12)).astype(float)


def knapsack(bits: np.ndarray) -> float:
    """Half of the weight can be carried; what is above costs more than it is worth."""
    excess = max(0.0, float(_WEIGHTS @ bits) - _WEIGHTS.sum() / 2)
    return float(_WORTHS @ bits) - 20 * excess


ASSIGNMENT, MAX_CUT = _assignment(), _max_cut()
INSTANCES = (
    Instance(
        "tour by reversals",
        Tour(circle(10, 0)),
        Reversals(),
        np.arange(10),
        lambda: 20 * np.sin(np.pi / 10),
    ),
    Instance(
        "tour by swaps", Tour(circle(7, 4)), Swaps(), np.arange(7), lambda: 14 * np.sin(np.pi / 7)
    ),
    Instance(
        "assignment",
        ASSIGNMENT,
        Swaps(),
        np.arange(7),
        lambda: min(ASSIGNMENT(np.array(p)) for p in permutations(range(7))),
    ),
    Instance(
        "max-cut",
        MAX_CUT,
        Flips(),
        np.zeros(12, bool),
        lambda: max(MAX_CUT(np.array(b)) for b in product((False, True), repeat=12)),
        maximize=True,
    ),
    Instance(
        "knapsack",
        knapsack,
        Flips(),
        np.zeros(12, bool),
        lambda: max(knapsack(np.array(b)) for b in product((False, True), repeat=12)),
        maximize=True,
    ),
)
