"""A loss with its packed parameters as full arrays, L[k, a, b]: for people, never compiled."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from symopt.derive.functions import Task
from symopt.statements.expression import replaced
from symopt.statements.program import Read, Statement, read_of
from symopt.typed.packing import positions_name
from symopt.typed.program import Param
from symopt.types import Entry, Integer


def unpacked(task: Task, params: Mapping[str, Param]) -> Task:
    """The same loss, reading `L[k, a, b]` where it read `L[k, L.pos[a, b]]`."""
    packed = {name: param for name, param in params.items() if param.packing is not None}
    if not packed:
        return task
    program = task.program
    tensors = dict(program.tensors)
    for name, param in packed.items():
        tensors[name] = replace(tensors[name], shape=param.shape)
    statements = tuple(_unpacked(statement, packed.keys()) for statement in program.statements)
    return replace(task, program=replace(program, statements=statements, tensors=tensors))


def _unpacked(statement: Statement, packed: Set[str]) -> Statement:
    new: dict[Read, Read] = {
        read: read_of(read.tensor, _full_place(read.tensor, read.map))
        for read in statement.reads
        if read.tensor is not None and read.tensor in packed
    }
    if not new:
        return statement
    symbols = {old.symbol: read.symbol for old, read in new.items()}
    return replace(
        statement,
        expression=replaced(statement.expression, symbols),
        reads=tuple(new.get(read, read) for read in statement.reads),
    )


def _full_place(name: str, place: tuple[Integer, ...]) -> tuple[Integer, ...]:
    *batch, position = place
    (((entry,), _),) = position.terms
    assert isinstance(entry, Entry) and entry.tensor == positions_name(name)
    return (*batch, *entry.indices)
