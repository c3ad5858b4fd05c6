"""The page of results: docs/benchmarks/fast-core.md."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.fast_core import compiling, plain_c
from tests.benchmarks.fast_core.compiling import Compilation
from tests.benchmarks.fast_core.measure import PEERS, Outcome
from tests.benchmarks.fast_core.report import as_markdown, duration, title
from tests.benchmarks.fast_core.work import KEYS

DIRECTORY = Path(__file__).parents[3] / "docs" / "benchmarks"
_HEAD = """\
# The fast core

Four losses, each through the ordinary path from its `.sym` file, against plain C and other ways of
computing the same derivatives. Written by `make bench`; the programs are in
`tests/benchmarks/fast_core`, and `python -m tests.benchmarks.fast_core --only softmax --peers
c,jax` runs one of them.

- Everything runs in one process on one core, one thread. In every round each contender runs once,
  in random order, for a millisecond or more; ratios are medians of the ratios within rounds, times
  are medians over the rounds. Below 1, symopt is faster.
- Before anything is timed, results are compared: the error is the largest difference from plain C
  (for the calls: from SciPy), relative to the largest element of that part of the result.
- Plain C is written by hand, derivatives too, as one natural loop over the samples. For JᵀJ there
  is also a variant with each of the 27 sums in a variable of its own, which the C compiler turns
  into vectors, with a vector exp.
- JAX has float64, one thread, and no dispatch to another thread; of several ways of writing a work
  the best counts. Not counted is the mixture by expanded squares, x'Px - 2x'Pμ + μ'Pμ, which is
  another algorithm: where data is a thousand times its spread away from the origin it is right to 8
  digits, the others to 12 or more.
- heyoka's results are columns, not rows, and gathering its inputs is not timed; those of `lambdify`
  are a list of columns. CasADi maps a function of one sample over all, by its virtual machine or as
  generated C.
- A call is written `problem.value(p)`, after a first one; CasADi's is of its buffers.
- Compiling is from the statements of a loaded file to a callable, nothing from a cache.
"""


def write(
    outcomes: Sequence[Outcome],
    compilations: Sequence[Compilation],
    absent: dict[str, str],
    directory: Path = DIRECTORY,
) -> Path:
    """The page; drawings that are beside it are shown."""
    drawings = [f"fast-core-{key}.svg" for key in KEYS]
    shown = [f"![]({name})" for name in drawings if (directory / name).exists()]
    parts = [
        _HEAD,
        f"{_machine(absent)}\n",
        "## Goals\n",
        *_goals(outcomes, compilations),
        "\n## Times\n",
        *(as_markdown(outcome) for outcome in outcomes),
        "## Compiling\n",
        *_compiling(compilations),
        *(["\n## Time against the number of samples\n", *shown] if shown else []),
    ]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "fast-core.md"
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return path


def _goals(outcomes: Iterable[Outcome], compilations: Iterable[Compilation]) -> list[str]:
    rows = ["| work | symopt takes | goal | |", "| --- | --- | --- | --- |"]
    for outcome in outcomes:
        for each in outcome.verdicts:
            met = "met" if each.met else "**not met**"
            goal = f"≤ {each.goal.limit:g} × {', '.join(each.goal.families)}"
            rows.append(f"| {title(outcome)} | {each.ratio:.3f} × {each.best} | {goal} | {met} |")
    for each in compilations:
        met = "met" if each.met else "**not met**"
        limit = duration(compiling.GOAL)
        rows.append(f"| compiling {each.key} | {duration(each.total)} | ≤ {limit} | {met} |")
    return rows


def _compiling(compilations: Iterable[Compilation]) -> list[str]:
    rows = ["| work | function | derivatives, loops, IR | LLVM | in all |", "|" + " --- |" * 5]
    for each in compilations:
        times = (duration(seconds) for seconds in (each.ours, each.llvm, each.total))
        rows.append(f"| {each.key} | `{each.function}` | {' | '.join(times)} |")
    return rows


def _machine(absent: dict[str, str]) -> str:
    ours = ", ".join(f"{name} {version(name)}" for name in ("numpy", "llvmlite", "sympy"))
    others = [
        f"{name} {importlib.import_module(f'tests.benchmarks.fast_core.{module}').VERSION}"
        for name, module in PEERS.items()
        if name not in absent
    ]
    lines = [
        f"Measured on {_processor()} ({os.cpu_count()} processors), {platform.system()}, "
        f"Python {platform.python_version()}, {ours}.",
        f"Plain C: {_c_compiler()}, `{' '.join(plain_c.FLAGS)}`.",
        f"Peers: {', '.join(others) or 'none'}.",
    ]
    if absent:
        lines.append(f"Not installed and left out: {', '.join(absent)}.")
    return "\n".join(lines)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":")[1] for line in text.splitlines() if line.startswith("model name"))
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    vectors = next((name for name in ("avx512f", "avx2") if name in flags), "no AVX")
    return f"{next(names, platform.machine()).strip()}, {vectors}"


def _c_compiler() -> str:
    done = subprocess.run([plain_c.COMPILER, "--version"], capture_output=True, text=True)
    return done.stdout.splitlines()[0]
