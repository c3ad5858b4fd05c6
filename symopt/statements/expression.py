"""Walks over expressions: iterative, and once over a part however often it is shared.

SymPy's own traversals walk trees, and the tree of a derivative is exponentially larger than the
parts that it is made of.
"""

from __future__ import annotations

import sympy


def postorder(expression: sympy.Expr) -> list[sympy.Expr]:
    """Every part of an expression once, parts before wholes."""
    order: list[sympy.Expr] = []
    seen: set[sympy.Expr] = set()
    pending: list[tuple[sympy.Expr, bool]] = [(expression, False)]
    while pending:
        node, expanded = pending.pop()
        if node in seen:
            continue
        if expanded or not node.args:
            seen.add(node)
            order.append(node)
        else:
            pending.append((node, True))
            pending.extend((part, False) for part in reversed(node.args))
    return order


def symbols_of(expression: sympy.Expr) -> set[sympy.Symbol]:
    """The symbols in an expression."""
    return {node for node in postorder(expression) if isinstance(node, sympy.Symbol)}
