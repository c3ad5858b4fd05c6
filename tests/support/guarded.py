"""Kernels run on arrays beside pages that nobody may touch, in a process of its own.

An array ends where its pages end, or begins where they begin; the page beyond is protected, so that
a single number read or written there ends the process.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import symopt.calls
import symopt.native.function
from symopt.problem import Problem
from tests.support.agreement import model_of

ENDS, BEGINS = "ends", "begins"
LENGTHS = (0, 1, 7, 9, 129)
CHOICES = {"written_out": 0, "registers": 3}  # values go through memory wherever they can
PROGRAMS = {
    "rows": """\
data X[n, d], cam[n] in c, y[n]
param P[c, d] init 0, w[d] init 0
z[i, a] = X[i, a] * w[a] + P[cam[i], a]
residual r[i, a] = z[i, a] - y[i]
""",
    "blocks": """\
data Z[n, 2, d], y[n], off[n] in 2
param w[d] init 0
t[i] = max(Z[i, off[i], j] * w[j] for j)
residual r[i, b] = sum(Z[i, b, j] * w[j] for j) - t[i] * y[i]
""",
    "neighbours": """\
data X[n, d], y[n]
param w[d] init 0, u[n] init 0
D[i, j] = X[i+1, j] * w[j] - X[i, j] + u[i+1] for i in range(n-1)
e[i] = sum(X[n-1-i, j] * w[j] for j) * u[i]
minimize sumsq(D) + sum(sin(e))
""",
    "classes": """\
data X[n, d], label[n] in k
dim k = 3
param W[d, k] init 0
model z = X @ W
minimize sum(cross_entropy(z, label))
""",
}


class _Allocator:
    """Gives arrays that end, or begin, at a protected page."""

    def __init__(self) -> None:
        self.side = ENDS
        self._protect = ctypes.CDLL(None).mprotect
        self._protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def zeros(self, count: int, dtype: Any = np.float64) -> np.ndarray:
        size, page = np.dtype(dtype).itemsize * max(count, 1), mmap.PAGESIZE
        pages = -(-size // page)
        whole = np.frombuffer(mmap.mmap(-1, (pages + 2) * page), dtype=np.uint8)
        for beyond in (0, (pages + 1) * page):
            failed = self._protect(whole.ctypes.data + beyond, page, 0)
            assert not failed, "the page cannot be protected"
        start = page if self.side == BEGINS else (pages + 1) * page - size
        return whole[start : start + size].view(dtype)

    def copy(self, array: np.ndarray) -> np.ndarray:
        if array.dtype.kind != "f" or not array.size:
            return array
        room = self.zeros(array.size, array.dtype)
        room[:] = array.ravel()
        return room.reshape(array.shape)


def _data(n: int, d: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(n + d)
    return {
        "X": rng.normal(size=(n, d)),
        "Z": rng.normal(size=(n, 2, d)),
        "y": rng.normal(size=n),
        "cam": np.minimum(rng.integers(0, 5, n), 2),  # many point to the last row
        "off": rng.integers(0, 2, n),
        "label": rng.integers(0, 3, n),
    }


def _calls(problem: Problem, memory: _Allocator) -> Iterator[tuple[str, Any, Any]]:
    """Names of functions, their results, and the same in arrays of the caller's."""
    p = memory.copy(np.random.default_rng(1).normal(size=problem.n).astype(problem.dtype))
    value, gradient = problem.value_and_grad(p)
    out = memory.copy(np.zeros_like(gradient))
    again = problem.value_and_grad(p, out=out)
    yield "value_and_grad", np.append(gradient, value), np.append(again[1], again[0])
    if problem.least_squares:
        found = problem.residuals_and_jac(p)
        rooms = tuple(memory.copy(np.zeros_like(part)) for part in found)
        again = problem.residuals_and_jac(p, out=(rooms[0], rooms[1]))
        yield "residuals_and_jac", *(np.hstack([r[:, None], j]) for r, j in (found, again))


def main(widths: list[int], lanes: int, dtype: str) -> None:
    """Runs everything; says what it is about to do, so that the last line names what failed."""
    memory = _Allocator()
    symopt.calls.aligned_zeros = symopt.native.function.aligned_zeros = memory.zeros
    for name, text in PROGRAMS.items():
        model = model_of(text, lanes, **CHOICES)
        sizes = {"c": 3} if "c" in model.dims else {}
        for d in widths:
            for n in LENGTHS:
                for memory.side in (ENDS, BEGINS):
                    print(f"{name}: d = {d}, n = {n}, {memory.side}", flush=True)
                    data = _data(n, d)
                    given = {one: data[one] for one in model.data}
                    given = {
                        one: memory.copy(array.astype(dtype) if array.dtype.kind == "f" else array)
                        for one, array in given.items()
                    }
                    problem = model.bind(given, dtype=dtype, **sizes)
                    for function, found, again in _calls(problem, memory):
                        assert np.array_equal(found, again), function


def run_guarded(widths: list[int], lanes: int, dtype: str = "float64") -> str:
    """What went wrong where rows are so wide: the case at hand, and how the process ended."""
    numbers = [str(lanes), *map(str, widths)]
    command = [sys.executable, "-m", "tests.support.guarded", dtype, *numbers]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    if not done.returncode:
        return ""
    *_, last = done.stdout.splitlines() or ["before the first case"]
    return f"{last}: ended with {done.returncode}\n{done.stderr[-2000:]}"


if __name__ == "__main__":
    faulthandler.enable()
    main([int(width) for width in sys.argv[3:]], int(sys.argv[2]), sys.argv[1])
