"""Statements over fewer points: what depends on a shorter index is computed once for it."""

from symopt.statements.hoist.factor import factor
from symopt.statements.hoist.hoist import hoist
from symopt.statements.hoist.program import Hoisted, Hoisting

__all__ = ["Hoisted", "Hoisting", "factor", "hoist"]
