"""Sums and products over indices: loops in native code, with limits known or given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sympy

import symopt

x, y = sympy.symbols("x y")
i, j, k, m, n = sympy.symbols("i j k m n", integer=True)
A, B = sympy.IndexedBase("A"), sympy.IndexedBase("B")

FINITE: tuple[Any, ...] = (
    sympy.Sum(x**i / sympy.factorial(i), (i, 0, 20)),
    sympy.Sum(sympy.sin(i * x) / i, (i, 1, 50)),
    sympy.Product(x + i, (i, -2, 3)),
    sympy.Sum(x * i * j, (j, 0, i), (i, 1, 4)),
    sympy.Sum(i * sympy.Sum(x**j * i, (j, 0, i)), (i, 0, 3)),
    sympy.Sum(sympy.Product(x + j, (j, 1, 3)) * i, (i, 1, 2)) + sympy.Sum(x**i, (i, 0, 1)),
    sympy.Sum(x, (i, 3, 2)),
    sympy.Product(x, (i, 3, 2)),
    sympy.exp(sympy.Sum(sympy.exp(sympy.Sum(x * j, (j, 1, 2))) / i, (i, 1, 3)) / 100),
    sympy.Sum(sympy.Piecewise((x, i < 2), (y, True)), (i, 0, 4)),
)


@pytest.mark.parametrize("total", FINITE, ids=str)
def test_known_limits(total: Any) -> None:
    compiled = symopt.lambdify([x, y], total)
    points = np.array([0.5, 1.25])
    wanted = [float(sympy.N(total.subs({x: p, y: 2}).doit(), 20)) for p in points.tolist()]
    assert [compiled(p, 2.0) for p in points.tolist()] == pytest.approx(wanted, rel=1e-14)
    np.testing.assert_allclose(compiled(points, 2.0), wanted, rtol=1e-14)


def test_limits_among_the_arguments() -> None:
    total = sympy.Sum(x**i, (i, m, n - 1)) + n
    compiled = symopt.lambdify([x, m, n], total)
    for low, high in ((0, 5), (2, 3), (3, 3), (5, 1), (-2, 2)):
        wanted = sum(1.5**power for power in range(low, high)) + high
        assert compiled(1.5, low, high) == pytest.approx(wanted, rel=1e-14)
    np.testing.assert_allclose(compiled(np.array([2.0, 3.0]), 0, 3.0), [10.0, 16.0])
    for wrong in (2.5, np.array([1, 2]), math.nan, math.inf):
        with pytest.raises(symopt.DataError, match="`n` limits a sum"):
            compiled(1.0, 0, wrong)


def test_an_index_hides_an_argument_of_its_name() -> None:
    compiled = symopt.lambdify([i], i * sympy.Sum(i**2, (i, 1, 3)))
    assert compiled(10) == 140.0


def test_indexed_arguments() -> None:
    a, b = np.arange(1.0, 7.0), np.arange(12.0).reshape(3, 4)
    assert symopt.lambdify([A], A[0] + A[5])(a) == 7.0
    assert symopt.lambdify([A, n], sympy.Sum(A[i] * i, (i, 0, n - 1)))(a, 6) == 70.0
    product = sympy.Sum(B[i, j] * A[j], (j, 0, 3), (i, 0, 2))
    assert symopt.lambdify([A, B], product)(a, b) == (b @ a[:4]).sum()
    moved = symopt.lambdify([A, x], sympy.Sum((A[i + 1] - A[2 * i]) * x, (i, 0, 2)))
    np.testing.assert_array_equal(moved(a, np.array([1.0, 2.0])), [0.0, 0.0])
    strided = symopt.lambdify([A], sympy.Sum(A[i], (i, 0, 2)))
    assert strided(a[::2]) == strided([1, 3, 5]) == 9.0


def test_what_is_read_has_to_be_there() -> None:
    compiled = symopt.lambdify([A, n], sympy.Sum(A[i], (i, 0, n)) + A[1])
    assert compiled(np.ones(3), 2) == 4.0
    assert compiled(np.ones(3), -1) == 1.0
    with pytest.raises(symopt.DataError, match="`A` must have an element at index 3, found"):
        compiled(np.ones(3), 3)
    with pytest.raises(symopt.DataError, match="an element at index 1"):
        compiled(np.ones(1), 0)
    with pytest.raises(symopt.DataError, match="`A` must have 1 axes"):
        compiled(np.ones((3, 3)), 2)
    with pytest.raises(symopt.DataError, match="an element at index -1"):
        symopt.lambdify([A], sympy.Sum(A[i - 1], (i, 0, 2)))(np.ones(5))
    with pytest.raises(symopt.DataError, match="the index `x` of `A"):
        symopt.lambdify([A, x], A[x])


def test_limits_that_are_refused() -> None:
    for limit in (sympy.oo, x / 2, sympy.Rational(5, 2), y):
        with pytest.raises(symopt.DataError, match="is not an integer known at the call"):
            symopt.lambdify([x], sympy.Sum(x**i, (i, 0, limit)))
    inner = sympy.Sum(sympy.sin(sympy.Sum(x * i * j * k, (k, 0, j))), (j, 0, i), (i, 0, 3))
    with pytest.raises(symopt.DataError, match="ranges of its own"):
        symopt.lambdify([x], inner)(1.0)


def test_long_sums_are_loops() -> None:
    """Code does not grow with the number of terms."""
    compiled = symopt.lambdify([n], sympy.Sum(1 / sympy.Integer(2) ** i + 1 / i**2, (i, 1, n)))
    assert compiled(10**6) == pytest.approx(1 + math.pi**2 / 6 - 1e-6, rel=1e-11)
