"""A formula: what is computed, as our nodes over symbols, and what each symbol stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import sympy

from symopt.statements.expression import operands
from symopt.statements.program import Read
from symopt.types import Range


@dataclass(frozen=True, slots=True)
class Total:
    """The sum or product of `body` over the loop."""

    kind: Literal["sum", "prod"]
    loop: Range
    body: sympy.Expr


@dataclass(frozen=True, slots=True)
class Formula:
    """Several scalars.

    `scalars` are the symbols that stand for one number each, which may be an array at a call, with
    the name of its tensor; `reads` stand for elements of arrays of a rank of their own and for
    indices; `totals` for sums and products, outer ones first. `whole` are scalars that limit them.
    """

    roots: tuple[sympy.Expr, ...]
    scalars: Mapping[sympy.Symbol, str]
    reads: Mapping[sympy.Symbol, Read]
    totals: Mapping[sympy.Symbol, Total]
    whole: frozenset[str]

    def parts(self, node: sympy.Expr) -> tuple[sympy.Expr, ...]:
        """What a node is computed from."""
        if isinstance(node, sympy.Symbol) and node in self.totals:
            return (self.totals[node].body,)
        return tuple(part for part in operands(node) if not part.is_Integer)

    def order(self) -> list[sympy.Expr]:
        """Every node once, parts before wholes."""
        order: list[sympy.Expr] = []
        seen: set[int] = set()
        pending = [(root, False) for root in reversed(self.roots)]
        while pending:
            node, entered = pending.pop()
            if id(node) in seen:
                continue
            if entered:
                seen.add(id(node))
                order.append(node)
                continue
            pending.append((node, True))
            pending.extend((part, False) for part in reversed(self.parts(node)))
        return order
