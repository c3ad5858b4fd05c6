"""Huge expressions: as deep and as long as they come, in steps that grow with their size alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy

import symopt

x, y = sympy.symbols("x y")


def chain(depth: int) -> Any:
    """sin(... sin(sin(x) + y) + y ...) + y; SymPy's own evaluation would recurse."""
    expression: Any = x
    for _ in range(depth):
        inner = sympy.sin(expression, evaluate=False)
        expression = sympy.Add(inner, y, evaluate=False)
    return expression


def test_a_deep_chain() -> None:
    compiled = symopt.lambdify([x, y], chain(5000))
    wanted = 0.5
    for _ in range(5000):
        wanted = math.sin(wanted) + 0.25
    assert abs(compiled(0.5, 0.25) - wanted) < 1e-13  # it contracts: errors do not add up
    np.testing.assert_allclose(compiled(np.array([0.5, 0.5]), 0.25), wanted, rtol=1e-13)


def test_a_long_sum() -> None:
    angles = [sympy.Mul(k, x, evaluate=False) for k in range(2000)]
    terms = [sympy.sin(a, evaluate=False) / (k + 1) for k, a in enumerate(angles)]
    compiled = symopt.lambdify([x], sympy.Add(*terms, evaluate=False))
    wanted = math.fsum(math.sin(k * 0.3) / (k + 1) for k in range(2000))
    assert abs(compiled(0.3) - wanted) < 1e-12  # each argument k x is rounded: k ulp of 0.3


def test_a_shared_tower() -> None:
    """A tree of 2^60 leaves of which almost all are the same part."""
    expression: Any = x
    for _ in range(60):
        expression = sympy.Add(
            sympy.Mul(expression, y, evaluate=False),
            sympy.Mul(-1, expression, sympy.S.Half, evaluate=False),
            evaluate=False,
        )
    compiled = symopt.lambdify([x, y], expression, docstring_limit=10)
    assert compiled(1.0, 1.25) == 0.75**60


def test_a_matrix_of_shared_parts() -> None:
    symbols = sympy.symbols("q0:12")
    shared = sympy.exp(sum(q**2 for q in symbols))
    matrix = sympy.Matrix(12, 12, lambda a, b: shared * symbols[a] * sympy.cos(symbols[b]))
    values = np.linspace(0.1, 0.4, 12)
    found = symopt.lambdify(symbols, matrix)(*values)
    wanted = np.exp((values**2).sum()) * np.outer(values, np.cos(values))
    np.testing.assert_allclose(found, wanted, rtol=1e-14)
