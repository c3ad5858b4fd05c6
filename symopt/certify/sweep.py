"""The parts of one expression at given points: their values, slopes, and weight in the whole."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import S

from symopt.primitives.operators import smul
from symopt.primitives.record import Primitive
from symopt.statements.evaluate import Values, evaluate_expression, points
from symopt.statements.expression import operands, postorder
from symopt.statements.program import Program, Role, Statement
from symopt.types import Integer
from symopt.types import evaluate as evaluate_integer

Array = NDArray[Any]
Known = dict[sympy.Expr, Array]


def all_points(statement: Statement, values: Values) -> tuple[dict[str, Array], int]:
    """The indices of every point of a statement, and how many points there are."""
    return points(statement.loops, values.dims, values.tensors)


def integer(value: Integer, values: Values, indices: Mapping[str, Any]) -> Any:
    """An integer at some points."""
    return evaluate_integer(value, values.dims, indices, values.tensors)


def reads_at(statement: Statement, values: Values, indices: Mapping[str, Any]) -> Known:
    """What the symbols of a statement stand for at some points: a number each, or an array."""
    known: Known = {}
    for read in statement.reads:
        where = tuple(integer(part, values, indices) for part in read.map)
        if read.tensor is None:
            known[read.symbol] = np.asarray(where[0], dtype=np.float64)
        else:
            known[read.symbol] = np.asarray(values.tensors[read.tensor][where])
    return known


def parts_at(statement: Statement, values: Values, indices: Mapping[str, Any]) -> Known:
    """The value of every part of a statement's expression at some points."""
    known = reads_at(statement, values, indices)
    with np.errstate(all="ignore"):
        evaluate_expression(statement.expression, known)
    return known


def slope_expressions(node: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """The derivative of a node by each of its operands, in terms of these."""
    parts = operands(node)
    if not isinstance(node, Primitive):
        return tuple(sympy.diff(node, part) if part.is_Symbol else S.Zero for part in parts)
    if node.record.constant:
        return (S.Zero,) * len(parts)
    if node.record.tangent is not None:
        units = (
            tuple(S.One if k == n else S.Zero for k in range(len(parts))) for n in range(len(parts))
        )
        return tuple(node.record.tangent(parts, unit) for unit in units)
    return tuple(sympy.sympify(partial) for partial in node.record.partials(*parts))


def slopes(node: sympy.Expr, known: Known) -> tuple[Array, ...]:
    """The derivative of a node by each of its operands, where all their values are known."""
    parts = operands(node)
    if isinstance(node, Primitive):
        return tuple(evaluate_expression(part, known) for part in slope_expressions(node))
    if node.is_Add:
        return (np.asarray(1.0),) * len(parts)
    if node.is_Mul:
        one = np.asarray(1.0)
        return tuple(
            functools.reduce(np.multiply, (known[p] for k, p in enumerate(parts) if k != n), one)
            for n in range(len(parts))
        )
    n = int(parts[1])  # the powers that SymPy makes of x*x
    return np.asarray(n * known[parts[0]] ** (n - 1)), np.asarray(0.0)


def weights(expression: sympy.Expr, known: Known) -> dict[sympy.Expr, Array]:
    """The derivative of the whole by every part; a zero weight wins over any slope."""
    found: dict[sympy.Expr, Array] = {expression: np.asarray(1.0)}
    with np.errstate(all="ignore"):
        for node in reversed(postorder(expression)):
            if node not in found or not operands(node):
                continue
            for part, slope in zip(operands(node), slopes(node, known), strict=True):
                share = smul.reference(found[node], slope)
                found[part] = found[part] + share if part in found else share
    return found


def real_tensors(program: Program) -> frozenset[str]:
    """The tensors that derivatives can be by: all but those of indices."""
    return frozenset(n for n, t in program.tensors.items() if t.role is not Role.INDICES)
