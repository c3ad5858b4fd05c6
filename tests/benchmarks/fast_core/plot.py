"""Time against the number of samples, one drawing for each kind of work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tests.benchmarks.fast_core import measure, ours
from tests.benchmarks.fast_core.rounds import interleaved
from tests.benchmarks.fast_core.work import (
    CASADI,
    EXPANDED,
    HEYOKA,
    JAX,
    LAMBDIFY,
    NUMBA,
    UNROLLED,
    C,
    work,
)

SIZES = tuple(10**power for power in range(7))
LONGEST = 0.5  # seconds of a call: who is expected to take longer at a size is left out there
SECONDS = 0.2  # spent on each size
# Always the same colour for the same contender; ours is the one to be found at once.
_STYLES = {
    ours.NAME: ("#000000", 2.4),
    C: ("#d55e00", 1.4),
    UNROLLED: ("#e69f00", 1.4),
    JAX: ("#0072b2", 1.4),
    EXPANDED: ("#88bbee", 1.4),
    HEYOKA: ("#009e73", 1.4),
    CASADI: ("#cc79a7", 1.4),
    NUMBA: ("#56b4e9", 1.4),
    LAMBDIFY: ("#999999", 1.4),
}

Curves = Mapping[str, Mapping[int, float]]


def curves(key: str, peers: Iterable[str]) -> Curves:
    """Seconds of a call by contender and size; of several ways of one peer the best at each."""
    found: dict[str, dict[int, float]] = {}
    makers = {"": measure.own_and_plain_c, **{peer: measure.peer(peer) for peer in peers}}
    for n in SIZES:
        one = work(key, n)
        made = {name: make(one) for name, make in makers.items()}
        every = {each.name: each for group in made.values() for each in group}
        times = interleaved({name: each.timer for name, each in every.items()}, SECONDS)
        medians = {name: float(np.median(taken)) for name, taken in times.items()}
        for name, each in every.items():
            points = found.setdefault(each.family, {})
            points[n] = min(points.get(n, np.inf), medians[name])
        for name, group in made.items():
            # From one size to the next the time grows tenfold, or less.
            if not group or 10 * max(medians[each.name] for each in group) > LONGEST:
                makers.pop(name)
        if not makers:
            break
    return found


def draw(key: str, found: Curves, directory: Path) -> Path:
    """A drawing of the curves, the same bytes for the same numbers."""
    matplotlib.rcParams |= {"svg.hashsalt": key, "svg.fonttype": "none"}
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    for family, (colour, width) in _STYLES.items():
        if points := found.get(family):
            sizes = list(points)
            times = [points[n] for n in sizes]
            axes.loglog(sizes, times, "o-", color=colour, lw=width, ms=3, label=family)
    axes.set_title(work(key, 1).title, fontsize=10)
    axes.set_xlabel("samples")
    axes.set_ylabel("seconds of a call")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    path = directory / f"fast-core-{key}.svg"
    figure.savefig(path, metadata={"Date": None})
    return path
