"""Minimization over discrete states: permutations and strings of bits."""

from symopt.optim.discrete.costs import (
    Cost,
    IncrementalCost,
    QuadraticAssignment,
    QuadraticBits,
    Tour,
)
from symopt.optim.discrete.genetic import DiscreteGenetic
from symopt.optim.discrete.minimize import DISCRETE_METHODS, minimize_discrete
from symopt.optim.discrete.neighbourhoods import (
    Flip,
    Flips,
    Neighbourhood,
    Reversal,
    Reversals,
    Swap,
    Swaps,
)
from symopt.optim.discrete.simulated_annealing import DiscreteAnnealing
from symopt.optim.discrete.tabu import DiscreteTabu

__all__ = [
    "DISCRETE_METHODS",
    "Cost",
    "DiscreteAnnealing",
    "DiscreteGenetic",
    "DiscreteTabu",
    "Flip",
    "Flips",
    "IncrementalCost",
    "Neighbourhood",
    "QuadraticAssignment",
    "QuadraticBits",
    "Reversal",
    "Reversals",
    "Swap",
    "Swaps",
    "Tour",
    "minimize_discrete",
]
