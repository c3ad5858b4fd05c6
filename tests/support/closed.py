"""Numbers for closed SymPy expressions, by the plainest reading of each node in Python floats."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np
import sympy
from sympy.concrete.expr_with_limits import ExprWithLimits

from symopt.derive.extremum import Greatest, Least
from symopt.primitives.cases import Cases

_FOLDS: dict[type, tuple[Callable[..., Any], float]] = {
    sympy.Add: (operator.add, 0.0),
    sympy.Mul: (operator.mul, 1.0),
    sympy.Sum: (operator.add, 0.0),
    sympy.Product: (operator.mul, 1.0),
    sympy.Max: (max, -np.inf),
    sympy.Min: (min, np.inf),
    Greatest: (max, -np.inf),
    Least: (min, np.inf),
    sympy.And: (operator.and_, True),
    sympy.Or: (operator.or_, False),
}
_CALLS: dict[type, Callable[..., Any]] = {
    sympy.Pow: np.power,
    sympy.Eq: operator.eq,
    sympy.Ne: operator.ne,
    sympy.Lt: operator.lt,
    sympy.Le: operator.le,
    sympy.Gt: operator.gt,
    sympy.Ge: operator.ge,
    sympy.Not: operator.not_,
    sympy.KroneckerDelta: lambda a, b: float(a == b),
    sympy.Mod: operator.mod,
    sympy.exp: np.exp,
    sympy.log: np.log,
    sympy.sin: np.sin,
    sympy.cos: np.cos,
    sympy.tanh: np.tanh,
    sympy.Abs: np.abs,
    sympy.sign: np.sign,
    sympy.floor: np.floor,
    sympy.ceiling: np.ceil,
}


def value(node: sympy.Basic, known: Mapping[str, Any]) -> Any:
    """The value where `known` gives sizes, indices, scalars and arrays by name."""
    if isinstance(node, sympy.Symbol):
        return known[node.name]
    if isinstance(node, sympy.Indexed):
        places = tuple(int(value(place, known)) for place in node.indices)
        return known[str(node.base)][places]
    if isinstance(node, sympy.logic.boolalg.BooleanAtom):
        return bool(node)
    if isinstance(node, sympy.Piecewise):
        return next(value(branch, known) for branch, c in node.args if value(c, known))
    if isinstance(node, Cases):
        condition, a, b = node.args
        return value(a if value(condition, known) else b, known)
    if isinstance(node, ExprWithLimits):
        fold, start = _FOLDS[node.func]
        values = (value(node.function, inner) for inner in _points(node.limits[::-1], known))
        return reduce(fold, values, start)
    if not node.args:
        return float(node)
    parts = [value(part, known) for part in node.args]
    if node.func in _FOLDS:
        return reduce(*(_FOLDS[node.func][0], parts))
    if node.func in _CALLS:
        return _CALLS[node.func](*map(np.float64, parts))
    return float(node.func(*map(sympy.Float, parts)))  # a function that only SymPy has


def _points(limits: Any, known: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every point of nested limits, outermost first."""
    if not limits:
        yield known
        return
    index, first, last = limits[0]
    for place in range(int(value(first, known)), int(value(last, known)) + 1):
        yield from _points(limits[1:], {**known, index.name: place})
