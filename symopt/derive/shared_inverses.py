"""Inverses of the same matrices are computed once: rules of derivatives ask for their own."""

from __future__ import annotations

from dataclasses import replace

from symopt.statements.program import Program, Statement, moved_read, read_of
from symopt.types import Integer, index


def share_inverses(program: Program) -> Program:
    """The program with every further inverse of the same matrices as a copy of the first."""
    known: dict[object, tuple[str, tuple[Integer, ...]]] = {}
    statements: list[Statement] = []
    for statement in program.statements:
        if statement.reduction == "inverse":
            numbered = {loop.index: index(f"#{n}") for n, loop in enumerate(statement.loops)}
            edges = tuple(
                (loop.lower.substitute(numbered), loop.upper.substitute(numbered))
                for loop in statement.loops
            )
            key = edges, moved_read(statement.reads[0], numbered)
            place = tuple(part.substitute(numbered) for part in statement.map)
            tensor, place = known.setdefault(key, (statement.target, place))
            if tensor != statement.target:
                statement = _copy(statement, tensor, place)
        statements.append(statement)
    return replace(program, statements=tuple(statements))


def _copy(statement: Statement, tensor: str, place: tuple[Integer, ...]) -> Statement:
    own = {f"#{n}": index(loop.index) for n, loop in enumerate(statement.loops)}
    read = read_of(tensor, tuple(part.substitute(own) for part in place))
    loops = statement.loops[:-2]
    return replace(statement, loops=loops, reduction="=", expression=read.symbol, reads=(read,))
