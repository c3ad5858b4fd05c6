"""Gradient descent with fixed steps: what it does on quadratics, in wells and at saddles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import symopt
from examples.reproductions.page import table

HERE = Path(__file__).parent
CURVATURES = np.array([1.0, 1 / 3])
SERIES = (2.1, 2.0, 1.5, 1.0, 0.75)
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """The way of gradient descent with one rate."""

    rate: float
    points: Array  # (steps + 1, n)
    values: Array


@dataclass(frozen=True, slots=True)
class Condition:
    """How many steps a condition number costs, and what theory says."""

    number: float
    steps: int
    predicted: float


@dataclass(frozen=True, slots=True)
class Saddle:
    """How long a start near the saddle stays there, and where two methods end."""

    offset: float
    steps: int | None  # until it has gone half of the way to a minimum; None if it never leaves
    bfgs: float
    trust_region: float


@dataclass(frozen=True, slots=True)
class Gap:
    """How far descent is from the minimum after so many steps on the worst case for as many."""

    steps: int
    measured: float
    bound: float  # |w₀ − w*|²/(2ηk)


@dataclass(frozen=True, slots=True)
class Minimum:
    """The bottom of the narrow well."""

    place: float
    curvature: float


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    single: tuple[Way, ...]  # on one curvature of 2
    series: tuple[Way, ...]  # on curvatures of 1 and 1/3
    conditions: tuple[Condition, ...]
    linear: Way  # on a strongly convex quadratic of condition 10
    sublinear: Way  # on Nesterov's worst case, whose curvature has no lower bound
    worst: tuple[Gap, ...]
    narrow: Minimum
    wells: tuple[Way, ...]
    saddles: tuple[Saddle, ...]


def measure(quick: bool) -> Findings:
    """All runs; the quick ones are shorter."""
    quadratic = symopt.load(HERE / "quadratic.sym")
    two = quadratic.bind(a=CURVATURES)
    one, ten = two.rebind(a=[2.0]), two.rebind(a=np.geomspace(0.1, 1, 8))
    chain = symopt.load(HERE / "chain.sym").bind(n=100 if quick else 400)
    wells = symopt.load(HERE / "wells.sym").bind()
    saddle = symopt.load(HERE / "saddle.sym").bind()
    numbers = np.geomspace(1, 100 if quick else 1000, 3 if quick else 7)
    ways = tuple(descend(wells, rate, 400) for rate in (0.01, 0.03, 0.2, 0.5))
    return Findings(
        tuple(descend(one, rate, 25) for rate in (0.2, 0.5, 0.8, 1.0, 1.05)),
        tuple(descend(two, rate, 40) for rate in SERIES),
        tuple(_condition(two, float(number)) for number in numbers),
        descend(ten, 2 / 1.1, 60),
        descend(chain, 1.0, 200 if quick else 2000),
        _worst((1, 10, 100) if quick else (1, 10, 100, 1000)),
        _minimum(wells, ways[0].points[-1]),
        ways,
        tuple(_saddle(saddle, offset) for offset in (1e-1, 1e-3, 1e-6, 1e-12, 0.0)),
    )


def descend(problem: symopt.Problem, rate: float, steps: int, start: Array | None = None) -> Way:
    """Every point of gradient descent with a fixed rate, for so many steps at most."""
    run = symopt.iterate(
        problem,
        "gradient-descent",
        x0=start,
        tol=0,
        max_iter=steps,
        options={"rate": rate},
    )
    seen: dict[int, tuple[Array, float]] = {}
    for state in run:
        seen.setdefault(state.iteration, (state.x, state.fun))
    points, values = zip(*seen.values(), strict=True)
    return Way(rate, np.array(points), np.array(values))


def contractions(path: Way) -> Array:
    """By what each unknown is multiplied in a step, on average."""
    first, last = path.points[0], path.points[-1]
    with np.errstate(divide="ignore"):
        return np.abs(last / first) ** (1 / (len(path.points) - 1))


def behaviour(path: Way) -> str:
    """What the first unknown does on its way to 0."""
    w = path.points[:, 0]
    if np.abs(w[-1]) > np.abs(w[0]):
        return "diverges"
    if np.abs(w[-1]) == np.abs(w[0]):
        return "jumps to and fro for ever"
    if (w[1:] == 0).any():
        return "is there in one step"
    return "oscillates, converges" if (w[1:] * w[:-1] < 0).any() else "monotone"


def lipschitz_bound(path: Way, least: float, minimum: Array) -> Array:
    """|w₀ − w*|² / (2ηk), which smooth convex objectives stay below for η up to 1/L."""
    steps = np.arange(1, len(path.values))
    return np.sum((path.points[0] - minimum) ** 2) / (2 * path.rate * steps) + least


def chain_minimum(count: int) -> tuple[Array, float]:
    """Where Nesterov's worst case is least, and its value there (Nesterov 2004, 2.1.2)."""
    place = 1 - np.arange(1, count + 1) / (count + 1)
    return place, -(1 - 1 / (count + 1)) / 8


