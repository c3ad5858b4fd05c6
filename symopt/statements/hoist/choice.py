"""Which parts of one statement to compute elsewhere: over fewer loops, or once for several uses.

Sums and products are taken apart: in `A[k]*x[s]*B[k]` the part `A[k]*B[k]` is over `k` alone. So
are quotients: `x[s]/q[k]` becomes `x[s]*(1/q[k])`, one division per `k`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import sympy

from symopt.primitives.operators import ONE, divide
from symopt.primitives.record import Primitive
from symopt.statements.expression import operands
from symopt.statements.hoist.needs import Needs
from symopt.statements.hoist.support import Support
from symopt.statements.hoist.work import DIVISION, is_number, joining

Symbol = sympy.Expr | None  # where there is none, the part stays where it is


@dataclass(slots=True)
class Choice:
    """The expression of a statement with parts replaced by names, top down."""

    needs: Needs
    name: Callable[[sympy.Expr, Support], Symbol]  # for a part over its support
    known: Callable[[sympy.Expr], Symbol]  # for what is computed anyway
    reciprocal: Callable[[sympy.Expr], Symbol]  # for 1 / a divisor that is
    gains: bool  # whether any part may need fewer loops
    _chosen: dict[sympy.Expr, sympy.Expr] = field(default_factory=dict)
    _split: dict[sympy.Expr, tuple[list[sympy.Expr], list[sympy.Expr]]] = field(
        default_factory=dict
    )

    def made(self, whole: bool) -> sympy.Expr:
        """The new expression; with `whole`, it may be a single name."""
        expression = self.needs.statement.expression
        reached = {expression}
        for node in reversed(self.needs.order):
            if node not in reached or not operands(node):
                continue
            symbol = self._taken(node) if whole or node is not expression else None
            if symbol is not None:
                self._chosen[node] = symbol
            else:
                reached.update(self._opened(node))
        return self._rebuilt(reached) if self._chosen or self._split else expression

    def _taken(self, node: sympy.Expr) -> Symbol:
        """A symbol for a whole part."""
        if self.gains:
            support = self.needs.support(node)
            if self.needs.pays((node,), 0, support):
                symbol = self.name(node, support)
                if symbol is not None:
                    return symbol
        return self.known(node)

    def _opened(self, node: sympy.Expr) -> Iterable[sympy.Expr]:
        """The parts to look at next, when a node is not taken as a whole."""
        parts = operands(node)
        if self.gains and (node.is_Add or node.is_Mul):
            rest, symbols = self._gathered(node, list(parts))
            if symbols:
                self._split[node] = rest, symbols
            return rest
        if isinstance(node, Primitive) and node.record is divide:
            found = self._by_reciprocal(*parts)
            if found is not None:
                self._split[node] = found
                return found[0]
        return parts

    def _gathered(
        self, node: sympy.Expr, terms: list[sympy.Expr]
    ) -> tuple[list[sympy.Expr], list[sympy.Expr]]:
        """The terms or factors that stay, and symbols for those that were brought together.

        First what is free of samples, then what needs fewer loops within a sample.
        """
        numbers = [term for term in terms if is_number(term)]
        pool = [term for term in terms if not is_number(term)]
        symbols: list[sympy.Expr] = []
        for free in (True, False) if len(pool) > 1 else ():
            left: list[sympy.Expr] = []
            for group in self._groups(pool, free):
                symbol = None
                if len(group) > 1:
                    support = self.needs.support(*group)
                    if self.needs.pays(group, joining((*numbers, *group)), support):
                        symbol = self.name(node.func(*numbers, *group), support)
                if symbol is None:
                    left.extend(group)
                else:
                    symbols.append(symbol)
                    numbers = []
            pool = left
        return numbers + pool, symbols

    def _groups(self, terms: list[sympy.Expr], free: bool) -> list[list[sympy.Expr]]:
        """Terms that need few loops together; each term is in one group."""
        groups: list[list[sympy.Expr]] = []
        size = {term: len(self.needs.support(term).loops) for term in terms}
        for term in sorted(terms, key=lambda term: -size[term]):
            for group in groups:
                together = self.needs.support(*group, term)
                if self.needs.saves(together) and (not free or self.needs.free(together)):
                    group.append(term)
                    break
            else:
                groups.append([term])
        return groups

    def _by_reciprocal(
        self, numerator: sympy.Expr, divisor: sympy.Expr
    ) -> tuple[list[sympy.Expr], list[sympy.Expr]] | None:
        """The factors that stay, and the quotient that they are multiplied with."""
        factors = list(operands(numerator)) if numerator.is_Mul else [numerator]
        known = self.reciprocal(divisor)
        if known is not None:
            return [factor for factor in factors if factor != ONE], [known]
        support = self.needs.support(divisor)
        if (
            is_number(divisor)
            or not self.gains
            or not self.needs.pays((divisor,), DIVISION, support)
        ):
            return None
        joins = [f for f in factors if self.needs.support(f, divisor) == support]
        rest = [factor for factor in factors if factor not in joins]
        symbol = self.name(divide(sympy.Mul(*joins) if joins else ONE, divisor), support)
        return None if symbol is None else (rest, [symbol])

    def _rebuilt(self, reached: set[sympy.Expr]) -> sympy.Expr:
        built: dict[sympy.Expr, sympy.Expr] = {}
        for node in self.needs.order:
            if node not in reached:
                continue
            parts = operands(node)
            if node in self._chosen:
                built[node] = self._chosen[node]
            elif node in self._split:
                rest, symbols = self._split[node]
                make = sympy.Add if node.is_Add else sympy.Mul
                built[node] = make(*(built[part] for part in rest), *symbols)
            elif parts and any(built[part] is not part for part in parts):
                built[node] = node.func(*(built[part] for part in parts))
            else:
                built[node] = node
        return built[self.needs.order[-1]]
