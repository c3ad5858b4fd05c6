"""The greatest or least value of an expression over loops, as a SymPy node like `Sum`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE

from symopt.derive.formula import Expression


class Greatest(ExprWithLimits):
    """max of `function` over its limits; `doit` finds it where these are numbers."""

    is_real = True

    def doit(self, **hints: object) -> Expression:
        return _evaluated(self, sympy.Max, hints)

    def _latex(self, printer: LatexPrinter) -> str:
        return _as_latex(self, r"\max", printer)


class Least(ExprWithLimits):
    """min of `function` over its limits."""

    is_real = True

    def doit(self, **hints: object) -> Expression:
        return _evaluated(self, sympy.Min, hints)

    def _latex(self, printer: LatexPrinter) -> str:
        return _as_latex(self, r"\min", printer)


def _evaluated(
    node: ExprWithLimits, choose: type[Expression], hints: dict[str, object]
) -> Expression:
    values = list(_values(node.function, node.limits[::-1], hints))
    return node if any(value is None for value in values) else choose(*values)


def _values(
    expression: Expression, limits: tuple[Any, ...], hints: dict[str, object]
) -> Iterator[sympy.Expr | None]:
    """The expression at every point of the limits, outermost first; None where one is open."""
    if not limits:
        yield expression.doit(**hints)
        return
    index, lower, upper = limits[0]
    if not (lower.is_Integer and upper.is_Integer):
        yield None
        return
    for value in range(int(lower), int(upper) + 1):
        inner = tuple(limit.subs(index, value) for limit in limits[1:])
        yield from _values(expression.subs(index, value), inner, hints)


def _as_latex(node: ExprWithLimits, name: str, printer: LatexPrinter) -> str:
    ranges = (
        rf"{printer._print(lower)} \leq {printer._print(index)} \leq {printer._print(upper)}"
        for index, lower, upper in (limit.args for limit in node.limits[::-1])
    )
    body = printer.parenthesize(node.function, PRECEDENCE["Mul"])
    return rf"{name}_{{{', '.join(ranges)}}} {body}"
