"""Backpropagation fails to separate where perceptrons succeed (Brady, Raghavan, Slawny 1989)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import symopt
from examples.reproductions.page import table
from examples.reproductions.separation.stationary import Points, Stationary, stationary_points

HERE = Path(__file__).parent
FAR = 10.0  # the t of the fourth point
FOUR = Points(
    np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -FAR]]),
    np.array([1, 1, 0, 1]),
    np.ones(4),
)
# On a line, two places with 200 points each, and one point more.
LINE = Points(
    np.array([[-1.0], [1.0], [-0.25]]),
    np.array([0, 1, 1]),
    np.array([200.0, 200.0, 1.0]),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A way of learning: a program, and how it is minimized."""

    label: str
    program: str
    method: str
    max_iter: int
    batch_size: int | None = None
    options: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Where the runs of a rule ended: weights with the bias last, one row for each start."""

    rule: Rule
    weights: NDArray[np.float64]
    separates: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A training set, all its stationary points, and what each rule makes of it."""

    title: str
    points: Points
    stationary: tuple[Stationary, ...]
    outcomes: tuple[Outcome, ...]


def rules(rate: float) -> tuple[Rule, ...]:
    """Backpropagation in several ways, and the perceptron."""
    steps = {"rate": rate}
    return (
        Rule("backpropagation, all points", "unit", "gradient-descent", 1500, None, steps),
        Rule("backpropagation with momentum", "unit", "momentum", 1000, None, steps),
        Rule("backpropagation, point by point", "unit", "sgd", 3000, 1, steps),
        Rule("BFGS on its error", "unit", "bfgs", 500),
        Rule("Levenberg-Marquardt on its error", "unit", "lm", 200),
        Rule("no error beyond the target, lm", "forgiving", "lm", 200),
        Rule("perceptron", "perceptron", "perceptron", 2000, None, {"rate": 1.0}),
    )


def measure(quick: bool) -> tuple[Example, Example]:
    """Both examples."""
    starts = 5 if quick else 20
    return (
        _example("four points", FOUR, 0.1, starts),
        _example("a line", LINE, 1e-3, starts),
    )


def _example(title: str, points: Points, rate: float, starts: int) -> Example:
    outcomes = [_outcome(rule, points, starts) for rule in rules(rate)]
    return Example(title, points, stationary_points(points), tuple(outcomes))


def _outcome(rule: Rule, points: Points, starts: int) -> Outcome:
    data = {"X": points.places, "label": points.labels, "copies": points.copies}
    if rule.program == "perceptron":
        data.pop("copies")
    problem = symopt.load(HERE / f"{rule.program}.sym").bind(data)
    chance = np.random.default_rng(1)
    ends = [
        symopt.minimize(
            problem,
            rule.method,
            x0=chance.normal(size=problem.n),
            max_iter=rule.max_iter,
            batch_size=rule.batch_size,
            seed=start,
            options=rule.options,
        ).x
        for start in range(starts)
    ]
    separates = np.array([points.separated(weights) for weights in ends])
    return Outcome(rule, np.array(ends), separates)


def report(found: tuple[Example, Example]) -> str:
    """The stationary points, and how many runs ended with all points on their sides."""
    places = table(
        (
            "points",
            "stationary point",
            "weights, bias last",
            "loss",
            "least curvature",
            "separates",
        ),
        [
            (
                example.title,
                at.kind,
                ", ".join(f"{w:.3f}" for w in at.weights),
                f"{at.loss:.4f}",
                f"{at.curvatures[0]:.2g}",
                "yes" if at.separates else "no",
            )
            for example in found
            for at in example.stationary
        ],
    )
    runs = table(
        ("rule", *(f"{example.title}: runs that separate" for example in found)),
        [
            (pair[0].rule.label, *(f"{o.separates.sum()} of {len(o.separates)}" for o in pair))
            for pair in zip(*(example.outcomes for example in found), strict=True)
        ],
    )
    return f"{places}\n\n{runs}"
