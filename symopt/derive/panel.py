"""Many vectors at once: the statements along one direction, with one more axis for directions.

What does not depend on the vectors is computed once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from symopt.derive.activity import depending_on
from symopt.statements.expression import replaced
from symopt.statements.program import Program, Read, Role, Statement, read_of
from symopt.types import Integer, Range, constant, index


def by_panel(program: Program, size: int) -> Program:
    """The program for `size` vectors where it had one: its seeds get a last axis of that size.

    So do all outputs. These depend on the seeds linearly, statement by statement: there is no
    maximum or product of anything that does.
    """
    width = constant(size)
    seeds = [tensor.name for tensor in program.tensors.values() if tensor.role is Role.SEED]
    moved = depending_on(program, seeds).union(program.outputs)
    tensors = {
        name: replace(tensor, shape=(*tensor.shape, width)) if name in moved else tensor
        for name, tensor in program.tensors.items()
    }
    statements = tuple(
        _widened(statement, moved, width) if statement.target in moved else statement
        for statement in program.statements
    )
    return replace(program, statements=statements, tensors=tensors)


def _widened(statement: Statement, moved: set[str], width: Integer) -> Statement:
    assert statement.reduction in ("=", "sum"), "changes are linear"
    taken = {loop.index for loop in statement.loops}
    column = _free("vector", taken)
    reads = {read: _at(read, moved, index(column)) for read in statement.reads}
    symbols = {old.symbol: new.symbol for old, new in reads.items()}
    return replace(
        statement,
        map=(*statement.map, index(column)),
        loops=(*statement.loops, Range(column, constant(0), width)),
        expression=replaced(statement.expression, symbols),
        reads=tuple(reads.values()),
    )


def _at(read: Read, moved: set[str], column: Integer) -> Read:
    if read.tensor is None or read.tensor not in moved:
        return read
    return read_of(read.tensor, (*read.map, column))


def _free(stem: str, taken: Iterable[str]) -> str:
    name = stem
    while name in taken:
        name += "'"
    return name
