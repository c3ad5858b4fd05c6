"""Compiled losses called from C, beside plain C.

    python -m tests.benchmarks.embedding

writes docs/benchmarks/embedding.md. One process in C runs all contenders in turn; needs `cc`.
"""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import symopt
from symopt.artifacts.build import generate_code, interface_of
from symopt.artifacts.header import header
from symopt.native.targets import host_target
from tests.benchmarks.fast_core.plain_c import COMPILER
from tests.benchmarks.fast_core.report import duration
from tests.benchmarks.fast_core.rounds import one_core

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks" / "embedding.md"
SOURCES = Path(__file__).parent / "embedding_c"
FLAGS = ("-O3", "-march=native", "-ffast-math")
LOSSES = (  # the program, what its code is called, and sizes to compile in
    ("nist/misra1a", "misra1a", {}),
    ("logistic/logistic", "logistic", {}),
    ("logistic/logistic", "fixed", {"d": 4}),
)
TITLES = {
    "misra1a": "Misra1a: value and gradient",
    "logistic": "Logistic regression, d = 4: value and gradient",
}
SECONDS = 2.0  # spent on each work
HEAD = """\
# Calls from C

Losses as `symopt compile` writes them, called from a program in C that runs them and plain C in
turn. Written by `python -m tests.benchmarks.embedding`; the programs are in
`tests/benchmarks/embedding_c`.

- One process on one core. In every round each contender runs once, in random order, for a
  millisecond or more of processor time. Times are medians over the rounds, ratios medians of the
  ratios within rounds: below 1, symopt is faster.
- Calls include all checks: of sizes, pointers, overlaps, and of every index unless the table says
  that these have been checked before. Plain C checks nothing.
- Plain C is written by hand, derivatives too, as one natural loop over the samples. The C compiler
  makes vectors of these loops, with the vector functions of glibc, which are allowed errors of 4
  units in the last place.
- The error is the largest difference from plain C, relative to the value, or to the largest entry
  of the gradient. At n = 0 there is nothing but the call, the checks, and what does not depend on
  samples.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One contender: seconds of a call, the ratio of ours to it, its distance from plain C."""

    name: str
    median: float
    ratio: float
    error: float


@dataclass(frozen=True, slots=True)
class Table:
    """All contenders of a work; the first of them is ours."""

    work: str
    n: int
    rows: tuple[Row, ...]


def measure(seconds: float = SECONDS) -> list[Table]:
    """Compile everything, run it, and read what it prints."""
    with tempfile.TemporaryDirectory(prefix="embedding-") as name:
        folder = Path(name)
        _build(folder)
        with one_core():
            words = [folder / "main", str(seconds)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
    return list(_tables(done.stdout.splitlines()))


def _build(folder: Path) -> None:
    objects: list[str] = []
    for program, stem, sizes in LOSSES:
        model = symopt.load(ROOT / "examples" / f"{program}.sym")
        interface = interface_of(model, stem, ["value_and_grad"], sizes)
        text = header(interface, f"{program}.sym", [host_target()])
        (folder / f"{stem}.h").write_text(text, encoding="utf-8")
        (folder / f"{stem}.o").write_bytes(generate_code(interface, [host_target()]).image)
        objects.append(f"{stem}.o")
    plain = [COMPILER, *FLAGS, "-c", str(SOURCES / "plain.c"), "-o", "plain.o"]
    subprocess.run(plain, cwd=folder, check=True)
    words = [COMPILER, "-O2", "-I", ".", "-I", str(SOURCES), str(SOURCES / "main.c")]
    words += ["plain.o", *objects, "-lmvec", "-lm", "-o", "main"]
    subprocess.run(words, cwd=folder, check=True)


def _tables(lines: Sequence[str]) -> Iterator[Table]:
    starts = [k for k, line in enumerate(lines) if line.startswith("work ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        _, work, n, count = lines[start].split()
        heads = [line.split(" ", 1) for line in lines[start + 1 : start + 1 + int(count)]]
        rounds = lines[start + 1 + int(count) : end]
        times = np.array([[float(word) for word in line.split()[1:]] for line in rounds])
        rows = (
            Row(name, float(np.median(own)), float(np.median(times[:, 0] / own)), float(error))
            for (error, name), own in zip(heads, times.T, strict=True)
        )
        yield Table(work, int(n), tuple(rows))


def as_markdown(table: Table) -> str:
    """A table for the page."""
    lines = [f"### {TITLES[table.work]}, n = {table.n:,}", ""]
    lines += ["|  | a call | symopt / this | error |", "| --- | --- | --- | --- |"]
    for row in table.rows:
        lines.append(f"| {row.name} | {duration(row.median)} | {row.ratio:.3f} | {row.error:.0e} |")
    return "\n".join([*lines, ""])


def _machine() -> str:
    version = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True)
    return (
        f"Measured on {_processor()} ({os.cpu_count()} processors), {platform.system()}; code for "
        f"{host_target().cpu}. Plain C: {version.stdout.splitlines()[0]}, `{' '.join(FLAGS)}`.\n"
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":")[1] for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.machine()).strip()


def main() -> None:
    """Measure, print, and write the page."""
    tables = [as_markdown(table) for table in measure()]
    print("\n".join(tables))
    PAGE.write_text("\n".join([HEAD, _machine(), *tables]), encoding="utf-8")


if __name__ == "__main__":
    main()