def _condition(quadratic: symopt.Problem, number: float) -> Condition:
    """Steps to a millionth of the distance, at the best fixed rate 2/(L + μ)."""
    problem = quadratic.rebind(a=[1.0, 1 / number])
    contraction = (number - 1) / (number + 1)
    predicted = np.log(1e-6) / np.log(contraction) if number > 1 else 1.0
    path = descend(problem, 2 / (1 + 1 / number), int(predicted) + 10)
    distance = np.linalg.norm(path.points, axis=1) / np.linalg.norm(path.points[0])
    return Condition(number, int(np.argmax(distance <= 1e-6)), float(predicted))


def _worst(counts: tuple[int, ...]) -> tuple[Gap, ...]:
    """The worst smooth convex function for k steps of rate 1/L (Drori and Teboulle 2014).

    A slope of 1/(2k + 1), so gentle that k steps from 1 do not lead to the end of it.
    """
    problem = symopt.load(HERE / "kink.sym").bind(d=1.0)
    found = []
    for count in counts:
        path = descend(problem.rebind(d=1 / (2 * count + 1)), 1.0, count)
        found.append(Gap(count, float(path.values[count]), 1 / (2 * count)))
    return tuple(found)


def _minimum(problem: symopt.Problem, place: Array) -> Minimum:
    return Minimum(float(place[0]), float(problem.hess(place)[0, 0]))


def _saddle(problem: symopt.Problem, offset: float) -> Saddle:
    start = problem.pack({"x": offset, "y": 1.0})
    path = descend(problem, 0.1, 1000, start)
    away = np.flatnonzero(np.abs(path.points[:, 0]) > 0.5)
    ends = {
        method: abs(float(symopt.minimize(problem, method, x0=start).x[0]))
        for method in ("bfgs", "trust-region")
    }
    steps = int(away[0]) if away.size else None
    return Saddle(offset, steps, ends["bfgs"], ends["trust-region"])


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def report(found: Findings) -> str:
    """The findings as tables."""
    return "\n\n".join(
        [
            "### One curvature, a = 2",
            table(
                ("rate", "in units of 1/a", "what it does", "contraction", "abs(1 − ηa)"),
                [
                    (
                        f"{path.rate:g}",
                        f"{2 * path.rate:g}",
                        behaviour(path),
                        f"{contractions(path)[0]:.12g}",
                        f"{abs(1 - 2 * path.rate):.12g}",
                    )
                    for path in found.single
                ],
            ),
            "### Curvatures 1 and 1/3",
            table(
                ("rate", "contraction along 1", "along 1/3", "objective after 40 steps"),
                [
                    (
                        f"{path.rate:g}",
                        *(f"{c:.6g}" for c in contractions(path)),
                        f"{path.values[-1]:.4g}",
                    )
                    for path in found.series
                ],
            ),
            "### Steps to a millionth of the distance, at the best fixed rate",
            table(
                ("condition number", "steps", "log(1e-6) / log((κ−1)/(κ+1))"),
                [(f"{c.number:.5g}", c.steps, f"{c.predicted:.1f}") for c in found.conditions],
            ),
            "### Rates of convergence",
            _rates(found),
            "### A local optimum: where descent from 1.1 ends",
            f"The narrow well has its minimum at {found.narrow.place:.6f}, where the curvature is "
            f"{found.narrow.curvature:.4g}: it holds rates below {2 / found.narrow.curvature:.3f}.",
            table(
                ("rate", "ends at", "objective"),
                [
                    (f"{p.rate:g}", f"{p.points[-1, 0]:.6f}", f"{p.values[-1]:.6f}")
                    for p in found.wells
                ],
            ),
            "### A saddle",
            table(
                (
                    "start off the saddle",
                    "steps until it leaves",
                    "abs(x) of bfgs",
                    "of trust-region",
                ),
                [
                    (
                        f"{s.offset:g}",
                        "never" if s.steps is None else s.steps,
                        f"{s.bfgs:.6f}",
                        f"{s.trust_region:.6f}",
                    )
                    for s in found.saddles
                ],
            ),
        ]
    )


def _rates(found: Findings) -> str:
    linear = found.linear.values
    measured = (linear[-1] / linear[-21]) ** (1 / 20)
    minimum, least = chain_minimum(found.sublinear.points.shape[1])
    bound = lipschitz_bound(found.sublinear, least, minimum)
    share = float(np.max((found.sublinear.values[1:] - least) / (bound - least)))
    k = len(bound)
    gap = found.sublinear.values - least
    slope = np.log(gap[k // 2] / gap[k // 20]) / np.log((k // 2) / (k // 20))
    words = (
        f"Strongly convex, condition 10, rate 2/(L + μ): the objective falls by {measured:.6f} a "
        f"step; ((κ−1)/(κ+1))² = {(9 / 11) ** 2:.6f}.\n\n"
        f"Nesterov's chain of {len(minimum)}, rate 1/L: at most {share:.3f} of the bound "
        f"|w₀ − w*|²/(2ηk) in {k} steps; the gap falls like k^{slope:.2f}.\n\n"
        "Drori and Teboulle's functions, rate 1/L, each the worst for its number of steps:"
    )
    rows = [(g.steps, f"{g.measured:.8f}", f"{g.bound:.8f}") for g in found.worst]
    return f"{words}\n\n{table(('steps k', 'f − f*', 'the bound 1/(2k)'), rows)}"
