"""Linking: what is mapped stays mapped while it can be called, and bad IR is our own fault."""

from __future__ import annotations

import gc
import subprocess
import sys

import numpy as np
import pytest

import symopt
from symopt.diagnostics import CompileError
from symopt.native.jit import compile_ir

SQUARE = "define void @square(ptr %p) {{ store double {}, ptr %p ret void }}"
PROGRAM = "data x[n]\nparam b init 1\nminimize sum((x[i] - b)^2 for i)"


def test_invalid_code_is_a_compile_error() -> None:
    with pytest.raises(CompileError, match="invalid code"):
        compile_ir("define void @f( {", "f")


def test_functions_of_one_name_live_side_by_side() -> None:
    libraries = [compile_ir(SQUARE.format(f"{k}.0"), "square") for k in range(20)]
    cell = np.zeros(1)
    for k, library in enumerate(libraries):
        library.entry(cell.ctypes.data)
        assert cell[0] == k


def test_code_outlives_its_model_and_the_other_way_round() -> None:
    model = symopt.parse(PROGRAM)
    first, second = model.bind(x=np.ones(3)), model.bind(x=np.zeros(4))
    assert first.value([0.0]) == 3
    del model
    gc.collect()
    assert (first.value([0.0]), second.value([2.0])) == (3, 16)
    value = first.value
    del first
    gc.collect()
    assert (value([2.0]), second.grad([1.0]).tolist()) == (3, [8.0])


def test_many_models_come_and_go() -> None:
    kept = []
    for k in range(30):
        problem = symopt.parse(f"data x[n]\nparam b init 1\nminimize sum(x) * b + {k}").bind(
            x=np.ones(2)
        )
        assert problem.value([1.0]) == 2 + k
        if k % 5 == 0:
            kept.append(problem.value)
    gc.collect()
    assert [value([1.0]) for value in kept] == [2, 7, 12, 17, 22, 27]


def test_a_process_ends_quietly() -> None:
    script = (
        f"import symopt; p = symopt.parse({PROGRAM!r}).bind(x=[1.0, 2.0]); print(p.value([1.0]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1.0\n", "")
