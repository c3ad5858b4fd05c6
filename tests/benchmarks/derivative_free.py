"""What methods without derivatives reach with so many evaluations.

    python -m tests.benchmarks.derivative_free

writes docs/benchmarks/derivative-free.md: for each method of order 0 and each of four functions of
five unknowns the lowest value met within the budgets, the median of the seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from symopt.optim import METHODS, Method, minimize, objective

BUDGETS = (500, 2_000, 10_000)
SEEDS = 5
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "derivative-free.md"
_WEIGHTS = 10.0 ** (6 * np.arange(5) / 4)


def sphere(x: np.ndarray) -> float:
    return float(x @ x)


def ellipsoid(x: np.ndarray) -> float:
    """Condition 1e6."""
    return float(_WEIGHTS @ x**2)


def rosenbrock(x: np.ndarray) -> float:
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def rastrigin(x: np.ndarray) -> float:
    return float(np.sum(x**2 - 10 * np.cos(2 * np.pi * x) + 10))


Function = Callable[[np.ndarray], float]
FUNCTIONS: dict[str, tuple[Function, np.ndarray]] = {
    "sphere": (sphere, np.array([3.0, -2.0, 2.5, -1.5, 2.0])),
    "ellipsoid": (ellipsoid, np.array([3.0, -2.0, 2.5, -1.5, 2.0])),
    "Rosenbrock": (rosenbrock, np.array([-1.2, 1.0, -1.2, 1.0, -1.2])),
    "Rastrigin": (rastrigin, np.array([3.0, -2.0, 2.5, -1.5, 2.0])),
}


class Spent(Exception):
    """The budget is used up."""


def lowest(method: str, function: Function, start: np.ndarray, budget: int, seed: int) -> list:
    """The lowest value after each evaluation of a run, up to the budget or the run's own end."""
    met: list[float] = []

    def counted(x: np.ndarray) -> float:
        if len(met) == budget:
            raise Spent
        met.append(function(x))
        return met[-1]

    minimize(objective(counted), method, x0=start, seed=seed)
    return list(np.minimum.accumulate(met))


def reached(method: Method, function: Function, start: np.ndarray) -> list[float]:
    """The median over the seeds of the lowest value within each budget."""
    runs = [
        lowest(method.name, function, start, BUDGETS[-1], seed)
        for seed in range(SEEDS if method.stochastic else 1)
    ]
    return [float(np.median([run[min(b, len(run)) - 1] for run in runs])) for b in BUDGETS]


def table() -> str:
    heads = [f"{name}, {b}" for name in FUNCTIONS for b in BUDGETS]
    lines = ["| method | " + " | ".join(heads) + " |", "| --- |" + " --- |" * len(heads)]
    for method in METHODS:
        if method.order == 0:
            values = [v for f, start in FUNCTIONS.values() for v in reached(method, f, start)]
            lines.append(f"| `{method.name}` | " + " | ".join(f"{v:.0e}" for v in values) + " |")
    return "\n".join(lines)


TEXT = """# Methods without derivatives: value reached per budget

The lowest value met within {budgets} evaluations, by default settings: functions of
five unknowns whose minimum is 0, the median of {seeds} seeds. Made by
`python -m tests.benchmarks.derivative_free`.

{table}

The ellipsoid has condition 10⁶ along the axes, which suits the methods that take the unknowns one
by one; `evolution-strategy` does not mind a rotation. Rastrigin has a local minimum at about every
point of integers: the value is about the sum of their squares, so 1 is one unknown beside its
place. A run that ended earlier by itself keeps its value.
"""


if __name__ == "__main__":
    budgets = ", ".join(map(str, BUDGETS[:-1])) + f" and {BUDGETS[-1]}"
    PAGE.write_text(TEXT.format(budgets=budgets, seeds=SEEDS, table=table()), encoding="utf-8")
