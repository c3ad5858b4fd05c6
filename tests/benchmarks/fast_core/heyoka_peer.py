"""heyoka's compiled functions, evaluated for all samples in one call.

Parameters of the kernels are variables here: a compiled function takes arrays as long as there are
samples for everything. Neither filling those nor gathering cameras and points is timed.
"""

from __future__ import annotations

import functools
from typing import Any

import heyoka
import numpy as np

from tests.benchmarks.fast_core.work import HEYOKA, Contender, Parts, Work

VERSION = heyoka.__version__


def contenders(work: Work) -> tuple[Contender, ...]:
    """Residuals and derivatives, one row of the result for each."""
    match work.key:
        case "jac":
            return (_fit(work),)
        case "ba":
            return (_blocks(work),)
        case _:
            return ()


def _fit(work: Work) -> Contender:
    of = work.inputs
    rows = [np.full(work.n, one) for one in of["b"]]
    out = np.zeros((7, work.n))
    run = functools.partial(_compiled_fit(), np.array([*rows, of["x"], of["y"]]), outputs=out)
    return Contender(HEYOKA, HEYOKA, run, lambda: (out[0], out[1:].T))


def _blocks(work: Work) -> Contender:
    of = work.inputs
    rows = [of["camera"][of["cam"]].T, of["point"][of["pt"]].T, of["observed"].T]
    out = np.zeros((26, work.n))
    inputs = np.ascontiguousarray(np.vstack(rows))
    run = functools.partial(_compiled_blocks(), inputs, outputs=out)

    def parts() -> Parts:
        return out[:2].T, out[2:].reshape(2, 12, -1).transpose(2, 0, 1)

    return Contender(HEYOKA, HEYOKA, run, parts)


@functools.cache
def _compiled_fit() -> Any:
    names = ("b1", "b2", "b3", "b4", "b5", "b6", "x", "y")
    b1, b2, b3, b4, b5, b6, x, y = variables = heyoka.make_vars(*names)
    exp = heyoka.exp
    r = b1 * exp(-b2 * x) + b3 * exp(-b4 * x) + b5 * exp(-b6 * x) - y
    return _compiled([r], variables, 6)


@functools.cache
def _compiled_blocks() -> Any:
    # The angle is never 0 here, and the case is left out.
    variables = heyoka.make_vars(*(f"v{at:02}" for at in range(14)))
    w, shift, (f, k1, k2) = variables[:3], variables[3:6], variables[6:9]
    x, observed = variables[9:12], variables[12:]
    square = heyoka.sum([one * one for one in w])
    angle = heyoka.sqrt(square)
    cos, sin = heyoka.cos(angle), heyoka.sin(angle)
    along = heyoka.sum([w[a] * x[a] for a in range(3)]) * (1.0 - cos) / square
    P = []
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        cross = w[b] * x[c] - w[c] * x[b]
        P.append(x[a] * cos + cross * sin / angle + w[a] * along + shift[a])
    p = [-P[a] / P[2] for a in range(2)]
    radius2 = p[0] * p[0] + p[1] * p[1]
    bend = 1.0 + k1 * radius2 + k2 * radius2 * radius2
    residuals = [f * bend * p[a] - observed[a] for a in range(2)]
    return _compiled(residuals, variables, 12)


def _compiled(residuals: list[Any], variables: list[Any], unknowns: int) -> Any:
    tensors = heyoka.diff_tensors(residuals, diff_args=variables[:unknowns], diff_order=1)
    jacobian = list(np.ravel(tensors.jacobian))
    # One thread: evaluations in parallel are for many samples and would leave our core.
    return heyoka.cfunc([*residuals, *jacobian], vars=variables, fast_math=True)
