"""Functions of matrices in terms of those that run on a whole matrix in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy

from symopt.primitives import operators
from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.program import Read, Reduction, Role, Statement, Tensor, read_of
from symopt.typed.ranges import greatest
from symopt.types import Range, constant, index

_LOG, _ABS, _SIGN = PRIMITIVES["log"], PRIMITIVES["abs"], PRIMITIVES["sign"]
_NAN = Constant(float("nan"))


def with_whole_matrix(statement: Statement, tensors: dict[str, Tensor]) -> Iterator[Statement]:
    """An inverse or a factor of a matrix that lies row by row, after what makes it so."""
    (read,) = statement.reads
    if not _is_whole(statement, read, tensors):
        copy = _copy(statement, tensors)
        yield copy
        read = read_of(copy.target, copy.map)
        statement = replace(statement, expression=read.symbol, reads=(read,))
    if statement.reduction in ("determinant", "logdet"):
        yield from _determinant(statement, tensors)
    else:
        yield statement


def _is_whole(statement: Statement, read: Read, tensors: dict[str, Tensor]) -> bool:
    """Whether rows and columns are the last axes of what is read, all of these."""
    row, column = statement.loops[-2:]
    inner = {row.index, column.index}
    return (
        read.map[-2:] == (index(row.index), index(column.index))
        and not any(place.indices & inner for place in read.map[:-2])
        and tensors[str(read.tensor)].shape[-2:] == (row.upper, column.upper)
    )


def _copy(statement: Statement, tensors: dict[str, Tensor]) -> Statement:
    name = f"{statement.target}.matrix"
    loops = (*statement.around, *statement.loops[-2:])
    ranges = {loop.index: loop for loop in loops}
    below = {t.name: t.below for t in tensors.values() if t.below is not None}
    place = tuple(index(loop.index) for loop in loops)
    shape = tuple(greatest(part, ranges, below) + 1 for part in place)
    tensors[name] = Tensor(name, shape, Role.COMPUTED)
    return replace(statement, target=name, map=place, loops=loops, reduction="=")


def _determinant(statement: Statement, tensors: dict[str, Tensor]) -> Iterator[Statement]:
    """The product of the diagonal that is left; the sum of its logarithms, and its sign."""
    target, place, shape = statement.target, statement.map, tensors[statement.target].shape
    row, column = statement.loops[-2:]
    outer = tuple(Range(f"{loop.index}~", constant(0), loop.upper) for loop in (row, column))
    name = f"{target}.factor"
    tensors[name] = Tensor(name, (*shape, row.upper, column.upper), Role.COMPUTED)
    yield replace(
        statement,
        target=name,
        map=(*place, *(index(loop.index) for loop in outer)),
        loops=(*statement.around, *outer, row, column),
        reduction="elimination",
    )
    diagonal = read_of(name, (*place, index(row.index), index(row.index)))
    number = diagonal.symbol

    def step(
        name: str,
        reduction: Reduction,
        expression: sympy.Expr,
        loops: tuple[Range, ...],
        *reads: Read,
    ) -> Statement:
        tensors[name] = Tensor(name, shape, Role.COMPUTED)
        return Statement(
            name, place, loops, reduction, expression, reads,
            steps=statement.steps, span=statement.span,
        )  # fmt: skip

    along = (*statement.around, row)
    if statement.reduction == "determinant":
        yield step(target, "prod", number, along, diagonal)
        return
    yield step(f"{target}.size", "sum", _LOG(_ABS(number)), along, diagonal)
    yield step(f"{target}.sign", "prod", _SIGN(number), along, diagonal)
    size, sign = read_of(f"{target}.size", place), read_of(f"{target}.sign", place)
    negative = operators.less(sign.symbol, operators.ZERO)
    value = operators.select(negative, _NAN, size.symbol)
    yield step(target, "=", value, statement.around, size, sign)
