"""The time from statements to a callable: derivatives, loops, IR, and LLVM's part of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

import symopt
from tests.benchmarks.fast_core import ours
from tests.benchmarks.fast_core.report import duration
from tests.benchmarks.fast_core.work import KEYS, work

GOAL = 0.15
REPEATS = 5
SAMPLES = 100  # nothing that is compiled depends on how many there are


@dataclass(frozen=True, slots=True)
class Compilation:
    """Medians over several compilations of a work's function, in seconds."""

    key: str
    function: str
    ours: float
    llvm: float
    total: float

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.total <= GOAL


def measure_compilation(key: str) -> Compilation:
    """Compile a work's function several times, each in a fresh model."""
    given = work(key, SAMPLES)
    function = ours.FUNCTIONS[key]
    totals, llvm = [], []
    for _ in range(REPEATS):
        model = symopt.load(ours.HERE / f"{given.kernel}.sym")
        problem, _ = ours.bound(given, model)
        fixed = model.fixed_by(problem.dims, problem._bound.arrays)
        start = time.perf_counter()
        compiled = model.compiled(function, None, fixed)
        totals.append(time.perf_counter() - start)
        llvm.append(sum(compiled.library.seconds.values()))
    own = np.subtract(totals, llvm)
    medians = (float(np.median(each)) for each in (own, llvm, totals))
    return Compilation(key, function, *medians)


def measure_compilations() -> tuple[Compilation, ...]:
    """All works."""
    return tuple(measure_compilation(key) for key in KEYS)


def verdict(found: Compilation) -> str:
    """The times of one function against the goal."""
    met = "met" if found.met else "NOT MET"
    return (
        f"compiling {found.key} ({found.function}): {duration(found.total)}, of which LLVM "
        f"{duration(found.llvm)}, goal ≤ {duration(GOAL)}: {met}"
    )
