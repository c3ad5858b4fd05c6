"""Matrix expressions by their elements."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.matrices.expressions import (
    HadamardProduct,
    Identity,
    MatAdd,
    MatMul,
    MatPow,
    MatrixExpr,
    MatrixSymbol,
    Transpose,
    ZeroMatrix,
)
from sympy.matrices.expressions.blockmatrix import BlockMatrix
from sympy.matrices.expressions.special import OneMatrix
from sympy.matrices.matrixbase import MatrixBase

from symopt.lambdified import errors

_WRITTEN_OUT = (
    HadamardProduct,
    Identity,
    MatAdd,
    MatMul,
    MatPow,
    MatrixBase,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    BlockMatrix,
)


def known_sizes(matrix: Any) -> bool:
    """Whether both sizes are numbers."""
    return all(sympy.sympify(size).is_Integer for size in matrix.shape)


def sizes_of(matrix: Any) -> tuple[int, ...]:
    """The sizes, which are numbers."""
    return tuple(int(size) for size in matrix.shape)


def explicit(expression: MatrixExpr) -> Any:
    """The matrix of scalar expressions; an error where that is no matter of sums and products."""
    parts: Any = sympy.preorder_traversal(expression)
    for part in parts:
        if isinstance(part, MatrixExpr) and not isinstance(part, _WRITTEN_OUT):
            raise errors.unsupported(part, "write it out: `expr.as_explicit()`")
        if isinstance(part, MatPow) and not (part.exp.is_nonnegative and part.exp.is_Integer):
            raise errors.unsupported(part, "write it out: `expr.as_explicit()`")
        if isinstance(part, MatrixExpr) and not known_sizes(part):
            raise errors.unsupported(part, "the sizes of all matrices have to be numbers")
    return expression.as_explicit()
