"""Two small evaluators of SymPy trees over primitives: NumPy doubles, and mpmath numbers.

They share nothing with the compiler: a node means what its record's `reference` or `precise`
says. With `expand`, records lowered by an expression are replaced by that expression.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
import sympy

from symopt.primitives.record import Constant, Elementwise, Expand, Primitive

Call = Callable[[Elementwise, tuple[Any, ...]], Any]


def evaluate(
    expression: sympy.Expr, values: Mapping[sympy.Symbol, Any], *, expand: bool = False
) -> Any:
    """The value in NumPy arithmetic; floating-point exceptions stay silent, as in native code."""

    def call(record: Elementwise, arguments: tuple[Any, ...]) -> Any:
        return record.reference(*arguments)

    known: dict[sympy.Expr, Any] = {name: np.asarray(value) for name, value in values.items()}
    with np.errstate(all="ignore"):
        return _evaluate(_expanded(expression) if expand else expression, known, np.float64, call)


def evaluate_precisely(expression: sympy.Expr, values: Mapping[sympy.Symbol, Any]) -> Any:
    """The value in mpmath arithmetic at the working precision of the caller."""

    def call(record: Elementwise, arguments: tuple[Any, ...]) -> Any:
        assert record.precise is not None, record.name
        return record.precise(*arguments)

    return _evaluate(expression, dict(values), mpmath.mpf, call)


def _evaluate(
    node: sympy.Expr, known: dict[sympy.Expr, Any], number: Callable[..., Any], call: Call
) -> Any:
    if node in known:
        return known[node]
    if isinstance(node, Constant):
        value = number(node.value)
    elif isinstance(node, sympy.Integer):
        value = number(int(node))
    else:
        arguments = tuple(_evaluate(child, known, number, call) for child in node.args)
        if isinstance(node, Primitive):
            value = call(node.record, arguments)
        elif isinstance(node, sympy.Add):
            value = functools.reduce(operator.add, arguments)
        elif isinstance(node, sympy.Mul):
            value = functools.reduce(operator.mul, arguments)
        else:
            # SymPy's own product of equal factors; nothing else may appear.
            assert isinstance(node, sympy.Pow) and node.exp.is_Integer, sympy.srepr(node)
            assert int(node.exp) > 1, sympy.srepr(node)
            value = functools.reduce(operator.mul, [arguments[0]] * int(node.exp))
    known[node] = value
    return value


def _expanded(node: sympy.Expr) -> sympy.Expr:
    if isinstance(node, Primitive) and isinstance(node.record.lower, Expand):
        return _expanded(node.record.lower.build(*node.args))
    if not node.args:
        return node
    return node.func(*(_expanded(child) for child in node.args))


def primitives_in(expression: sympy.Expr) -> frozenset[Elementwise]:
    """The records of all nodes of an expression."""
    found = frozenset[Elementwise]().union(*(primitives_in(child) for child in expression.args))
    return found | {expression.record} if isinstance(expression, Primitive) else found
