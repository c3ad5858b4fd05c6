"""Where a strong zero protects nothing: what is not finite shows in the results anyway.

A zero factor has to win over a slope that is not finite where the value itself is: `sqrt` at 0, a
branch that is not taken, a quotient whose denominator is infinite. Elsewhere, an overflow of `exp`
in `b exp(-a x)` or a division by 0 makes the result itself infinite or nan. There its derivative is
nobody's promise, and a plain product will do.
"""

from __future__ import annotations

import sympy

from symopt.derive.activity import finiteness_of
from symopt.primitives import operators
from symopt.primitives.record import Primitive
from symopt.statements.expression import operands, postorder
from symopt.statements.program import Program, Statement


def unguarded(program: Program, wild: set[str]) -> frozenset[int]:
    """The statements, by number, whose changes need no strong zeros.

    Whatever in them is not finite is so in their value, and in every result that depends on it.
    """
    faithful = _faithful_tensors(program, wild)
    exposed = _exposed_tensors(program)
    return frozenset(
        number
        for number, statement in enumerate(program.statements)
        if _is_plain(statement)
        and statement.target in exposed
        and statement.target in faithful
        and _wild_nodes(statement, wild) <= _exposed_nodes(statement)
    )


def _faithful_tensors(program: Program, wild: set[str]) -> set[str]:
    """Tensors whose changes are finite wherever their values are."""
    unfaithful: set[str] = set()
    for statement in program.statements:
        for node in _wild_nodes(statement, wild):
            if isinstance(node, sympy.Symbol):
                reads = {read.symbol: read.tensor for read in statement.reads}
                honest = reads[node] not in unfaithful
            else:
                honest = _is_faithful(node)
            if not honest:
                unfaithful.add(statement.target)
    return {statement.target for statement in program.statements} - unfaithful


def _wild_nodes(statement: Statement, wild: set[str]) -> set[sympy.Basic]:
    """The symbols and functions of a statement that bring in what is not finite."""
    finiteness = finiteness_of(statement, wild)
    found: set[sympy.Basic] = set()
    for node in postorder(statement.expression):
        if not finiteness.finite(node) and all(map(finiteness.finite, operands(node))):
            found.add(node)
        elif isinstance(node, Primitive) and not (node.record.finite or _is_faithful(node)):
            found.add(node)  # of an argument that is wild already
    return found


def _is_faithful(node: sympy.Basic) -> bool:
    if not isinstance(node, Primitive):
        return True
    record = node.record
    return record.faithful or record in (operators.divide, operators.integer_power)


def _exposed_tensors(program: Program) -> set[str]:
    """Tensors that make all results that depend on them not finite, where they are not."""
    hidden: set[str] = set()
    for statement in reversed(program.statements):
        plain = _is_plain(statement) and statement.target not in hidden
        exposed = _exposed_nodes(statement) if plain else set()
        hidden |= {
            read.tensor for read in statement.reads if read.tensor and read.symbol not in exposed
        }
    return {statement.target for statement in program.statements} - hidden


def _is_plain(statement: Statement) -> bool:
    """Whether a target is not finite where any of its terms is not."""
    return statement.reduction in ("=", "sum")


def _exposed_nodes(statement: Statement) -> set[sympy.Basic]:
    """The parts of an expression without which it is not finite, wherever they are used."""
    order = postorder(statement.expression)
    hidden: set[sympy.Basic] = set()
    for node in reversed(order):
        for number, part in enumerate(operands(node)):
            if node in hidden or not _passes_on(node, number):
                hidden.add(part)
    return set(order) - hidden


def _passes_on(node: sympy.Basic, number: int) -> bool:
    """Whether a node is not finite where this operand is not."""
    if not isinstance(node, Primitive):
        return node.is_Add or node.is_Mul or (node.is_Pow and number == 0 and int(node.args[1]) > 0)
    record = node.record
    if record is operators.divide:
        return number == 0
    if record is operators.integer_power:
        return number == 0 and int(node.args[1]) > 0  # type: ignore[arg-type]
    return record.passes_on
