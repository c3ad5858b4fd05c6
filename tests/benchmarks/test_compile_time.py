"""CPU time, in a fresh process without a cache, from `import symopt` to a native gradient.

Deriving and compiling never look at the data, so the time is the same for any n; the table shows
it once with 100 samples in memory and once with a million.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.sym"))
REPEATS = 4

_SCRIPT = """\
import json, sys, time
start = time.process_time()
import symopt
import symopt.model
imported = time.process_time()
import numpy as np
ballast = np.ones((int(sys.argv[2]), 2))
imported, start = time.process_time(), start + time.process_time() - imported
model = symopt.load(sys.argv[1])
loaded = time.process_time()
compiled = model.compiled("value_and_grad")
done = time.process_time()
print(json.dumps([imported - start, loaded - imported, done - loaded]))
"""


def _seconds(path: Path, n: int, bytecode: Path) -> list[float]:
    """CPU seconds of import, loading and compiling."""
    command = [sys.executable, "-c", _SCRIPT, str(path), str(n)]
    # As installed, modules are compiled to bytecode: the least of several runs has that.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_cold(path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    bytecode = tmp_path_factory.getbasetemp() / "bytecode"
    for n in (100, 1_000_000):
        best = min((_seconds(path, n, bytecode) for _ in range(REPEATS)), key=sum)
        imported, loaded, compiled = best
        print(
            f"\n{path.parent.name + '/' + path.stem:22} n = {n:>9,}: import {imported:.2f} s, "
            f"load {loaded:.2f} s, compile {compiled:.2f} s, in all {sum(best):.2f} s",
            end="",
        )
        assert sum(best) < 1.0
