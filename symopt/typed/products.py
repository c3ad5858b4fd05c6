"""Matrix products by NumPy's rules, as sums in index form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symopt.source import Span
from symopt.typed import errors
from symopt.typed.program import Product, Reduce, Scalar
from symopt.typed.sharing import shared
from symopt.typed.values import Place, Value, broadcast_at, broadcast_shapes, broken_value
from symopt.types import constant, index

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


def matrix_product(elaborator: Elaborator, left: Value, right: Value, span: Span) -> Value:
    """`left @ right` as `numpy.matmul` has it, for operands of any rank from 1 up."""
    if left.broken or right.broken:
        return broken_value(span)
    for side in (left, right):
        if not side.shape:
            return elaborator.fail(errors.needs_array("@", side.span, "multiplies"), span)
    rows, columns = left.shape[:-1][-1:], right.shape[-1:] if len(right.shape) > 1 else ()
    inner = right.shape[max(len(right.shape) - 2, 0)]
    batch = broadcast_shapes(left.shape[:-2], right.shape[:-2])
    if left.shape[-1] != inner or batch is None:
        return elaborator.fail(
            errors.cannot_matrix_multiply(left.shape, right.shape, left.span, right.span, span),
            span,
        )
    a = shared(elaborator, left, "left")
    b = shared(elaborator, right, "right")
    common = batch

    def at(place: Place) -> Scalar:
        loop = elaborator.new_index("k", constant(0), inner)
        k = (index(loop.index),)
        outer, rest = place[: len(common)], place[len(common) :]
        row, column = rest[: len(rows)], rest[len(rows) :]
        a_shape = common + left.shape[-2:] if len(left.shape) > 1 else left.shape
        b_shape = common + right.shape[-2:] if len(right.shape) > 1 else right.shape
        a_place = outer + row + k if len(left.shape) > 1 else k
        b_place = outer + k + column if len(right.shape) > 1 else k
        product = Product((broadcast_at(a, a_shape, a_place), broadcast_at(b, b_shape, b_place)))
        return Reduce("sum", (loop,), product, span)

    return Value(common + rows + columns, at, span)
