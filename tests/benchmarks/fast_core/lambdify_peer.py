"""SymPy's `lambdify` to NumPy with common subexpressions, for the residuals and Jacobian."""

from __future__ import annotations

import functools

import numpy as np
import sympy

from tests.benchmarks.fast_core.work import LAMBDIFY, Contender, Parts, Work

VERSION = sympy.__version__


def contenders(work: Work) -> tuple[Contender, ...]:
    """Residuals and columns of the Jacobian, each an array of its own."""
    if work.key != "jac":
        return ()
    of = work.inputs
    run = functools.partial(_residual_and_columns(), of["x"], of["y"], *of["b"])

    def parts() -> Parts:
        r, *columns = run()
        return r, np.stack(columns, axis=1)

    return (Contender(LAMBDIFY, LAMBDIFY, run, parts),)


@functools.cache
def _residual_and_columns():
    x, y, *b = sympy.symbols("x y b1:7")
    b1, b2, b3, b4, b5, b6 = b
    r = b1 * sympy.exp(-b2 * x) + b3 * sympy.exp(-b4 * x) + b5 * sympy.exp(-b6 * x) - y
    return sympy.lambdify([x, y, *b], [r, *(r.diff(one) for one in b)], "numpy", cse=True)
