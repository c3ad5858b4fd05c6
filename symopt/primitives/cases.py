"""A choice between two values that stays where it is written.

SymPy pulls every `Piecewise` inside a `Sum` to its front: out of inner sums too, whose indices
then escape, and in as many branches as all choices have combinations.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy.core.logic import fuzzy_and
from sympy.printing.latex import LatexPrinter

_Expression = Any  # SymPy's own annotations lose the kind of an argument


class Cases(sympy.Expr):
    """`Cases(condition, a, b)`: a where the condition holds, else b."""

    __slots__ = ()
    is_commutative = True

    def __new__(cls, condition: object, a: object, b: object) -> _Expression:
        condition, a, b = map(sympy.sympify, (condition, a, b))
        if condition == True or a == b:  # noqa: E712 (a SymPy truth value)
            return a
        if condition == False:  # noqa: E712 (a SymPy truth value)
            return b
        return super().__new__(cls, condition, a, b)

    @property
    def piecewise(self) -> _Expression:
        """The same as SymPy's own `Piecewise`."""
        condition, a, b = self.args
        return sympy.Piecewise((a, condition), (b, True))

    def _eval_rewrite_as_Piecewise(self, *args: sympy.Basic, **hints: object) -> _Expression:
        return Cases(*args).piecewise

    def _eval_derivative(self, s: sympy.Symbol) -> _Expression:
        condition, a, b = self.args
        return Cases(condition, sympy.diff(a, s), sympy.diff(b, s))

    def _eval_is_real(self) -> bool | None:
        return fuzzy_and(part.is_real for part in self.args[1:])

    def _eval_is_integer(self) -> bool | None:
        return fuzzy_and(part.is_integer for part in self.args[1:])

    def _latex(self, printer: LatexPrinter) -> str:
        return printer.doprint(self.piecewise)
