"""Where a strong zero protects nothing: what is not finite shows in the results anyway.

A zero factor has to win over a slope that is not finite where the value itself is: `sqrt` at 0, a
branch that is not taken, a quotient whose denominator is infinite. Elsewhere, an overflow of `exp`
in `b exp(-a x)` or a division by 0 makes the result itself infinite or nan. There its derivative is
nobody's promise, and a plain product will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy

from symopt.derive.activity import finiteness_of
from symopt.primitives import operators
from symopt.primitives.record import Constant, Primitive
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.expression import operands, postorder
from symopt.statements.program import Program, Read, Statement
from symopt.types import Integer, index

_SQRT = PRIMITIVES["sqrt"]


def unguarded(program: Program, wild: set[str]) -> frozenset[int]:
    """The statements, by number, whose changes need no strong zeros.

    Whatever in them is not finite is so in their value, and in every result that depends on it.
    """
    faithful = _faithful_tensors(program)
    exposed = _exposed_tensors(program)
    return frozenset(
        number
        for number, statement in enumerate(program.statements)
        if _is_plain(statement)
        and statement.target in exposed
        and statement.target in faithful
        and _wild_nodes(statement, wild) <= _exposed_nodes(statement)
    )


# An element of a tensor, in terms of a statement's loops or of the axes of its target.
_Element = tuple[str, tuple[Integer, ...]]
# Elements at whose zeros a slope is infinite though the value is not; None: it may be so anywhere.
_Zeros = frozenset[_Element] | None


def _faithful_tensors(program: Program) -> set[str]:
    """Tensors whose changes are finite wherever their values are."""
    zeros: dict[str, _Zeros] = {}
    for statement in program.statements:
        here = _seen_from_target(_zeros_of(statement, zeros), statement)
        # A determinant is 0 where its slope is not finite.
        here = None if statement.steps or statement.reduction == "determinant" else here
        before = zeros.get(statement.target, frozenset())
        zeros[statement.target] = None if here is None or before is None else here | before
    return {name for name, found in zeros.items() if found == frozenset()}


def _zeros_of(statement: Statement, zeros: Mapping[str, _Zeros]) -> _Zeros:
    """Where slopes inside a statement's expression can be infinite though its value is not."""
    reads: dict[sympy.Expr, Read] = {r.symbol: r for r in statement.reads if r.tensor is not None}
    found: dict[sympy.Expr, _Zeros] = {}
    for node in postorder(statement.expression):
        parts = [found[part] for part in operands(node)]
        if node in reads:
            found[node] = _of_read(reads[node], zeros)
        elif not isinstance(node, Primitive):
            found[node] = _union(parts)
        elif node.record is operators.select:
            condition, first, second = operands(node)
            sure = _elements(_positive(condition, taken=True), reads)
            else_sure = _elements(_positive(condition, taken=False), reads)
            found[node] = _union((_less(found[first], sure), _less(found[second], else_sure)))
        elif node.record.finite or _is_faithful(node):
            found[node] = _union(parts)
        elif node.record is _SQRT and operands(node)[0] in reads:
            inner = operands(node)[0]
            found[node] = _union((*parts, _elements({inner}, reads)))
        else:
            found[node] = None
    return found[statement.expression]


def _of_read(read: Read, zeros: Mapping[str, _Zeros]) -> _Zeros:
    known = zeros.get(read.tensor or "", frozenset())
    if known is None:
        return None
    axes = {f"@{axis}": place for axis, place in enumerate(read.map)}
    return frozenset((name, tuple(p.substitute(axes) for p in place)) for name, place in known)


def _seen_from_target(zeros: _Zeros, statement: Statement) -> _Zeros:
    """Elements in terms of the target's axes; None if they have to do with other loops."""
    if not zeros:
        return zeros
    axes = {place.index: index(f"@{axis}") for axis, place in enumerate(statement.map)}
    known = {name: axis for name, axis in axes.items() if name is not None}
    if any(part.indices - known.keys() for _, place in zeros for part in place):
        return None
    return frozenset((name, tuple(p.substitute(known) for p in place)) for name, place in zeros)


def _positive(condition: sympy.Expr, *, taken: bool) -> set[sympy.Expr]:
    """What is not 0 where a condition holds, or does not."""
    if not isinstance(condition, Primitive) or len(operands(condition)) != 2:
        return set()
    a, b = operands(condition)
    above = {operators.greater: a, operators.less: b} if taken else {}
    apart = operators.not_equal if taken else operators.equal
    below = {} if taken else {operators.less_equal: a, operators.greater_equal: b}
    found = {**above, **below}.get(condition.record)
    other = b if found is a else a
    if found is not None and _is_zero(other):
        return {found}
    if condition.record is apart:
        return {part for part, rest in ((a, b), (b, a)) if _is_zero(rest)}
    return set()


def _is_zero(node: sympy.Expr) -> bool:
    return node.is_zero is True or (isinstance(node, Constant) and node.value == 0)


def _elements(nodes: set[sympy.Expr], reads: Mapping[sympy.Expr, Read]) -> frozenset[_Element]:
    found = (reads[node] for node in nodes if node in reads)
    return frozenset((read.tensor or "", read.map) for read in found)


def _less(zeros: _Zeros, sure: frozenset[_Element]) -> _Zeros:
    return None if zeros is None else zeros - sure


def _union(parts: Iterable[_Zeros]) -> _Zeros:
    total: frozenset[_Element] = frozenset()
    for part in parts:
        if part is None:
            return None
        total |= part
    return total


def _wild_nodes(statement: Statement, wild: set[str]) -> set[sympy.Expr]:
    """The symbols and functions of a statement that bring in what is not finite."""
    finiteness = finiteness_of(statement, wild)
    found: set[sympy.Expr] = set()
    for node in postorder(statement.expression):
        if not finiteness.finite(node) and all(map(finiteness.finite, operands(node))):
            found.add(node)
        elif isinstance(node, Primitive) and not (node.record.finite or _is_faithful(node)):
            found.add(node)  # of an argument that is wild already
    return found


def _is_faithful(node: sympy.Expr) -> bool:
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
    """Whether a target is not finite where any of its terms is not; steps are not looked at."""
    return statement.reduction in ("=", "sum") and not statement.steps


def _exposed_nodes(statement: Statement) -> set[sympy.Expr]:
    """The parts of an expression without which it is not finite, wherever they are used."""
    order = postorder(statement.expression)
    hidden: set[sympy.Expr] = set()
    for node in reversed(order):
        for number, part in enumerate(operands(node)):
            if node in hidden or not _passes_on(node, number):
                hidden.add(part)
    return set(order) - hidden


def _passes_on(node: sympy.Expr, number: int) -> bool:
    """Whether a node is not finite where this operand is not."""
    if not isinstance(node, Primitive):
        return node.is_Add or node.is_Mul or (node.is_Pow and number == 0 and _is_positive(node))
    record = node.record
    if record is operators.divide:
        return number == 0
    if record is operators.integer_power:
        return number == 0 and _is_positive(node)
    return record.passes_on


def _is_positive(power: sympy.Expr) -> bool:
    exponent = operands(power)[1]
    return isinstance(exponent, sympy.Integer) and int(exponent) > 0
