"""`pytest examples/`: every program of the examples, its derivatives and its `expect` lines.

A minute or two; the tests see that all are collected, and run one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_all_examples_pass() -> None:
    command = [sys.executable, "-m", "pytest", "examples", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(run.stdout.splitlines()[-1])
    assert run.returncode == 0, run.stdout
