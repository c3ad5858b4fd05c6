"""The Gauss-Newton matrix and the gradient, from changes of the cut that are never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy

from symopt.derive.elements import element_loops
from symopt.statements.build import used_reads
from symopt.statements.program import Program, Read, Role, Statement, Tensor, read_of
from symopt.types import Integer, Range, constant, flat_place, index


def lower_triangle(
    moved: Program, cut: tuple[str, ...], offsets: Mapping[str, Integer], columns: Integer
) -> Program:
    """The lower triangle of Σ ṁᵀ ∇²l ṁ, and the gradient.

    `moved` has the adjoint of the loss down to the cut, and all changes by columns.
    """
    matrix = Tensor("curvature", (columns, columns), Role.COMPUTED)
    gradient = Tensor("gradient", (columns,), Role.COMPUTED)
    statements: list[Statement] = []
    for name in cut:
        statements += _through_cut(moved, name, columns)
    for name, offset in offsets.items():
        statements += _direct(moved, name, offset)
    whole = moved.extended(tuple(statements), {matrix.name: matrix, gradient.name: gradient})
    return replace(whole, outputs=(matrix.name, gradient.name))


def _through_cut(program: Program, name: str, columns: Integer) -> list[Statement]:
    loops, place = element_loops(program.tensors[name].shape)
    row, column = Range("row", constant(0), columns), Range("column", constant(0), columns)
    lower = Range("column", constant(0), index("row") + 1)
    found: list[Statement] = []
    change, bar, bent = f"{name}.dot", f"{name}.bar", f"{name}.bar.dot"
    if change not in program.tensors:
        return found
    if bent in program.tensors:
        left = read_of(change, (*place, index("row")))
        right = read_of(bent, (*place, index("column")))
        found.append(
            _product(
                "curvature", (index("row"), index("column")), (*loops, row, lower), left, right
            )
        )
    if bar in program.tensors:
        left = read_of(change, (*place, index("column")))
        found.append(
            _product("gradient", (index("column"),), (*loops, column), left, read_of(bar, place))
        )
    return found


def _product(
    target: str, place: tuple[Integer, ...], loops: tuple[Range, ...], left: Read, right: Read
) -> Statement:
    expression = sympy.Mul(left.symbol, right.symbol)
    return Statement(target, place, loops, "sum", expression, used_reads(expression, (left, right)))


def _direct(program: Program, name: str, offset: Integer) -> list[Statement]:
    """The rows of a parameter that the loss reads directly."""
    tensor = program.tensors[name]
    loops, place = element_loops(tensor.shape)
    row = offset + flat_place(place, tensor.shape)
    found: list[Statement] = []
    if f"{name}.bar.dot" in program.tensors:
        lower = Range("column", constant(0), row + 1)
        read = read_of(f"{name}.bar.dot", (*place, index("column")))
        found.append(
            Statement(
                "curvature", (row, index("column")), (*loops, lower), "sum", read.symbol, (read,)
            )
        )
    if f"{name}.bar" in program.tensors:
        read = read_of(f"{name}.bar", place)
        found.append(Statement("gradient", (row,), loops, "sum", read.symbol, (read,)))
    return found
