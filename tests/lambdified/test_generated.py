"""Generated expressions: numbers, arrays and SymPy's evaluation to 40 digits agree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import symopt

x, y = sympy.symbols("x y", real=True)
POINTS = ((0.7, -1.3), (-2.25, 0.5), (1.5, 3.125))

_leaves = st.one_of(
    st.sampled_from([x, y, x, y, sympy.pi, sympy.Rational(2, 3), sympy.S.Half]),
    st.integers(-4, 4).map(sympy.Integer),
)
_one = [sympy.sin, sympy.cos, sympy.tanh, sympy.atan, sympy.Abs, sympy.erf, sympy.sign]
_bounded = [lambda e: sympy.exp(sympy.sin(e)), lambda e: sympy.log(1 + e**2)]
_more = [
    lambda e: sympy.sqrt(1 + e**2),
    lambda e: 1 / (2 + sympy.cos(e)),
    lambda e: e**3,
    lambda e: -e,
]


def _grown(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.tuples(parts, parts)
    return st.one_of(
        st.tuples(st.sampled_from(_one + _bounded + _more), parts).map(lambda t: t[0](t[1])),
        st.lists(parts, min_size=2, max_size=4).map(lambda terms: sympy.Add(*terms)),
        pairs.map(lambda t: sympy.Mul(*t)),
        pairs.map(lambda t: t[0] / (1 + t[1] ** 2)),
        pairs.map(lambda t: (1 + t[0] ** 2) ** sympy.cos(t[1])),
        pairs.map(lambda t: sympy.Max(*t)),
        st.tuples(parts, parts, parts).map(
            lambda t: sympy.Piecewise((t[0], t[2] > sympy.Rational(1, 7)), (t[1], True))
        ),
    )


expressions = st.recursive(_leaves, _grown, max_leaves=12)


def _precise(expression: Any, point: tuple[float, float]) -> float:
    values = {x: sympy.Float(point[0], 50), y: sympy.Float(point[1], 50)}
    return float(sympy.N(expression.xreplace(values), 40))


def _size(expression: Any, point: tuple[float, float]) -> float:
    """The greatest value on the way: rounding errors are relative to that."""
    values = [_precise(part, point) for part in sympy.preorder_traversal(expression) if part.is_Add]
    return max([1.0, *map(abs, values)])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(expressions, min_size=1, max_size=3))
def test_generated(outputs: list[Any]) -> None:
    try:
        wanted = [[_precise(one, point) for one in outputs] for point in POINTS]
    except (TypeError, OverflowError):
        assume(False)
        raise
    assume(all(math.isfinite(value) and abs(value) < 1e6 for row in wanted for value in row))
    compiled = symopt.lambdify([x, y], outputs)
    columns = compiled(*(np.array(column) for column in zip(*POINTS, strict=True)))
    mixed = compiled(np.array([POINTS[0][0]] * 2), POINTS[0][1])
    for row, point in enumerate(POINTS):
        numbers = compiled(*point)
        for k, one in enumerate(outputs):
            # Rounding may decide a condition or a sign otherwise at a tie; near one, no claim.
            close = 1e-11 * _size(one, point) * max(1.0, abs(wanted[row][k]))
            assume(not _tied(one, point))
            assert abs(numbers[k] - wanted[row][k]) <= close
            assert abs(columns[k][row] - wanted[row][k]) <= close
            if row == 0:
                assert abs(mixed[k][1] - wanted[row][k]) <= close


def _tied(expression: Any, point: tuple[float, float]) -> bool:
    """Whether the expression jumps within rounding errors of the point."""
    jumps = [part.args[0] for part in expression.atoms(sympy.sign)]
    jumps += [part.lhs - part.rhs for part in expression.atoms(sympy.core.relational.Relational)]
    return any(abs(_precise(jump, point)) < 1e-9 for jump in jumps)
