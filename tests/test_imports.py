"""What is imported when: starting up must not pay for what is not used."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("llvmlite", "lark", "numpy", "scipy", "sympy")
LOAD = "import symopt; m = symopt.parse('data x[n]\\nparam b init 1\\nminimize sum(x) * b^2'); "


def _imported(script: str) -> set[str]:
    """Which of the heavy packages a fresh process has imported after a script."""
    script += f"\nimport sys\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("import symopt", set()),
        (LOAD + "m.compiled('value_and_grad')", {"llvmlite", "lark", "numpy", "sympy"}),
        (LOAD + "p = m.bind(x=[1.0]); p.grad(p.x0)", {"llvmlite", "lark", "numpy", "sympy"}),
    ],
    ids=["import", "compile", "evaluate"],
)
def test_heavy_packages_are_imported_when_used(script: str, wanted: set[str]) -> None:
    assert _imported(script) == wanted
