"""Which tensors matter to a derivative, and which can be non-finite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import sympy

from symopt.derive.scalar import Finiteness
from symopt.statements.program import Program, Read, Role, Statement, sections


def depending_on(program: Program, sources: Iterable[str]) -> set[str]:
    """The sources, and every tensor computed from them."""
    found = set(sources)
    for part in sections(program.statements):
        for _ in _rounds(part, found):
            for statement in part:
                if any(read.tensor in found for read in statement.reads):
                    found.add(statement.target)
    return found


def _rounds(part: tuple[Statement, ...], found: set[str]) -> Iterator[None]:
    """Once, or for statements that need each other, until nothing more is found."""
    known = -1
    while known < 0 or (part[0].steps and len(found) > known):
        known = len(found)
        yield


def leading_to(program: Program, targets: Iterable[str], stop: Iterable[str] = ()) -> set[str]:
    """The targets, and every tensor they are computed from; `stop` tensors are taken as given."""
    found, given = set(targets), set(stop)
    for part in reversed(tuple(sections(program.statements))):
        for _ in _rounds(part, found):
            for statement in reversed(part):
                if not found.isdisjoint(statement.written) and statement.target not in given:
                    found.update(read.tensor for read in statement.reads if read.tensor is not None)
    return found


def wild_tensors(program: Program) -> set[str]:
    """Computed tensors that may hold nan or inf although everything given is finite."""
    wild: set[str] = set()
    for part in sections(program.statements):
        for _ in _rounds(part, wild):
            for statement in part:
                finite = statement.reduction not in ("inverse", "cholesky", "logdet")
                if not finite or not finiteness_of(statement, wild).finite(statement.expression):
                    wild.add(statement.target)
    return wild


def finiteness_of(
    statement: Statement, wild: set[str], changes: Mapping[sympy.Symbol, Read] | None = None
) -> Finiteness:
    """What is known about the symbols of one statement and, for a tangent, about their changes."""
    found = frozenset(read.symbol for read in statement.reads if read.tensor in wild)
    sizes = frozenset(
        read.symbol
        for read in statement.reads
        if read.tensor is None and not read.map[0].indices and not read.map[0].tensors
    )
    if changes is None:
        return Finiteness(found, sizes)
    # The slope of what can be non-finite can be so, too.
    moving = frozenset(changes[symbol].symbol for symbol in found if symbol in changes)
    return Finiteness(found | moving, sizes, forward=True)


def real_reads(program: Program, statement: Statement, among: set[str]) -> frozenset[sympy.Symbol]:
    """The symbols of a statement that stand for elements of some tensors."""
    return frozenset(
        read.symbol
        for read in statement.reads
        if read.tensor in among and program.tensors[read.tensor].role is not Role.INDICES
    )
