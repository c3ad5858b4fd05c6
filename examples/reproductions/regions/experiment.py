"""Online learning of four regions: SGD, ALAP, SMD and the global extended Kalman filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import symopt
from examples.reproductions.page import table
from examples.reproductions.regions.task import drawn, grid, labelled, wandering

HERE = Path(__file__).parent
BATCH = 10
Array = NDArray[np.float64]
Source = Callable[[int, int, int], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Learner:
    """A method with its settings."""

    name: str
    method: str
    options: Mapping[str, object]


# The best of a small grid of settings on independent points; of SGD's, also the best on the walk.
_SMD = {"rate": 0.3, "meta_rate": 2.0, "decay": 0.998, "product": "gauss-newton"}
LEARNERS = (
    Learner("SGD", "sgd", MappingProxyType({"rate": 0.3})),
    Learner("SGD, slower", "sgd", MappingProxyType({"rate": 0.1})),
    Learner("ALAP", "alap", MappingProxyType({"rate": 0.3})),
    Learner("SMD", "smd", MappingProxyType(_SMD)),
    Learner("GEKF", "gekf", MappingProxyType({})),
)
# Schraudolph's table, relative to SGD: storage a weight, flops an update, CPU ms a pattern.
PUBLISHED = {
    "SGD": ("1", "6", "0.5"),
    "SMD": ("3", "18", "1.0"),
    "ALAP": ("4", "18", "1.0"),
    "GEKF": ("> 90", "> 1500", "40"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The loss of fresh points before each step, the mean of some runs; nan where one broke."""

    patterns: Array
    loss: Array
    final: float  # on a grid of the whole square, at the end
    error: float  # the part of that grid that is taken for another region
    broke: int  # runs that ended before their time


@dataclass(frozen=True, slots=True)
class Cost:
    """What a pattern costs."""

    storage: float  # numbers a weight
    microseconds: float
    relative: float  # to SGD


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    independent: Mapping[str, Curve]
    wandering: Mapping[str, Curve]
    costs: Mapping[str, Cost]


def measure(quick: bool) -> Findings:
    """Learning curves on both kinds of points, and costs."""
    steps, seeds = (300, 2) if quick else (2500, 10)
    model = symopt.load(HERE / "network.sym")
    judge = model.bind(labelled(grid()))
    problem = model.bind(labelled(grid(4)))

    def curves(source: Source) -> dict[str, Curve]:
        return {
            learner.name: _curve(problem, judge, learner, source, steps, seeds)
            for learner in LEARNERS
        }

    return Findings(curves(drawn), curves(wandering), _costs(problem, 100 if quick else 1000))


def learn(
    problem: symopt.Problem, learner: Learner, batches: Iterable[Any], seed: int
) -> list[Any]:
    """The iterates of a run on a stream."""
    return list(
        symopt.iterate(
            problem, learner.method, stream=batches, seed=seed, options=dict(learner.options)
        )
    )


def _curve(
    problem: symopt.Problem,
    judge: symopt.Problem,
    learner: Learner,
    source: Source,
    steps: int,
    seeds: int,
) -> Curve:
    losses = np.full((seeds, steps), np.nan)
    finals, errors, broke = [], [], 0
    for seed in range(seeds):
        states = learn(problem, learner, source(steps, BATCH, seed), seed)
        found = [state.fun for state in states if state.status is None]
        losses[seed, : len(found)] = found
        broke += len(found) < steps
        finals.append(judge.value(states[-1].x))
        errors.append(judge.eval("error", states[-1].x))
    window = max(steps // 50, 1)
    mean = losses.mean(axis=0)[: steps // window * window].reshape(-1, window).mean(axis=1)
    patterns = (np.arange(len(mean)) + 0.5) * window * BATCH
    return Curve(patterns, mean, float(np.mean(finals)), float(np.mean(errors)), broke)


def _costs(problem: symopt.Problem, steps: int) -> dict[str, Cost]:
    """Time a pattern, by turns so that all see the same machine, and what states hold."""
    measured = [learner for learner in LEARNERS if learner.name in PUBLISHED]
    times: dict[str, list[float]] = {learner.name: [] for learner in measured}
    storage: dict[str, float] = {}
    for turn in range(4):
        for learner in measured:
            count = max(steps // (20 if learner.method == "gekf" else 1), 5)
            batches = list(drawn(count, BATCH, seed=turn))
            began = perf_counter()
            states = learn(problem, learner, batches, seed=0)
            if turn > 0:  # the first compiles
                times[learner.name].append((perf_counter() - began) / (count * BATCH))
            storage[learner.name] = _numbers(states[-1].state) / problem.n
    best = {name: min(found) for name, found in times.items()}
    return {
        name: Cost(storage[name], seconds * 1e6, seconds / best["SGD"])
        for name, seconds in best.items()
    }


def _numbers(state: Any) -> int:
    """How many numbers a method carries from step to step: the weights, and what it remembers."""
    skipped = {"point", "outcome"}  # what was last seen; it is made again in each step
    parts = [getattr(state, f.name) for f in fields(state) if f.name not in skipped]
    return sum(_size(part) for part in parts)


def _size(part: Any) -> int:
    if isinstance(part, np.ndarray):
        return part.size if part.ndim else 0
    return sum(map(_size, part)) if isinstance(part, tuple) else 0


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def report(found: Findings) -> str:
    """The findings as tables."""
    rows = []
    for name, published in PUBLISHED.items():
        cost = found.costs[name]
        rows.append(
            (
                name,
                f"{cost.storage:.0f}",
                published[0],
                f"{cost.microseconds:.1f}",
                f"{cost.relative:.2f}",
                f"{float(published[2]) / 0.5:.0f}",
            )
        )
    costs = table(
        ("method", "storage a weight", "published", "µs a pattern", "of SGD's", "published"), rows
    )
    return "\n\n".join(
        [
            "### Independent points",
            _ends(found.independent),
            "### Points on a random walk",
            _ends(found.wandering),
            "### What a pattern costs",
            costs,
        ]
    )


def _ends(curves: Mapping[str, Curve]) -> str:
    def at(curve: Curve, part: float) -> str:
        return f"{curve.loss[int(part * (len(curve.loss) - 1))]:.3f}"

    return table(
        ("method", "loss after a tenth", "half", "all", "on the grid", "error there", "broke"),
        [
            (
                method,
                *(at(curve, part) for part in (0.1, 0.5, 1.0)),
                f"{curve.final:.3f}",
                f"{100 * curve.error:.1f} %",
                curve.broke,
            )
            for method, curve in curves.items()
        ],
    )
