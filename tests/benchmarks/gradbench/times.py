"""How long objectives and derivatives take, beside JAX where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from timeit import Timer
from typing import Any

import numpy as np

from tests.benchmarks.fast_core.report import duration
from tests.benchmarks.fast_core.rounds import interleaved, one_core
from tests.benchmarks.gradbench import inputs
from tests.benchmarks.gradbench.modules import Json
from tests.benchmarks.gradbench.registry import MODULES

SECONDS = 1.0  # for the functions of an input
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Case:
    """An input of a module, and its sizes in words."""

    module: str
    sizes: str
    given: Json


@dataclass(frozen=True, slots=True)
class Row:
    """Median seconds of the functions of a case, by who computes what."""

    case: Case
    seconds: Mapping[str, float]


OURS, PEER = "symopt", "JAX"
KINDS = ("objective", "derivative")
COLUMNS = tuple(f"{who}, {kind}" for who in (OURS, PEER) for kind in KINDS)


def cases(only: Sequence[str] = ()) -> Iterator[Case]:
    """Sizes among those of GradBench's own evaluations."""
    for module, sizes, given in (
        ("lse", "n = 2,500", lambda: inputs.lse(0, 2500)),
        ("lse", "n = 160,000", lambda: inputs.lse(0, 160_000)),
        ("llsq", "n = 1,024, m = 128", lambda: inputs.llsq(0, 1024, 128)),
        ("llsq", "n = 16,392, m = 128", lambda: inputs.llsq(0, 16392, 128)),
        ("ode", "n = 1,000, s = 10", lambda: inputs.ode(0, 1000, 10)),
        ("ode", "n = 10,000, s = 100", lambda: inputs.ode(0, 10_000, 100)),
        ("det", "ell = 5", lambda: inputs.det(0, 5)),
        ("det", "ell = 11", lambda: inputs.det(0, 11)),
        ("kmeans", "k = 10, n = 1,000, d = 8", lambda: inputs.kmeans(0, 1000, 10, 8)),
        ("kmeans", "k = 100, n = 10,000, d = 16", lambda: inputs.kmeans(0, 10_000, 100, 16)),
        ("gmm", "d = 2, k = 5, n = 1,000", lambda: inputs.gmm(0, 1000, 2, 5)),
        ("gmm", "d = 10, k = 25, n = 1,000", lambda: inputs.gmm(0, 1000, 10, 25)),
        ("gmm", "d = 32, k = 50, n = 1,000", lambda: inputs.gmm(0, 1000, 32, 50)),
        ("ba", "n = 49, m = 7,776, p = 31,843", lambda: inputs.ba(0, 49, 7776, 31843)),
        ("ht", "simple, 192 points", lambda: inputs.ht(0, 544, 192, False)),
        ("ht", "complicated, 192 points", lambda: inputs.ht(0, 544, 192, True)),
        ("ht", "complicated, 6,400 points", lambda: inputs.ht(0, 544, 6400, True)),
        ("lstm", "l = 2, c = 1,024, b = 14", lambda: inputs.lstm(0, 2, 1024, 14)),
        ("lstm", "l = 4, c = 4,096, b = 14", lambda: inputs.lstm(0, 4, 4096, 14)),
    ):
        if not only or module in only:
            yield Case(module, sizes, given())


def report(only: Sequence[str], page: bool = False) -> None:
    """Measure, print, and write the page if that is asked."""
    peer = importlib.util.find_spec("jax") is not None
    if not peer:
        print("JAX is left out: it is not installed")
    rows: list[Row] = []
    with one_core():
        for case in cases(only):
            rows.append(measure(case, peer))
            print("  ".join([f"{case.module:7} {case.sizes:32}", *as_words(rows[-1])]), flush=True)
    if page:
        from tests.benchmarks.gradbench.page import write

        write(rows)


def as_words(row: Row) -> list[str]:
    """A text for each of the columns."""
    return [duration(row.seconds[name]) if name in row.seconds else "" for name in COLUMNS]


def measure(case: Case, peer: bool) -> Row:
    """Times of one case, after a look at whether the results agree."""
    module = MODULES[case.module]
    problem, p = module.bind(case.given)
    calls = {
        f"{OURS}, {kind}": (function.call, (problem, p))
        for kind, function in zip(KINDS, module.functions.values(), strict=True)
    }
    if peer:
        from tests.benchmarks.gradbench.jax_peer import jax
        from tests.benchmarks.gradbench.jax_peer import peer as functions

        other = functions(case.module, case.given)
        for kind, function in zip(KINDS, (other.objective, other.derivative), strict=True):
            run = lambda point, function=function: jax.block_until_ready(function(point))  # noqa: E731
            calls[f"{PEER}, {kind}"] = (run, (other.point,))
            _agree(case, kind, *(_size(calls[f"{who}, {kind}"]) for who in (OURS, PEER)))
    timers = {name: Timer(_bound(*call)) for name, call in calls.items()}
    taken = interleaved(timers, SECONDS)
    return Row(case, {name: float(np.median(samples)) for name, samples in taken.items()})


def _bound(function: Any, arguments: tuple[Any, ...]) -> Any:
    return lambda: function(*arguments)


def _size(call: tuple[Any, tuple[Any, ...]]) -> float:
    """The root of the sum of the squares of all numbers of a result, however they are arranged."""
    function, arguments = call
    return float(np.sqrt(sum(np.sum(part**2) for part in _parts(function(*arguments)))))


def _parts(result: Any) -> list[np.ndarray]:
    if hasattr(result, "data") and hasattr(result, "indptr"):
        return [result.data]
    if isinstance(result, tuple):
        return [np.asarray(part) for part in result]
    return [np.asarray(result)]


def _agree(case: Case, kind: str, ours: float, theirs: float) -> None:
    assert abs(ours - theirs) <= TOLERANCE * theirs, (case.module, case.sizes, kind, ours, theirs)
