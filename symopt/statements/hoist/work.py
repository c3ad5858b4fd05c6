"""How much work an expression is: arithmetic operations, with functions at a typical price."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import sympy

from symopt.primitives import operators
from symopt.primitives.record import Builtin, Constant, Elementwise, Expand, Intrinsic, Primitive
from symopt.statements.expression import operands, postorder

DIVISION = 8
FUNCTION = 20
_QUOTIENTS = frozenset({"divide", "floor_divide", "remainder"})
_BITS = frozenset({"llvm.fabs", "llvm.floor", "llvm.ceil"})


def work(expression: sympy.Expr) -> int:
    """The work of all parts, shared ones counted once; a sign costs nothing."""
    return sum(map(node_work, postorder(expression)))


def node_work(node: sympy.Expr) -> int:
    """The work of one operation."""
    parts = operands(node)
    if not parts:
        return 0
    if node.is_Pow:
        return _power_work(int(parts[1]))
    if not isinstance(node, Primitive):
        return joining(parts)
    if node.record is operators.divide and is_number(parts[1]):
        return 1  # a product with the reciprocal
    if node.record is operators.integer_power:
        exponent = int(parts[1])
        return _power_work(abs(exponent)) + (DIVISION if exponent < 0 else 0)
    return _function_work(node.record)


def _power_work(exponent: int) -> int:
    """The products of a power by repeated squaring."""
    return exponent.bit_length() + exponent.bit_count() - 2


def is_number(node: sympy.Expr) -> bool:
    """Whether this is a plain number."""
    return isinstance(node, Constant | sympy.Integer)


def joining(parts: Iterable[sympy.Expr]) -> int:
    """The operations that bring some terms or factors together; numbers are one together."""
    parts = tuple(parts)
    numbers = [part for part in parts if is_number(part)]
    plain = all(part is sympy.S.NegativeOne for part in numbers)
    return max(len(parts) - len(numbers) + int(not plain) - 1, 0)


@functools.cache
def _function_work(record: Elementwise) -> int:
    match record.lower:
        case Builtin(name):
            return DIVISION if name in _QUOTIENTS else 1
        case Intrinsic("llvm.sqrt"):
            return DIVISION
        case Intrinsic(name) if name in _BITS:
            return 1
        case Expand(build):
            low = (interval[0] for interval in record.domain)
            fixed = [interval[0] == interval[1] for interval in record.domain]
            arguments = (
                sympy.Integer(int(value)) if number else sympy.Dummy(real=True)
                for value, number in zip(low, fixed, strict=True)
            )
            return work(build(*arguments))
        case _:
            return FUNCTION
