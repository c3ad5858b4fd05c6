"""Greatest and least values over loops, as SymPy nodes."""

from __future__ import annotations

import sympy

from symopt.derive.extremum import Greatest, Least

i, j, n = sympy.symbols("i j n", integer=True)
x = sympy.IndexedBase("x", real=True)


def test_it_stays_while_a_limit_is_open():
    node = Greatest(x[i], (i, 0, n - 1))
    assert node.doit() == node
    assert node.free_symbols >= {n} and i not in node.free_symbols


def test_numbers_as_limits_decide():
    assert Greatest(x[i], (i, 0, n - 1)).subs(n, 3).doit() == sympy.Max(x[0], x[1], x[2])
    assert Least((i - 2) ** 2 + 1, (i, 0, 4)).doit() == 1
    assert Greatest(i * j, (j, 0, i), (i, 0, 3)).doit() == 9


def test_an_empty_range_has_the_identity():
    assert Greatest(x[i], (i, 0, -1)).doit() == -sympy.oo
    assert Least(x[i], (i, 0, -1)).doit() == sympy.oo
