"""Functions of square matrices: inv, det, logdet, cholesky, solve, over the last two axes.

They are reductions over rows and columns, in definitions of their own: an inverse is computed
once, however often its elements are used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symopt.source import Span
from symopt.typed import errors
from symopt.typed.products import matrix_product
from symopt.typed.program import Number, Product, Read, Reduce, ReductionName, Sum
from symopt.typed.sharing import Written, shared, stored
from symopt.typed.values import ONE, Place, Value, broadcast_shapes, broken_value, mapped
from symopt.types import constant, index

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


def inverse(elaborator: Elaborator, matrix: Value, span: Span) -> Value:
    """`inv(M)`: the inverses of a stack of matrices."""
    return _matrix_of_matrix(elaborator, "inverse", "inv", matrix, span)


def cholesky(elaborator: Elaborator, matrix: Value, span: Span) -> Value:
    """`cholesky(M)`: the lower factors of the symmetric parts."""
    return _matrix_of_matrix(elaborator, "cholesky", "cholesky", matrix, span)


def determinant(elaborator: Elaborator, matrix: Value, span: Span) -> Value:
    """`det(M)`: one number a matrix."""
    return _number_of_matrix(elaborator, "determinant", "det", matrix, span)


def log_determinant(elaborator: Elaborator, matrix: Value, span: Span) -> Value:
    """`logdet(M)`: log(det(M)), without the overflow of a determinant."""
    return _number_of_matrix(elaborator, "logdet", "logdet", matrix, span)


def solve(elaborator: Elaborator, matrix: Value, right: Value, span: Span) -> Value:
    """`solve(A, b)`: x with A x = b; b is a vector, or a stack of matrices.

    The inverse times b, refined once: the residual is then as small as that of an elimination.
    """
    if not _is_square(elaborator, "solve", matrix, span):
        return broken_value(span)
    rows = right.shape[-2:][:1]
    batch = broadcast_shapes(matrix.shape[:-2], right.shape[:-2])
    if rows != matrix.shape[-1:] or batch is None:
        diagnostic = errors.cannot_solve(matrix.shape, right.shape, matrix.span, right.span, span)
        return elaborator.fail(diagnostic, span)
    matrix, right = _dense(elaborator, matrix), shared(elaborator, right, "right")
    if len(right.shape) > 1 or len(matrix.shape) == 2:
        return _refined(elaborator, matrix, right, span)
    column = Value((*right.shape, ONE), lambda place: right.at(place[:1]), right.span, simple=True)
    found = _refined(elaborator, matrix, column, span)
    zero = constant(0)
    return Value(found.shape[:-1], lambda place: found.at((*place, zero)), span, simple=True)


def _refined(elaborator: Elaborator, matrix: Value, right: Value, span: Span) -> Value:
    inverted = inverse(elaborator, matrix, span)
    first = shared(elaborator, matrix_product(elaborator, inverted, right, span), "solution")
    back = matrix_product(elaborator, matrix, first, span)
    residual = mapped(
        back.shape,
        (right, back),
        lambda parts: Sum((parts[0], Product((Number(-1.0), parts[1]))), span),
        span,
    )
    further = matrix_product(elaborator, inverted, residual, span)
    refined = mapped(first.shape, (first, further), lambda parts: Sum(parts, span), span)
    return shared(elaborator, refined, "solution")


def _is_square(elaborator: Elaborator, name: str, matrix: Value, span: Span) -> bool:
    """Whether the last two axes are those of square matrices; a report otherwise."""
    square = len(matrix.shape) > 1 and matrix.shape[-1] == matrix.shape[-2]
    if not square:
        elaborator.fail(errors.not_square_argument(name, matrix.shape, matrix.span), span)
    return square


def _dense(elaborator: Elaborator, matrix: Value) -> Value:
    """The matrix as elements of one tensor."""
    probe = matrix.at(tuple(index(loop.index) for loop in elaborator.loops_over(matrix.shape)))
    if isinstance(probe, Read):
        return replace(matrix, simple=True)
    return shared(elaborator, replace(matrix, simple=False), "matrix")


def _matrix_of_matrix(
    elaborator: Elaborator, kind: ReductionName, name: str, matrix: Value, span: Span
) -> Value:
    if not _is_square(elaborator, name, matrix, span):
        return broken_value(span)
    source = _dense(elaborator, matrix)
    loops = elaborator.loops_over(matrix.shape)
    place = tuple(index(loop.index) for loop in loops)
    element = _reduced(elaborator, kind, source, place[:-2], place[-2:], span)
    tensor, outer, _, _ = stored(elaborator, name, Written(loops, place, element, False, span))
    return Value(matrix.shape, lambda place: Read(tensor, outer + place, span), span, simple=True)


def _number_of_matrix(
    elaborator: Elaborator, kind: ReductionName, name: str, matrix: Value, span: Span
) -> Value:
    if not _is_square(elaborator, name, matrix, span):
        return broken_value(span)
    source = _dense(elaborator, matrix)

    def at(place: Place) -> Reduce:
        return _reduced(elaborator, kind, source, place, (), span)

    return shared(elaborator, Value(matrix.shape[:-2], at, span), name)


def _reduced(
    elaborator: Elaborator, kind: ReductionName, matrix: Value, batch: Place, at: Place, span: Span
) -> Reduce:
    """A function of one matrix of the stack, or its element `at` a place."""
    loops = elaborator.loops_over(matrix.shape[-2:])
    body = matrix.at((*batch, *(index(loop.index) for loop in loops)))
    return Reduce(kind, loops, body, span, at=at)
