"""What must hold of every statement program; a violation is our own mistake, never a user's."""

from __future__ import annotations

from symopt.statements.program import Program, Role, Statement
from symopt.types import Integer


def verify(program: Program) -> Program:
    """The program itself, if it is well-formed; an AssertionError names what is not."""
    written: set[str] = set()
    last_write = {s.target: number for number, s in enumerate(program.statements)}
    for number, statement in enumerate(program.statements):
        _verify_statement(program, statement)
        for read in statement.reads:
            if read.tensor is None:
                continue
            tensor = program.tensors[read.tensor]
            if tensor.role is Role.COMPUTED:
                base = read.tensor.removesuffix(".winner")
                assert read.tensor in written or base in written, f"{read.tensor} is read unwritten"
                assert last_write.get(base, last_write.get(read.tensor, -1)) < number, (
                    f"{read.tensor} is read by statement {number} before it is complete"
                )
        if statement.reduction != "sum":
            assert statement.target not in written, f"{statement.target} is written twice"
        written.add(statement.target)
    for name in program.outputs:
        assert name in program.tensors, f"output {name} is not a tensor"
    return program


def _verify_statement(program: Program, statement: Statement) -> None:
    target = program.tensors[statement.target]
    assert target.role is Role.COMPUTED, f"{target.name} is given and cannot be written"
    assert len(statement.map) == len(target.shape), f"{target.name}: map and shape differ in rank"
    indices: set[str] = set()
    for loop in statement.loops:
        for edge in (loop.lower, loop.upper):
            _known(program, edge, indices, statement.target)
        assert loop.index not in indices, f"{statement.target}: index {loop.index} runs twice"
        indices.add(loop.index)
    for place in statement.map:
        _known(program, place, indices, statement.target)
    symbols = {read.symbol for read in statement.reads}
    free = statement.expression.free_symbols
    assert free <= symbols, f"{statement.target}: {free - symbols} stand for nothing"
    for read in statement.reads:
        if read.tensor is None:
            assert len(read.map) == 1
        else:
            tensor = program.tensors[read.tensor]
            assert tensor.role is not Role.INDICES, f"{read.tensor} holds indices"
            assert len(read.map) == len(tensor.shape), f"{read.tensor}: read with a wrong rank"
        for place in read.map:
            _known(program, place, indices, statement.target)
    assert (statement.winner is not None) == (statement.reduction in ("max", "min"))


def _known(program: Program, value: Integer, indices: set[str], where: str) -> None:
    unknown = value.indices - indices
    assert not unknown, f"{where}: index {', '.join(sorted(unknown))} is not running"
    for name in value.tensors:
        assert program.tensors[name].role is Role.INDICES, f"{where}: {name} is not integer data"
