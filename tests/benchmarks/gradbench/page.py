"""The page of results: docs/benchmarks/gradbench.md."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.gradbench.registry import UNSUPPORTED
from tests.benchmarks.gradbench.times import COLUMNS, Row, as_words

PAGE = Path(__file__).parents[3] / "docs" / "benchmarks" / "gradbench.md"
HEAD = Path(__file__).with_name("page_head.md")


def write(rows: Sequence[Row]) -> None:
    """Write the page: what is said of the evaluations, and the times."""
    head = HEAD.read_text(encoding="utf-8")
    refused = "\n".join(f"| `{name}` | {reason} |" for name, reason in UNSUPPORTED.items())
    table = ["| evaluation | size | " + " | ".join(COLUMNS) + " |"]
    table.append("| --- | --- |" + " ---: |" * len(COLUMNS))
    table += [
        f"| `{row.case.module}` | {row.case.sizes} | " + " | ".join(as_words(row)) + " |"
        for row in rows
    ]
    parts = [head.replace("REFUSED", refused).rstrip(), "", _machine(), "", *table, ""]
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    print(f"wrote {PAGE}")


def _machine() -> str:
    """What the times were measured on."""
    peer = f", jax {version('jax')}" if importlib.util.find_spec("jax") else ""
    return (
        f"Measured on {_processor()} ({os.cpu_count()} processors), {platform.system()}, "
        f"Python {platform.python_version()}, numpy {version('numpy')}, "
        f"llvmlite {version('llvmlite')}{peer}."
    )


def _processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
