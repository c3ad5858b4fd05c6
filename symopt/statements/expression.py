"""Walks over expressions: iterative, and once over a part however often it is shared.

SymPy's own traversals walk trees, and the tree of a derivative is exponentially larger than the
parts that it is made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import sympy


def operands(node: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """The arguments of a node of ours, which are expressions: SymPy promises less of `args`."""
    return cast("tuple[sympy.Expr, ...]", node.args)


def replaced(expression: sympy.Expr, parts: Mapping[Any, sympy.Expr]) -> sympy.Expr:
    """The expression with some of its parts replaced by expressions."""
    return cast(sympy.Expr, expression.xreplace(parts))


def postorder(expression: sympy.Expr) -> list[sympy.Expr]:
    """Every part of an expression once, parts before wholes."""
    order: list[sympy.Expr] = []
    seen: set[sympy.Expr] = set()
    pending: list[tuple[sympy.Expr, bool]] = [(expression, False)]
    while pending:
        node, expanded = pending.pop()
        if node in seen:
            continue
        parts = () if expanded else operands(node)
        if parts:
            pending.append((node, True))
            pending.extend((part, False) for part in reversed(parts))
        else:
            seen.add(node)
            order.append(node)
    return order


def symbols_of(expression: sympy.Expr) -> set[sympy.Symbol]:
    """The symbols in an expression."""
    return {node for node in postorder(expression) if isinstance(node, sympy.Symbol)}
