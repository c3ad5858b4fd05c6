"""An expression as a linear function of one part: what can leave a sum over samples.

`a*x` is `a` times `x`; a sum of it over samples is `a` times the sum of `x`. What leaves is finite
for sure, or is held by a strong zero, which then holds the sum: 0 where nothing is added up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy

from symopt.primitives.operators import ONE, divide, select, smul, strong_product
from symopt.primitives.record import Primitive
from symopt.statements.expression import operands
from symopt.statements.hoist.work import is_number

Test = Callable[[sympy.Expr], bool]


@dataclass(frozen=True, slots=True)
class Peeled:
    """`outer(core)` is the expression, and `outer` is linear.

    `factors` are what left, but for numbers; `finite` says that none of them can be infinite.
    """

    core: sympy.Expr
    outer: Callable[[sympy.Expr], sympy.Expr] = lambda part: part
    factors: tuple[sympy.Expr, ...] = ()
    finite: bool = True


@dataclass(frozen=True, slots=True)
class Peeling:
    """Takes expressions apart; `free` parts do not depend on the sample."""

    free: Test
    finite: Test

    def of(self, node: sympy.Expr) -> Peeled:
        """The expression with as much as possible outside of its core."""
        if node.is_Mul:
            return self._product(node)
        if isinstance(node, Primitive) and not self.free(node):
            left, *others = operands(node)
            if node.record is smul:
                return self._strong(left, others[0])
            if node.record is select:
                return self._selected(left, *others)
            if node.record is divide and self.free(others[0]):
                return self._quotient(left, others[0])
        return Peeled(node)

    def _product(self, node: sympy.Expr) -> Peeled:
        outside, inside = self._parted(node)
        inner = self.of(inside[0]) if len(inside) == 1 else self._of_several(inside)
        product = sympy.Mul(*outside)
        factors = tuple(factor for factor in outside if not is_number(factor))
        return Peeled(
            inner.core,
            lambda part: sympy.Mul(product, inner.outer(part)),
            factors + inner.factors,
            inner.finite,
        )

    def _of_several(self, factors: list[sympy.Expr]) -> Peeled:
        """What leaves one of several factors leaves their product, if the others are finite."""
        for number, factor in enumerate(factors):
            inner = self.of(factor)
            others = factors[:number] + factors[number + 1 :]
            if inner.factors and (inner.finite or all(map(self.finite, others))):
                core = sympy.Mul(inner.core, *others)
                return Peeled(core, inner.outer, inner.factors, inner.finite)
        return Peeled(sympy.Mul(*factors))

    def _parted(self, node: sympy.Expr) -> tuple[list[sympy.Expr], list[sympy.Expr]]:
        """The factors of a product that may leave it, and the others."""
        factors = operands(node) if node.is_Mul else (node,)
        outside = [f for f in factors if self.free(f) and self.finite(f)]
        return outside, [f for f in factors if f not in outside]

    def _strong(self, weight: sympy.Expr, factor: sympy.Expr) -> Peeled:
        if self.free(factor):
            inner = self.of(weight)
            return Peeled(
                inner.core,
                lambda part: strong_product(inner.outer(part), factor),
                (*inner.factors, factor),
                finite=False,
            )
        if self.free(weight):
            if not self.finite(weight):
                return Peeled(smul(weight, factor))
            return Peeled(factor, lambda part: strong_product(weight, part), (weight,), False)
        # A weight that is 0 because of what leaves it must still win over the factor.
        outside, inside = self._parted(weight)
        beside, within = self._parted(factor)
        held, plain = sympy.Mul(*outside), sympy.Mul(*beside)
        core = strong_product(sympy.Mul(*inside), sympy.Mul(*within))
        left = tuple(part for part in (*outside, *beside) if not is_number(part))
        if all(map(is_number, outside)):
            return Peeled(core, lambda part: sympy.Mul(held, plain, part), left)
        return Peeled(core, lambda part: sympy.Mul(plain, strong_product(held, part)), left, False)

    def _selected(self, condition: sympy.Expr, chosen: sympy.Expr, other: sympy.Expr) -> Peeled:
        if not _is_zero(other):
            return Peeled(select(condition, chosen, other))
        outside, inside = self._parted(chosen)
        product = sympy.Mul(*outside)
        core = select(condition, sympy.Mul(*inside), other)
        factors = tuple(factor for factor in outside if not is_number(factor))
        return Peeled(core, lambda part: sympy.Mul(product, part), factors)

    def _quotient(self, numerator: sympy.Expr, divisor: sympy.Expr) -> Peeled:
        if not self.finite(divide(ONE, divisor)):
            return Peeled(divide(numerator, divisor))
        inner = self.of(numerator)
        factors = () if is_number(divisor) else (divisor,)
        return Peeled(
            inner.core,
            lambda part: divide(inner.outer(part), divisor),
            inner.factors + factors,
            inner.finite,
        )


def _is_zero(node: sympy.Expr) -> bool:
    return is_number(node) and (node is sympy.S.Zero or getattr(node, "value", 1.0) == 0.0)
