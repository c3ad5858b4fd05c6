"""Forms that would overflow or cancel as SymPy writes them, at both ends, to 1e-14."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

import symopt

x, y = sympy.symbols("x y", real=True)
E = sympy.exp

FORMS: tuple[Any, ...] = (
    sympy.log(1 + E(x)),
    sympy.log(1 + E(-x)) * y,
    sympy.log(E(x) + E(y)),
    sympy.log(E(x) + E(2 * x) + E(-x)),
    sympy.log(1 + x**2),
    E(x) - 1,
    1 - E(-x),
    1 / (1 + E(x)),
    y / (1 + E(-x)),
    E(x) / (1 + E(x)),
    E(-x) / (1 + E(-x)) ** 2,
    E(x) * y / (3 * (E(x) + 1) ** 3),
    1 - sympy.erf(x),
    sympy.erfc(x) - 1,
)
POINTS = (-900.0, -745.0, -40.0, -1.0, -1e-3, -1e-12, 0.0, 1e-15, 0.5, 5.0, 36.0, 709.0, 900.0)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_both_ends(form: Any) -> None:
    compiled = symopt.lambdify([x, y], form)
    many = compiled(np.array(POINTS), 1.25)
    for at, point in enumerate(POINTS):
        values = {x: sympy.Float(point, 900), y: sympy.Float(1.25, 900)}
        wanted = float(sympy.N(form.xreplace(values), 30))
        if 0 < abs(wanted) < 1e-300:
            wanted = pytest.approx(wanted, abs=1e-300)  # results below the normal doubles
        else:
            wanted = pytest.approx(wanted, rel=1e-14)
        assert compiled(point, 1.25) == wanted
        assert many[at] == wanted


def test_log_of_exponentials_of_infinities() -> None:
    compiled = symopt.lambdify([x, y], sympy.log(E(x) + E(y)))
    inf = float("inf")
    assert compiled(-inf, -inf) == -inf
    assert compiled(inf, 1.0) == compiled(inf, inf) == inf
    assert compiled(-inf, 2.0) == 2.0


def test_cosine() -> None:
    compiled = symopt.lambdify([x], 1 - sympy.cos(x))
    for point in (1e-9, 1e-4, 1.0, 6.0):
        wanted = float(sympy.N(1 - sympy.cos(sympy.Float(point, 60)), 30))
        assert compiled(point) == pytest.approx(wanted, rel=1e-14)
