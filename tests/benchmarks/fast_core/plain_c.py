"""Plain C: derivatives by hand, one natural loop, compiled for this machine, called by ctypes."""

from __future__ import annotations

import ctypes
import functools
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.fast_core.work import UNROLLED, C, Contender, Parts, Work

HERE = Path(__file__).parent
COMPILER = "cc"
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fPIC", "-shared")
_KEPT = tempfile.TemporaryDirectory(prefix="fast-core-")  # gone when the process ends


@functools.cache
def library(name: str) -> ctypes.CDLL:
    """The functions of one C file."""
    target = Path(_KEPT.name) / f"{name}.so"
    # The libraries stand after the file, which is where the linker looks for what is missing.
    command = [COMPILER, *FLAGS, "-o", str(target), str(HERE / f"{name}.c"), "-lmvec", "-lm"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(target))


def contenders(work: Work) -> tuple[Contender, ...]:
    """Plain C, and for the normal equations what the C compiler can turn into vectors."""
    make, names = _MAKERS[work.key]
    found = [Contender(C, C, *make(work, library(names[0])))]
    if len(names) > 1:
        found.append(Contender(UNROLLED, UNROLLED, *make(work, library(names[1]))))
    return tuple(found)


Ran = tuple[Callable[[], object], Callable[[], Parts]]


def _call(function: Any, *arguments: Any) -> Callable[[], Any]:
    """A call with everything converted beforehand; the arrays stay alive with it."""
    made = tuple(
        ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray)
        else ctypes.c_long(a) if isinstance(a, int)
        else ctypes.c_double(a)
        for a in arguments
    )  # fmt: skip
    function.keep = [*getattr(function, "keep", []), arguments]
    return functools.partial(function, *made)


def _normal_equations(work: Work, lib: ctypes.CDLL) -> Ran:
    of = work.inputs
    jtj, jtr = np.zeros((6, 6)), np.zeros(6)
    run = _call(lib.normal_equations, work.n, of["x"], of["y"], of["b"], jtj, jtr)
    return run, lambda: (jtj, jtr)


def _jacobian(work: Work, lib: ctypes.CDLL) -> Ran:
    of = work.inputs
    r, jac = np.zeros(work.n), np.zeros((work.n, 6))
    run = _call(lib.residuals_and_jacobian, work.n, of["x"], of["y"], of["b"], r, jac)
    return run, lambda: (r, jac)


def _blocks(work: Work, lib: ctypes.CDLL) -> Ran:
    names = ("cam", "pt", "observed", "camera", "point")
    r, jac = np.zeros((work.n, 2)), np.zeros((work.n, 2, 12))
    arguments = (work.inputs[name] for name in names)
    return _call(lib.residuals_and_blocks, work.n, *arguments, r, jac), lambda: (r, jac)


def _softmax(work: Work, lib: ctypes.CDLL) -> Ran:
    of = work.inputs
    by_w, by_b = np.zeros_like(of["W"]), np.zeros_like(of["b"])
    lib.loss_and_gradient.restype = ctypes.c_double
    arguments = (of[name] for name in ("X", "label", "W", "b"))
    run = _call(lib.loss_and_gradient, work.n, *arguments, by_w, by_b)
    return run, lambda: (run(), by_w, by_b)


def _mixture(work: Work, lib: ctypes.CDLL) -> Ran:
    of = work.inputs
    gradient = tuple(np.zeros_like(of[name]) for name in ("alpha", "mu", "factor"))
    k, d = of["mu"].shape
    lib.value_and_gradient.restype = ctypes.c_double
    arguments = (of[name] for name in ("x", "alpha", "mu", "factor", "gamma", "m"))
    run = _call(lib.value_and_gradient, work.n, d, k, *arguments, *gradient)
    return run, lambda: (run(), *gradient)


_MAKERS: dict[str, tuple[Callable[[Work, ctypes.CDLL], Ran], tuple[str, ...]]] = {
    "jtj": (_normal_equations, ("exponential_fit", "exponential_fit_written_out")),
    "jac": (_jacobian, ("exponential_fit",)),
    "ba": (_blocks, ("bundle_adjustment",)),
    "softmax": (_softmax, ("softmax",)),
    "gmm": (_mixture, ("gaussian_mixture",)),
}
