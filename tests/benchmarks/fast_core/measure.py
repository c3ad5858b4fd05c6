"""Agreement with plain C first, then times and ratios."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.fast_core import ours, plain_c
from tests.benchmarks.fast_core.rounds import interleaved
from tests.benchmarks.fast_core.work import Contender, Goal, Parts, Work

# Modules of the peers by the names that `--peers` takes; each needs packages of its own.
PEERS = {
    "numba": "numba_peer",
    "jax": "jax_peer",
    "casadi": "casadi_peer",
    "heyoka": "heyoka_peer",
    "lambdify": "lambdify_peer",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One contender: seconds of a call, our time divided by its, its distance from plain C."""

    name: str
    median: float
    least: float
    ratio: float
    error: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal, the best contender that it is against, and the ratio reached."""

    goal: Goal
    best: str
    ratio: float

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio <= self.goal.limit


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was found out about a work."""

    work: Work
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]


def missing(peers: Iterable[str]) -> dict[str, str]:
    """Peers that cannot be imported here, with the package that is not installed."""
    found: dict[str, str] = {}
    for peer in peers:
        try:
            importlib.import_module(f"tests.benchmarks.fast_core.{PEERS[peer]}")
        except ModuleNotFoundError as error:
            found[peer] = error.name or peer
    return found


def own_and_plain_c(work: Work) -> tuple[Contender, ...]:
    """symopt first, then plain C."""
    return ours.contender(work), *plain_c.contenders(work)


def peer(name: str) -> Callable[[Work], tuple[Contender, ...]]:
    """What makes a peer's contenders for a work: none where it has no way of doing it."""
    return importlib.import_module(f"tests.benchmarks.fast_core.{PEERS[name]}").contenders


def contenders(work: Work, peers: Iterable[str]) -> tuple[Contender, ...]:
    """symopt first, then plain C, then what the peers have for this work."""
    others = (one for name in peers for one in peer(name)(work))
    return *own_and_plain_c(work), *others


def measure(work: Work, peers: Iterable[str], seconds: float) -> Outcome:
    """Agreement and times of a work, in about so many seconds."""
    found = contenders(work, peers)
    wanted = plain_c.contenders(work)[0]
    wanted.run()
    return compare(work, found, wanted.parts(), seconds)


def compare(work: Work, found: Iterable[Contender], wanted: Parts, seconds: float) -> Outcome:
    """Distance from what is wanted, then times, of contenders of which symopt is one."""
    errors = {one.name: error(one, wanted) for one in found}
    times = interleaved({one.name: one.timer for one in found}, seconds)
    rows = tuple(_row(one.name, times, errors[one.name]) for one in found)
    return Outcome(work, rows, tuple(_verdicts(work, found, rows)))


def error(contender: Contender, wanted: Parts) -> float:
    """The largest difference of any part, relative to the largest element of that part."""
    contender.run()
    found = contender.parts()
    assert len(found) == len(wanted), contender.name
    return max(_difference(f, w) for f, w in zip(found, wanted, strict=True))


def _difference(found: NDArray[np.float64] | float, wanted: NDArray[np.float64] | float) -> float:
    f, w = np.asarray(found), np.asarray(wanted)
    assert f.shape == w.shape, (f.shape, w.shape)
    return float(np.max(np.abs(f - w), initial=0.0) / np.max(np.abs(w), initial=1e-300))


def _row(name: str, times: Mapping[str, NDArray[np.float64]], error: float) -> Row:
    own, theirs = times[ours.NAME], times[name]
    return Row(
        name,
        float(np.median(theirs)),
        float(np.min(theirs)),
        float(np.median(own / theirs)),
        error,
    )


def _verdicts(work: Work, found: Iterable[Contender], rows: Iterable[Row]) -> Iterable[Verdict]:
    families = {one.name: one.family for one in found}
    for goal in work.goals:
        rivals = [row for row in rows if families[row.name] in goal.families]
        if rivals:
            best = min(rivals, key=lambda row: row.median)
            yield Verdict(goal, best.name, best.ratio)
