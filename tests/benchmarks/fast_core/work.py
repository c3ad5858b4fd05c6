"""What is timed: the works with their goals, and who does them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from timeit import Timer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.fast_core.inputs import INPUTS

Parts = tuple[NDArray[np.float64] | float, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """The largest ratio of our time to the best time of these families of contenders."""

    limit: float
    families: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """One function of one kernel at one size."""

    key: str
    kernel: str
    title: str
    n: int
    goals: tuple[Goal, ...] = ()

    @cached_property
    def inputs(self) -> Mapping[str, Any]:
        """Data and parameters, the same for all contenders."""
        return INPUTS[self.kernel](self.n)


@dataclass(frozen=True, slots=True)
class Contender:
    """A way of doing a work: `run` does it, `parts` has the results as plain C gives them."""

    name: str
    family: str
    run: Callable[[], object]
    parts: Callable[[], Parts]
    statement: Timer | None = None  # of a call so short that another around it would be seen

    @property
    def timer(self) -> Timer:
        """What times the work."""
        return self.statement or Timer(self.run)


C, NUMBA, JAX, CASADI = "plain C", "numba", "JAX", "CasADi"
HEYOKA, LAMBDIFY, UNROLLED = "heyoka", "lambdify", "C, sums written out"
EXPANDED = "JAX, expanded squares"  # another algorithm, which has a cost: see the page

_KINDS: dict[str, tuple[str, str, tuple[Goal, ...]]] = {
    "jtj": (
        "exponential_fit",
        "Exponential fit, six parameters: JᵀJ and Jᵀr",
        (Goal(0.3, (C,)), Goal(0.3, (JAX,))),
    ),
    "jac": (
        "exponential_fit",
        "Exponential fit, six parameters: residuals and Jacobian",
        (Goal(0.4, (JAX, HEYOKA, CASADI, LAMBDIFY)),),
    ),
    "ba": (
        "bundle_adjustment",
        "Bundle adjustment, 16 cameras: residuals, blocks 2 × 9 and 2 × 3",
        (Goal(0.3, (C,)), Goal(0.35, (HEYOKA,))),
    ),
    "softmax": (
        "softmax",
        "Softmax regression, d = 20, K = 10: loss and gradient",
        (Goal(0.3, (C,)), Goal(0.55, (JAX,))),
    ),
    "gmm": (
        "gaussian_mixture",
        "Gaussian mixture, d = 10, K = 25: value and gradient",
        (Goal(0.15, (C,)), Goal(0.2, (JAX,))),
    ),
}
_SIZES = {
    "jtj": (10_000, 1_000_000),
    "jac": (10_000, 1_000_000),
    "ba": (83_000,),
    "softmax": (8_192,),
    "gmm": (1_000, 10_000),
}


def work(key: str, n: int) -> Work:
    """A work by its short name, at any size."""
    kernel, title, goals = _KINDS[key]
    return Work(key, kernel, title, n, goals)


KEYS = tuple(_KINDS)
WORKS = tuple(work(key, n) for key, sizes in _SIZES.items() for n in sizes)
