"""CasADi: symbolic per sample, mapped over the samples, called through its buffers.

Each work twice: run by CasADi's virtual machine, and as C that CasADi writes and the C compiler of
plain C compiles with the same flags.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import casadi
import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.fast_core.plain_c import COMPILER, FLAGS
from tests.benchmarks.fast_core.work import CASADI, Contender, Work

VERSION = casadi.CasadiMeta.version()
_KEPT = tempfile.TemporaryDirectory(prefix="fast-core-casadi-")
_ALIVE: list[Any] = []  # buffers and arrays whose addresses functions hold
# Sums over a map are made of all samples' terms, which CasADi keeps: more than this is too slow.
MOST_TERMS = 10_000_000
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mapped:
    """A function of all samples, its arguments, and the shapes of its results."""

    function: casadi.Function
    inputs: Sequence[Array]
    shapes: Sequence[tuple[int, ...]]


def contenders(work: Work) -> tuple[Contender, ...]:
    """The two ways of one work; none where the sums would be too long."""
    mapped = _MAKERS[work.key](work)
    if mapped is None:
        return ()
    native = compiled(mapped.function, f"{work.key}_{work.n}")
    return (
        _contender("CasADi", mapped, mapped.function),
        _contender("CasADi, as C", mapped, native),
    )


def _contender(name: str, mapped: Mapped, function: casadi.Function) -> Contender:
    outputs = [np.zeros(shape) for shape in mapped.shapes]
    run = evaluation(function, mapped.inputs, outputs)
    return Contender(name, CASADI, run, lambda: tuple(outputs))


def compiled(function: casadi.Function, name: str) -> casadi.Function:
    """The same function as C, compiled and loaded."""
    directory = Path(_KEPT.name)
    generator = casadi.CodeGenerator(f"{name}.c")
    generator.add(function)
    generator.generate(f"{directory}/")
    source, target = directory / f"{name}.c", directory / f"{name}.so"
    subprocess.run([COMPILER, *FLAGS, "-o", target, source, "-lmvec", "-lm"], check=True)
    return casadi.external(function.name(), str(target))


def evaluation(
    function: casadi.Function, inputs: Sequence[Array], outputs: Sequence[Array]
) -> Callable[[], None]:
    """A call without arguments, which reads and writes these arrays."""
    buffer, evaluate = function.buffer()
    for at, array in enumerate(inputs):
        buffer.set_arg(at, memoryview(array.reshape(-1)))
    for at, array in enumerate(outputs):
        buffer.set_res(at, memoryview(array.reshape(-1)))
    _ALIVE.append((buffer, inputs, outputs))
    return evaluate


# ── the works; matrices are column-major here, so that their transposes are given and taken ─────


def _fit() -> tuple[Any, ...]:
    b, x, y = casadi.SX.sym("b", 6), casadi.SX.sym("x"), casadi.SX.sym("y")
    terms = [b[k] * casadi.exp(-b[k + 1] * x) for k in (0, 2, 4)]
    r = sum(terms) - y
    return b, x, y, r, casadi.jacobian(r, b).T


def _normal_equations(work: Work) -> Mapped | None:
    if work.n * 42 > MOST_TERMS:
        return None
    b, x, y, r, row = _fit()
    one = casadi.Function("one", [b, x, y], [row @ row.T, row * r])
    of = work.inputs
    summed = one.map("normal_equations", "serial", work.n, [0], [0, 1])
    return Mapped(summed, (of["b"], of["x"], of["y"]), ((6, 6), (6,)))


def _jacobian(work: Work) -> Mapped:
    b, x, y, r, row = _fit()
    one = casadi.Function("one", [b, x, y], [r, row])
    of = work.inputs
    mapped = one.map("fit_jacobian", "serial", work.n, [0], [])
    return Mapped(mapped, (of["b"], of["x"], of["y"]), ((work.n,), (work.n, 6)))


def _blocks(work: Work) -> Mapped:
    camera, x = casadi.SX.sym("camera", 9), casadi.SX.sym("x", 3)
    observed = casadi.SX.sym("observed", 2)
    w = camera[:3]
    square = casadi.sumsqr(w)
    angle = casadi.sqrt(square)
    cross, along = casadi.cross(w, x), w * casadi.dot(w, x) * (1 - casadi.cos(angle)) / square
    turned = x * casadi.cos(angle) + cross * casadi.sin(angle) / angle + along
    P = casadi.if_else(square > 0, turned, x + cross) + camera[3:6]
    p = -P[:2] / P[2]
    radius2 = casadi.sumsqr(p)
    r = camera[6] * (1 + camera[7] * radius2 + camera[8] * radius2**2) * p - observed
    rows = casadi.jacobian(r, casadi.vertcat(camera, x)).T
    one = casadi.Function("one", [camera, x, observed], [r, rows]).map(work.n)
    of = work.inputs
    cameras, points = (casadi.MX.sym(name, *of[name].T.shape) for name in ("camera", "point"))
    seen = casadi.MX.sym("observed", 2, work.n)
    result = one(cameras[:, of["cam"].tolist()], points[:, of["pt"].tolist()], seen)
    whole = casadi.Function("reprojection", [cameras, points, seen], result)
    inputs = (of["camera"], of["point"], of["observed"])
    return Mapped(whole, inputs, ((work.n, 2), (work.n, 2, 12)))


def _softmax(work: Work) -> Mapped:
    of = work.inputs
    d, k = of["W"].shape
    weights, b = casadi.SX.sym("weights", k, d), casadi.SX.sym("b", k)
    x, chosen = casadi.SX.sym("x", d), casadi.SX.sym("chosen", k)
    z = weights @ x + b
    loss = (casadi.logsumexp(z) - casadi.dot(chosen, z)) / work.n
    results = [loss, casadi.gradient(loss, weights), casadi.gradient(loss, b)]
    one = casadi.Function("one", [weights, b, x, chosen], results)
    summed = one.map("softmax", "serial", work.n, [0, 1], [0, 1, 2])
    inputs = (of["W"], of["b"], of["X"], np.eye(k)[of["label"]])
    return Mapped(summed, inputs, ((), (d, k), (k,)))


def rosenbrock(point: Array, *, gradient: bool) -> list[Contender]:
    """The function of five numbers that calls are timed with, alone or with its gradient."""
    x = casadi.SX.sym("x", 5)
    value = sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(4))
    results = [value, casadi.gradient(value, x)] if gradient else [value]
    function = casadi.Function("rosenbrock", [x], results)
    mapped = Mapped(function, (point,), ((), (5,))[: len(results)])
    native = compiled(function, f"rosenbrock_{len(results)}")
    found = [
        _contender("CasADi", mapped, function),
        _contender("CasADi, as C", mapped, native),
    ]
    return found


_MAKERS: dict[str, Callable[[Work], Mapped | None]] = {
    "jtj": _normal_equations,
    "jac": _jacobian,
    "ba": _blocks,
    "softmax": _softmax,
    "gmm": lambda _: None,
}
