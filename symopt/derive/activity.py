"""Which tensors matter to a derivative, and which can be non-finite."""

from __future__ import annotations

from collections.abc import Iterable

import sympy

from symopt.derive.scalar import Finiteness
from symopt.statements.program import Program, Role, Statement


def depending_on(program: Program, sources: Iterable[str]) -> set[str]:
    """The sources, and every tensor computed from them."""
    found = set(sources)
    for statement in program.statements:
        if any(read.tensor in found for read in statement.reads):
            found.add(statement.target)
    return found


def leading_to(
    program: Program, targets: Iterable[str], stop: Iterable[str] = ()
) -> set[str]:
    """The targets, and every tensor they are computed from; `stop` tensors are taken as given."""
    found, given = set(targets), set(stop)
    for statement in reversed(program.statements):
        written = {statement.target}
        if statement.winner is not None:
            written.add(statement.winner.tensor)
        if written & found and statement.target not in given:
            found.update(read.tensor for read in statement.reads if read.tensor is not None)
    return found


def wild_tensors(program: Program) -> set[str]:
    """Computed tensors that may hold nan or inf although everything given is finite."""
    wild: set[str] = set()
    for statement in program.statements:
        if not finiteness_of(statement, wild).finite(statement.expression):
            wild.add(statement.target)
    return wild


def finiteness_of(statement: Statement, wild: set[str]) -> Finiteness:
    """What is known about the symbols of one statement."""
    return Finiteness(
        frozenset(read.symbol for read in statement.reads if read.tensor in wild),
        frozenset(
            read.symbol
            for read in statement.reads
            if read.tensor is None and not read.map[0].indices and not read.map[0].tensors
        ),
    )


def real_reads(program: Program, statement: Statement, among: set[str]) -> frozenset[sympy.Symbol]:
    """The symbols of a statement that stand for elements of some tensors."""
    return frozenset(
        read.symbol
        for read in statement.reads
        if read.tensor in among and program.tensors[read.tensor].role is not Role.INDICES
    )
