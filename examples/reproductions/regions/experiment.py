"""Online learning of four regions: SGD, ALAP, SMD and the global extended Kalman filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
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
BATCH, LARGE = 10, 1000
Array = NDArray[np.float64]
Source = Callable[[int, int, int], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Learner:
    """A method with its settings."""

    name: str
    method: str
    options: Mapping[str, object]

    @property
    def slow(self) -> bool:
        return self.method == "gekf"


def _learner(name: str, method: str, **options: object) -> Learner:
    return Learner(name, method, MappingProxyType(options))


_SMD = {"meta_rate": 1.0, "decay": 0.998, "product": "gauss-newton"}
# The best of a small grid of settings on independent points, and the best on a walk.
LEARNERS = (
    _learner("SGD", "sgd", rate=0.3),
    _learner("ALAP", "alap", rate=1.0, meta_rate=0.03),
    _learner("SMD", "smd", rate=1.0, **_SMD),
    _learner("GEKF", "gekf", noise=0.1),  # the mean of ten is a tenth of their log-likelihood
    _learner("SGD, careful", "sgd", rate=0.1),
    _learner("ALAP, careful", "alap", rate=0.1, meta_rate=0.03),
    _learner("SMD, careful", "smd", rate=0.3, **_SMD),
    _learner("GEKF, careful", "gekf", noise=0.3),
)
BROKEN = 10.0  # who knows nothing has a loss of ln 4
# Schraudolph's table, relative to SGD: storage a weight, flops an update, CPU ms a pattern.
PUBLISHED = {
    "SGD": ("1", "6", "0.5"),
    "SMD": ("3", "18", "1.0"),
    "ALAP": ("4", "18", "1.0"),
    "GEKF": ("> 90", "> 1500", "40"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The loss of fresh points before each step, the median of some runs."""

    patterns: Array
    loss: Array
    final: float  # on a grid of the whole square, at the end
    error: float  # the part of that grid that is taken for another region
    runs: int
    broke: int  # runs that ended before their time, or with a loss above `BROKEN`

    def after(self, patterns: float) -> float:
        """The loss there; nan beyond the end."""
        return float(np.interp(patterns, self.patterns, self.loss, right=np.nan))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a pattern costs."""

    storage: float  # numbers a weight
    microseconds: float  # a pattern, ten a step
    relative: float  # to SGD
    large: float  # to SGD, a thousand a step: overheads of a step hardly count


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    independent: Mapping[str, Curve]
    wandering: Mapping[str, Curve]
    costs: Mapping[str, Cost]


def measure(quick: bool) -> Findings:
    """Learning curves on both kinds of points, and costs."""
    usual, slow = ((600, 2), (80, 1)) if quick else ((2500, 10), (2500, 3))
    model = symopt.load(HERE / "network.sym")
    judge = model.bind(labelled(grid()))
    problem = judge.rebind(labelled(grid(4)))

    def curves(source: Source) -> dict[str, Curve]:
        return {
            learner.name: _curve(
                problem, judge, learner, source, *(slow if learner.slow else usual)
            )
            for learner in LEARNERS
        }

    return Findings(curves(drawn), curves(wandering), _costs(problem, 100 if quick else 1000))


def learn(
    problem: symopt.Problem, learner: Learner, batches: Iterable[Any], seed: int
) -> Iterator[Any]:
    """The iterates of a run on a stream."""
    return symopt.iterate(
        problem, learner.method, stream=batches, seed=seed, options=dict(learner.options)
    )


def _curve(
    problem: symopt.Problem,
    judge: symopt.Problem,
    learner: Learner,
    source: Source,
    steps: int,
    runs: int,
) -> Curve:
    window = max(steps // 50, 10)
    losses, finals, errors, broke = [], [], [], 0
    for seed in range(runs):
        seen, x = np.full(steps, np.inf), problem.x0
        for state in learn(problem, learner, source(steps, BATCH, seed), seed):
            x = state.x
            if state.status is None and state.iteration < steps:  # beyond, nothing is fresh
                seen[state.iteration] = state.fun
        losses.append(seen[: steps // window * window].reshape(-1, window).mean(axis=1))
        finals.append(judge.value(x))
        errors.append(judge.eval("error", x))
        broke += not (np.isfinite(seen[-1]) and finals[-1] < BROKEN)
    middle = np.median(losses, axis=0)
    patterns = np.asarray((np.arange(len(middle)) + 0.5) * window * BATCH, np.float64)
    final, error = float(np.median(finals)), float(np.median(errors))
    return Curve(patterns, middle, final, error, runs, broke)


def _costs(problem: symopt.Problem, steps: int) -> dict[str, Cost]:
    """Time a pattern, and what states hold."""
    measured = [learner for learner in LEARNERS if learner.name in PUBLISHED]
    small, numbers = _times(problem, measured, steps, BATCH)
    large, _ = _times(problem, measured, steps // 10, LARGE)
    return {
        learner.name: Cost(
            numbers[learner.name] / problem.n,
            small[learner.name] * 1e6,
            small[learner.name] / small["SGD"],
            large[learner.name] / large["SGD"],
        )
        for learner in measured
    }


def _times(
    problem: symopt.Problem, learners: Sequence[Learner], steps: int, batch: int
) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds a pattern, the best of some runs taken by turns, and how many numbers are kept."""
    best, numbers = {learner.name: np.inf for learner in learners}, {}
    for turn in range(4):
        for learner in learners:
            count = max(steps // (20 if learner.slow else 1), 5)
            batches = list(drawn(count, batch, seed=turn))
            began = perf_counter()
            *_, last = learn(problem, learner, batches, seed=0)
            seconds = (perf_counter() - began) / (count * batch)
            if turn > 0:  # the first compiles
                best[learner.name] = min(best[learner.name], seconds)
            numbers[learner.name] = _numbers(last.state)
    return best, numbers


def _numbers(state: Any) -> int:
    """How many numbers a method carries from step to step: the weights, and what it remembers."""
    if isinstance(state, np.ndarray):
        return state.size
    if isinstance(state, tuple):
        return sum(map(_numbers, state))
    if not is_dataclass(state):
        return 0
    # The point is what was seen last, which is made again in each step; units are of the problem.
    kept = [f.name for f in fields(state) if f.name not in ("point", "sizes")]
    return sum(_numbers(getattr(state, name)) for name in kept)


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
                f"{cost.large:.2f}",
                f"{float(published[2]) / float(PUBLISHED['SGD'][2]):.0f}",
                published[1],
            )
        )
    costs = table(
        (
            "method",
            "storage a weight",
            "published",
            "µs a pattern",
            "in SGD's",
            "with 1000 a step",
            "published time",
            "published flops a weight",
        ),
        rows,
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
    total = max(curve.patterns[-1] for curve in curves.values())
    points = [part * total // 100 * 100 for part in (0.1, 0.25, 1.0)]

    def shown(loss: float) -> str:
        return (
            f"above {BROKEN:g}"
            if loss > BROKEN
            else f"{loss:.3f}"
            if np.isfinite(loss)
            else "not run"
        )

    return table(
        (
            "method",
            *(f"loss after {count:.0f} patterns" for count in points),
            "on the grid at the end",
            "error there",
            "broke",
        ),
        [
            (
                name,
                *(shown(curve.after(count)) for count in points),
                shown(curve.final),
                f"{100 * curve.error:.1f} %",
                f"{curve.broke} of {curve.runs}",
            )
            for name, curve in curves.items()
        ],
    )
