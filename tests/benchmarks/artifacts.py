"""Every example compiled to code that stands alone, and its generated tests run without symopt.

    python -m tests.benchmarks.artifacts [--python PYTHON]

writes docs/benchmarks/artifacts.md. PYTHON is one that has NumPy and pytest; without it an
environment with these is made in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

import symopt
from symopt.artifacts.build import interface_of
from symopt.artifacts.package import write_package
from symopt.native.targets import host_target

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks" / "artifacts.md"
EXAMPLES = sorted(
    path for path in (ROOT / "examples").glob("*/*.sym") if "reproductions" not in path.parts
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One example: seconds of processor time, size of the object, what pytest said.

    Compiling is that of a process, and of another model in a process that has compiled some.
    """

    name: str
    compiling: float
    further: float
    testing: float
    kilobytes: float
    passed: int
    skipped: int
    failed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", help="a Python with NumPy and pytest, and without symopt")
    given = parser.parse_args().python
    with tempfile.TemporaryDirectory() as folder:
        seconds_further(EXAMPLES[-1], Path(folder) / "first")
        python = Path(given) if given else bare_python(Path(folder) / "environment")
        found = [look_at(path, Path(folder), python) for path in EXAMPLES]
    PAGE.write_text(page(found), encoding="utf-8")
    failed = [one.name for one in found if one.failed or not one.passed]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def bare_python(folder: Path) -> Path:
    """The Python of a fresh environment with NumPy and pytest alone."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "numpy", "pytest"], check=True)
    return python


def look_at(path: Path, folder: Path, python: Path) -> Outcome:
    """Compile an example and run its generated tests, each in a process of its own."""
    name = f"{path.parent.name}/{path.stem}"
    build = folder / name.replace("/", "-")
    environment = {**os.environ, "SYMOPT_CACHE": "off", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "symopt", "compile", path, "-o", build]
    before = seconds_of_children()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    between = seconds_of_children()
    environment.pop("PYTHONPATH", None)
    run = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", build],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    after = seconds_of_children()
    if run.returncode:
        print(run.stdout)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", run.stdout)}
    size = (build / f"{path.stem}.o").stat().st_size / 1024
    found = Outcome(
        name,
        between - before,
        seconds_further(path, folder / "further"),
        after - between,
        size,
        counts.get("passed", 0),
        counts.get("skipped", 0),
        counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0),
    )
    print(found)
    return found


def seconds_further(path: Path, folder: Path) -> float:
    """Processor time of compiling an example here, linking included."""
    before = time.process_time() + seconds_of_children()
    model = symopt.load(path)
    interface = interface_of(model, path.stem, None, model.default_sizes)
    write_package(model, interface, [host_target()], folder)
    return time.process_time() + seconds_of_children() - before


def seconds_of_children() -> float:
    """Processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def page(found: list[Outcome]) -> str:
    """The page, as Markdown."""
    lines = [
        "# Compiled examples and their tests",
        "",
        "Written by `python -m tests.benchmarks.artifacts`: each example through `symopt compile`,",
        "then `pytest` on what that wrote, in an environment of NumPy and pytest alone. Seconds of",
        "processor time: of whole processes, start of Python and imports included, one run each;",
        "and, after others, of compiling one more model in a process that has all its imports.",
        "",
        "| example | compile, s | after others | pytest, s | kB | passed | skipped | failed |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.name} | {one.compiling:.2f} | {one.further:.2f} | {one.testing:.2f} "
        f"| {one.kilobytes:.0f} "
        f"| {one.passed} | {one.skipped} | {one.failed} |"
        for one in found
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
