"""Choices stay where they are written, and decide when they can."""

from __future__ import annotations

import sympy

from symopt.primitives.cases import Cases

x, y = sympy.symbols("x y", real=True)
i, j, n = sympy.symbols("i j n", integer=True)


def test_decided_choices_vanish():
    assert Cases(True, x, y) == x
    assert Cases(False, x, y) == y
    assert Cases(x > 0, y, y) == y
    assert Cases(x > 0, x, y).subs(x, 2) == 2
    assert Cases(x > 0, x, y).subs(x, -2) == y


def test_an_inner_sum_keeps_its_choices():
    m = sympy.IndexedBase("m", real=True)
    inner = sympy.Sum(Cases(m[i, j] > 0, m[i, j], 0), (j, 0, n - 1))
    outer = sympy.Sum(sympy.exp(inner), (i, 0, n - 1))
    assert outer.function == sympy.exp(inner)
    two = outer.subs(n, 2).doit().subs({m[0, 0]: 1, m[0, 1]: -3, m[1, 0]: 2, m[1, 1]: 4})
    assert two == sympy.E + sympy.exp(6)


def test_the_derivative_keeps_the_branches_apart():
    assert Cases(x > 0, x**2, y).diff(x) == Cases(x > 0, 2 * x, 0)


def test_it_can_be_written_as_piecewise():
    expected = sympy.Piecewise((x, x > 0), (y, True))
    assert Cases(x > 0, x, y).piecewise == expected
    assert (2 * Cases(x > 0, x, y)).rewrite(sympy.Piecewise) == 2 * expected
    assert sympy.latex(Cases(x > 0, x, y)) == sympy.latex(expected)
