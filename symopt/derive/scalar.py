"""Derivatives of one scalar expression: weights of its symbols, and its tangent.

Expressions are SymPy's, with our primitives; the derivative of each primitive is in its record.
All walks are iterative and visit a shared part once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy
from sympy import S

from symopt.primitives import operators
from symopt.primitives.operators import strong_product
from symopt.primitives.record import Constant, Primitive
from symopt.statements.expression import operands, postorder


@dataclass(slots=True)
class Finiteness:
    """Which expressions can be non-finite although all parameters and data are finite.

    `wild` symbols may be non-finite; `nonzero` ones are safe to divide by. Overflow of sums and
    products is not considered: it makes the value itself non-finite.

    `forward` is for changes along directions or columns. A zero adjoint wins over whatever comes
    next on the way back; for changes to agree with that, a zero factor has to win over a change
    that is not finite, too. With `unguarded`, nothing of that matters: see `derive/exposure.py`.
    """

    wild: frozenset[sympy.Symbol] = frozenset()
    nonzero: frozenset[sympy.Symbol] = frozenset()
    forward: bool = False
    unguarded: bool = False
    _known: dict[sympy.Expr, bool] = field(default_factory=dict)

    def finite(self, expression: sympy.Expr) -> bool:
        """Whether the value is finite for sure, or need not be."""
        if self.unguarded:
            return True
        for node in postorder(expression):
            if node not in self._known:
                self._known[node] = self._judge(node)
        return self._known[expression]

    def _judge(self, node: sympy.Expr) -> bool:
        if isinstance(node, Constant):
            return abs(node.value) != float("inf") and node.value == node.value
        parts = operands(node)
        if not parts:
            return node not in self.wild
        if not all(self._known[part] for part in parts):
            return False
        if not isinstance(node, Primitive):
            return True
        if node.record is operators.divide:
            return self._nonzero(parts[1])
        if node.record is operators.integer_power:
            return int(parts[1]) >= 0 or self._nonzero(parts[0])
        return node.record.finite or node.record is operators.smul

    def _nonzero(self, node: sympy.Expr) -> bool:
        if isinstance(node, Constant):
            return node.value != 0
        if node.is_Integer:
            return node is not S.Zero
        return node in self.nonzero or (node.is_Mul and all(map(self._nonzero, operands(node))))

    def times(self, weight: sympy.Expr, factor: sympy.Expr) -> sympy.Expr:
        """weight·factor, where a zero weight wins over a factor that is not finite."""
        if weight is S.Zero or factor is S.Zero:
            return S.Zero
        if weight is S.One:
            return factor
        if not self.finite(factor):
            return strong_product(weight, factor)
        if self.forward and not self._nonzero(factor) and not self.finite(weight):
            return strong_product(factor, weight)
        return sympy.Mul(weight, factor)


def weights(
    expression: sympy.Expr,
    root: sympy.Expr,
    wanted: frozenset[sympy.Symbol],
    finiteness: Finiteness,
) -> dict[sympy.Symbol, sympy.Expr]:
    """root·∂expression/∂s for every wanted symbol s that the derivative reaches (reverse sweep)."""
    order = postorder(expression)
    active: set[sympy.Expr] = set()
    for node in order:
        if node in wanted or any(part in active for part in node.args):
            active.add(node)
    found: dict[sympy.Expr, list[sympy.Expr]] = {expression: [root]}
    result: dict[sympy.Symbol, sympy.Expr] = {}
    for node in reversed(order):
        if node not in active or node not in found:
            continue
        weight = sympy.Add(*found[node])
        if weight is S.Zero:
            continue
        if isinstance(node, sympy.Symbol) and node in wanted:
            result[node] = weight
            continue
        for number, part in enumerate(operands(node)):
            if part in active:
                share = _share(node, number, weight, finiteness)
                if share is not S.Zero:
                    found.setdefault(part, []).append(share)
    return result


def _share(node: sympy.Expr, number: int, weight: sympy.Expr, finiteness: Finiteness) -> sympy.Expr:
    """weight·∂node/∂(its argument `number`)."""
    if node.is_Add:
        return weight
    if node.is_Mul:
        factors = operands(node)
        others = factors[:number] + factors[number + 1 :]
        return finiteness.times(weight, sympy.Mul(*others))
    if node.is_Pow:
        return finiteness.times(weight, _power_slope(node)) if number == 0 else S.Zero
    assert isinstance(node, Primitive), type(node)
    record = node.record
    if record.constant:
        return S.Zero
    if record.tangent is not None:
        # The rule is linear in the changes: with one change it is that argument's share.
        changes = tuple(weight if k == number else S.Zero for k in range(record.arity))
        return record.tangent(node.args, changes)
    return finiteness.times(weight, record.partials(*node.args)[number])


def _power_slope(node: sympy.Expr) -> sympy.Expr:
    """n·x^(n-1) for the integer powers that SymPy makes of x·x."""
    base, n = operands(node)
    return sympy.Mul(Constant(float(n)), base ** (n - 1))


def tangent(
    expression: sympy.Expr,
    changes: Mapping[sympy.Symbol, sympy.Expr],
    finiteness: Finiteness,
) -> sympy.Expr:
    """Σ ∂expression/∂s · change(s), keeping selections: a branch not taken has no influence."""
    found: dict[sympy.Expr, sympy.Expr] = {**changes}
    for node in postorder(expression):
        if node not in found:
            found[node] = _change(node, found, finiteness)
    return found[expression]


def _change(
    node: sympy.Expr, found: Mapping[sympy.Expr, sympy.Expr], finiteness: Finiteness
) -> sympy.Expr:
    parts = operands(node)
    if all(found[part] is S.Zero for part in parts):
        return S.Zero
    if isinstance(node, Primitive) and node.record.tangent is not None:
        return node.record.tangent(parts, tuple(found[part] for part in parts))
    if node.is_Add:
        return sympy.Add(*(found[part] for part in parts))
    shares = (
        _share(node, number, found[part], finiteness)
        for number, part in enumerate(parts)
        if found[part] is not S.Zero
    )
    return sympy.Add(*shares)
