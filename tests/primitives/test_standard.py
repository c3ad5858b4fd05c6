"""Standard forms of truth values, choices and guarded products."""

from __future__ import annotations

import sympy
from sympy import S

from symopt.primitives import standard
from symopt.primitives.cases import Cases

x, y, z = sympy.symbols("x y z", real=True)


def test_conditions_survive_being_numbers():
    assert standard.truth(standard.indicator(x > 0)) == (x > 0)
    assert standard.truth(x) == sympy.Ne(x, 0)
    assert standard.choice(standard.indicator(x > 0), y, z) == Cases(x > 0, y, z)


def test_a_branch_does_not_ask_again():
    inner = Cases(x > 0, y, z)
    assert standard.branches(x > 0, inner, inner) == Cases(x > 0, y, z)
    assert standard.branches((x > 0) & (y > 0), inner, S.Zero) == Cases((x > 0) & (y > 0), y, 0)
    assert standard.branches(x > 0, Cases(x <= 0, y, z), S.Zero) == Cases(x > 0, z, 0)


def test_nothing_equals_an_infinity():
    assert standard.equality(x, -sympy.oo) == 0
    assert standard.inequality(x, sympy.oo) == 1


def test_a_zero_by_choice_guards_the_other_factor():
    product = standard.guarded_product(2 * Cases(x > 0, y, 0), 1 / sympy.sqrt(x))
    assert product == Cases(x > 0, 2 * y / sympy.sqrt(x), 0)
    assert product.subs(x, 0) == 0
    assert standard.guarded_product(x, y) == x * y


def test_filters_leave_exponentials():
    filtered = Cases(x > 0, y, -sympy.oo)
    assert standard.exponential(filtered - sympy.log(z)) == Cases(x > 0, sympy.exp(y), 0) / z
