"""Cases of one definition, each of which writes elements of its own: where that is not certain."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations

from symopt.statements.program import Program, Statement
from symopt.typed.ranges import are_apart, never_negative
from symopt.types import Integer, Range


def uncertain_cases(program: Program) -> Iterator[tuple[Statement, Statement]]:
    """Pairs of cases that may write the same element: `d[0]` and `d[n-1]` do for n = 1."""
    sizes = {t.name: t.below for t in program.tensors.values() if t.below is not None}
    cases: dict[str, list[Statement]] = {}
    for statement in program.statements:
        if statement.reduction == "=":
            cases.setdefault(statement.target, []).append(statement)
    for statements in cases.values():
        for one, other in combinations(statements, 2):
            apart = are_apart(one.map, _ranges(one), other.map, _ranges(other), sizes)
            if not (apart or _beside(one, other) or _beside(other, one)):
                yield one, other


def _beside(one: Statement, other: Statement) -> bool:
    """Whether one keeps to a diagonal of two axes and the other to one side of it."""
    ranges = _ranges(other)
    for a, b in permutations(range(len(one.map)), 2):
        along: Integer = one.map[a] - one.map[b]
        if along.value is not None:
            distance = other.map[a] - other.map[b] - along
            if never_negative(distance - 1, ranges):
                return True
    return False


def _ranges(statement: Statement) -> dict[str, Range]:
    return {loop.index: loop for loop in statement.loops}
