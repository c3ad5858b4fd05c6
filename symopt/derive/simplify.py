"""Statements that nothing asked for are dropped."""

from __future__ import annotations

from dataclasses import replace

from symopt.derive.activity import leading_to
from symopt.statements.program import Program


def drop_dead(program: Program) -> Program:
    """Only the statements, and only the tensors, that the outputs need."""
    needed = leading_to(program, program.outputs)
    statements = tuple(s for s in program.statements if not needed.isdisjoint(s.written))
    kept = set(program.outputs)
    for statement in statements:
        kept |= {*statement.written, *(read.tensor for read in statement.reads if read.tensor)}
        for value in (*statement.map, *(p for read in statement.reads for p in read.map)):
            kept |= value.tensors
        for loop in statement.loops:
            kept |= loop.lower.tensors | loop.upper.tensors
    tensors = {name: tensor for name, tensor in program.tensors.items() if name in kept}
    return replace(program, statements=statements, tensors=tensors)
