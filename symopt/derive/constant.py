"""Where a parameter enters through a function that is piecewise constant: it has no slope there."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from symopt.derive.activity import depending_on, leading_to, real_reads
from symopt.derive.functions import Task
from symopt.diagnostics import Diagnostic, Kind, Label, Severity
from symopt.primitives.operators import both, either, negation, select
from symopt.primitives.record import Primitive
from symopt.statements.expression import operands, postorder
from symopt.statements.program import Statement

_LOGICAL = frozenset({both, either, negation})


def flat_uses(task: Task) -> tuple[Diagnostic, ...]:
    """A warning for every definition that rounds, compares or takes the sign of the unknowns.

    The condition of a choice (`a if x > 0 else b`) is not such a use: that is what conditions are
    for.
    """
    if task.objective is None:
        return ()
    active = depending_on(task.program, task.params)
    needed = leading_to(task.program, (task.objective,))
    found: list[Diagnostic] = []
    for statement in task.program.statements:
        if statement.target not in needed or statement.span is None:
            continue
        wanted = real_reads(task.program, statement, active)
        names = sorted({node.record.name for node in _flat_nodes(statement, wanted)})
        if names:
            diagnostic = _warning(statement, names)
            if diagnostic not in found:
                found.append(diagnostic)
    return tuple(found)


def _flat_nodes(statement: Statement, wanted: frozenset[sympy.Symbol]) -> Iterator[Primitive]:
    nodes = [node for node in postorder(statement.expression) if isinstance(node, Primitive)]
    conditions: set[sympy.Expr] = set()
    for node in reversed(nodes):
        if node.record is select:
            conditions.add(operands(node)[0])
        if node in conditions and node.record in _LOGICAL:
            conditions.update(operands(node))
    for node in nodes:
        flat = node.record.constant and node not in conditions
        if flat and node.free_symbols & wanted:
            yield node


def _warning(statement: Statement, names: list[str]) -> Diagnostic:
    assert statement.span is not None
    return Diagnostic(
        Kind.DERIVATIVE,
        "no-slope",
        f"the unknowns enter through {', '.join(names)}, whose derivative is 0",
        (Label(statement.span, "in this definition"),),
        help="derivatives do not see this dependence; use a smooth function if they should",
        severity=Severity.WARNING,
    )
