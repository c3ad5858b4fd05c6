"""Expressions of our own nodes, each of which is made once: equal parts are one and the same.

Identity stands for equality here, so that no comparison and no hash goes deeper than one node, and
an expression may be as deep as it likes.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy

from symopt.primitives import operators
from symopt.primitives.record import Constant, Elementwise
from symopt.primitives.registry import PRIMITIVES

_FEW = 16  # terms of one sum; longer ones are sums of sums


class Nodes:
    """Makes nodes. What it made has to be kept for as long as it is in use."""

    def __init__(self) -> None:
        self._made: dict[object, sympy.Expr] = {}

    def constant(self, value: float) -> sympy.Expr:
        return self._one(value.hex(), Constant(value))

    def symbol(self, symbol: sympy.Symbol) -> sympy.Expr:
        return self._one(symbol, symbol)

    def apply(self, function: Elementwise, *arguments: sympy.Expr) -> sympy.Expr:
        key = (function.name, *map(id, arguments))
        return self._made.get(key) or self._one(key, function(*arguments))

    def call(self, name: str, *arguments: sympy.Expr) -> sympy.Expr:
        """A primitive by its name."""
        return self.apply(PRIMITIVES[name], *arguments)

    def add(self, *terms: sympy.Expr) -> sympy.Expr:
        return self._many(sympy.Add, terms)

    def multiply(self, *factors: sympy.Expr) -> sympy.Expr:
        return self._many(sympy.Mul, factors)

    def negative(self, x: sympy.Expr) -> sympy.Expr:
        if isinstance(x, Constant):
            return self.constant(-x.value)
        return self._pair(sympy.Mul, (sympy.S.NegativeOne, x))

    def divide(self, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
        return self.apply(operators.divide, a, b)

    def select(self, condition: sympy.Expr, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
        return self.apply(operators.select, condition, a, b)

    def fold(self, function: Elementwise, arguments: Iterable[sympy.Expr]) -> sympy.Expr:
        """An associative function of two arguments, of many: as a balanced tree."""
        parts = list(arguments)
        while len(parts) > 1:
            pairs = zip(parts[::2], parts[1::2], strict=False)
            rest = parts[len(parts) & ~1 :]
            parts = [self.apply(function, a, b) for a, b in pairs] + rest
        return parts[0]

    def power(self, x: sympy.Expr, n: int) -> sympy.Expr:
        """x to a constant integer power."""
        if n in (0, 1):
            return x if n else self.constant(1.0)
        key = ("power", id(x), n)
        return self._made.get(key) or self._one(key, operators.power_by_integer(x, n))

    def polygamma(self, n: int, x: sympy.Expr) -> sympy.Expr:
        """The n-th derivative of digamma, for a constant integer n."""
        if n == 0:
            return self.call("digamma", x)
        key = ("polygamma", id(x), n)
        made = PRIMITIVES["polygamma"]
        return self._made.get(key) or self._one(key, made(sympy.Integer(n), x))

    def rebuilt(self, node: sympy.Expr, parts: tuple[sympy.Expr, ...]) -> sympy.Expr:
        """The node with other parts."""
        if all(old is new for old, new in zip(node.args, parts, strict=True)):
            return node
        if isinstance(node, sympy.Add | sympy.Mul):
            return self._pair(type(node), parts)
        key = (type(node), *map(id, parts))
        return self._made.get(key) or self._one(key, type(node)(*parts))

    def _many(self, kind: type[sympy.Add | sympy.Mul], parts: tuple[sympy.Expr, ...]) -> sympy.Expr:
        while len(parts) > _FEW:
            groups = [parts[k : k + _FEW] for k in range(0, len(parts), _FEW)]
            parts = tuple(self._pair(kind, group) for group in groups)
        return self._pair(kind, parts)

    def _pair(self, kind: type[sympy.Add | sympy.Mul], parts: tuple[sympy.Expr, ...]) -> sympy.Expr:
        if len(parts) == 1:
            return parts[0]
        key = (kind, *map(id, parts))
        return self._made.get(key) or self._one(key, kind(*parts, evaluate=False))

    def _one(self, key: object, node: sympy.Expr) -> sympy.Expr:
        found = self._made.setdefault(key, node)
        hash(found)  # remembered by the node: SymPy goes down to what has none yet
        return found
