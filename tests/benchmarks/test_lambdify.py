"""Calls of lambdified functions against SymPy's own (NumPy) and numba of its code: prints times.

Only agreement is asserted. Peers that are not installed are left out.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import sympy

import symopt
from tests.benchmarks.fast_core.rounds import one_core

pytestmark = pytest.mark.filterwarnings("default")  # the peers' warnings are not ours

x, y, z = sympy.symbols("x y z")
_logistic = sympy.log(1 + sympy.exp(-x * y)) + z * sympy.tanh(x) ** 2
WORKS: dict[str, Any] = {
    "polynomial": x**2 * y - 3 * x * z + y / z,
    "exponentials": x * sympy.exp(-y * z) + sympy.sin(x * y) * sympy.cos(z),
    "gradient": [_logistic, *(_logistic.diff(one) for one in (x, y, z))],
    "matrix": sympy.Matrix([_logistic, x * y * z]).jacobian([x, y, z]),
}
SIZES = (0, 10, 1000, 100_000)  # of each argument; 0 for numbers
TOLERANCE = 1e-12  # some tens of roundings of numbers of order 1


def contenders(expression: Any) -> dict[str, Callable[..., Any]]:
    found = {
        "symopt": symopt.lambdify([x, y, z], expression),
        "sympy": sympy.lambdify([x, y, z], expression, "numpy", cse=True),
    }
    if find_spec("numba"):
        import numba

        # numba knows no matrices of arrays: the elements come as a tuple.
        flat = tuple(expression) if isinstance(expression, sympy.MatrixBase) else expression
        flat = tuple(flat) if isinstance(flat, list) else flat
        found["numba"] = numba.njit(sympy.lambdify([x, y, z], flat, "numpy", cse=True))
    return found


@pytest.mark.parametrize("name", WORKS)
def test_calls(name: str) -> None:
    rng = np.random.default_rng(5)
    functions = contenders(WORKS[name])
    print(f"\n{name:14s}" + "".join(f"{one:>12s}" for one in functions))
    for size in SIZES:
        values = [rng.uniform(0.5, 1.5, size) if size else float(rng.uniform(1, 2)) for _ in "xyz"]
        wanted = _flat(functions["sympy"](*values))
        row = f"{size or 'numbers':>14}"
        for function in functions.values():
            found = _flat(function(*values))
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE)
            row += f"{_microseconds(function, values):10.2f}us"
        print(row)


def test_compile_time() -> None:
    """A sum of n different terms: it grows with n, like the text."""
    print(f"\n{'terms':>14}{'numbers':>12}{'arrays':>12}")
    for n in (100, 500, 2000):
        expression = sympy.Add(*[sympy.sin(k * x) * sympy.cos(y + k) for k in range(n)])
        with one_core():
            start = timeit.default_timer()
            compiled = symopt.lambdify([x, y], expression)
            compiled(1.0, 2.0)
            middle = timeit.default_timer()
            compiled(np.ones(3), np.ones(3))
            end = timeit.default_timer()
        print(f"{n:14d}{middle - start:11.2f}s{end - middle:11.2f}s")


def _flat(result: Any) -> list[Any]:
    if isinstance(result, list | tuple):
        return list(result)
    if isinstance(result, np.ndarray) and result.ndim > 1:
        return list(result.reshape(-1, *result.shape[2:]))
    return [result]


def _microseconds(function: Callable[..., Any], values: list[Any]) -> float:
    """The best of some rounds, each of about a hundredth of a second."""
    timer = timeit.Timer("f(*v)", globals={"f": function, "v": values})
    function(*values)
    once = max(min(timer.repeat(3, 1)), 1e-7)
    count = max(1, int(0.01 / once))
    with one_core():
        return min(timer.repeat(7, count)) / count * 1e6
