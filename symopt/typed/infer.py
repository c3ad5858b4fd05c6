"""Which axes an index is used on: ranges are read off them unless they are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from symopt.source import Span
from symopt.syntax import tree
from symopt.typed.scope import Axis, Environment
from symopt.types import constant

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


def axes_used(
    elaborator: Elaborator, name: str, expression: tree.Expression, env: Environment
) -> list[Axis]:
    """The axes on which index `name` stands alone inside brackets, anywhere in an expression."""
    found: list[Axis] = []
    for subscript in _subscripts(expression, name):
        for number, part in enumerate(subscript.subscripts):
            if isinstance(part, tree.Name) and part.name == name:
                axis = _axis(elaborator, subscript.base, number, part.span, env)
                if axis is not None:
                    found.append(axis)
    return found


def _axis(
    elaborator: Elaborator, base: tree.Expression, number: int, span: Span, env: Environment
) -> Axis | None:
    if isinstance(base, tree.Name) and base.name not in env.arguments:
        variable = elaborator.scope.variables.get(base.name)
        if variable is None or number >= len(variable.shape):
            return None
        return Axis(variable.origin[number], variable.shape[number], span)
    with elaborator.quietly():
        value = elaborator.value(base, env)
    if value.broken or number >= len(value.shape):
        return None
    return Axis(constant(0), value.shape[number], span)


def names_in_subscripts(expression: tree.Expression) -> Iterator[tree.Name]:
    """Names used as indices, or inside index expressions, that no inner `for` binds."""
    yield from _index_names(expression, frozenset(), False)


def _index_names(
    node: tree.Expression | tree.Generator | tree.Slice, bound: frozenset[str], inside: bool
) -> Iterator[tree.Name]:
    match node:
        case tree.Name(name):
            if inside and name not in bound:
                yield node
        case tree.Subscript(base, subscripts):
            yield from _index_names(base, bound, False)
            for part in subscripts:
                yield from _index_names(part, bound, True)
        case tree.Generator(body, clauses, filters):
            own = bound
            for clause in clauses:
                for edge in (clause.start, clause.stop):
                    if edge is not None:
                        yield from _index_names(edge, own, True)
                own = own | {clause.index}
            for part in (body, *filters):
                yield from _index_names(part, own, False)
        case tree.Call(_, arguments, keywords):
            for argument in arguments:
                yield from _index_names(argument, bound, False)
            for keyword in keywords:
                yield from _index_names(keyword.value, bound, False)
        case _:
            for child in children(node):
                yield from _index_names(child, bound, inside)


def _subscripts(
    node: tree.Expression | tree.Generator | tree.Slice, name: str
) -> Iterator[tree.Subscript]:
    """All subscript expressions outside inner loops that reuse the name."""
    if isinstance(node, tree.Generator) and any(c.index == name for c in node.clauses):
        return
    if isinstance(node, tree.Subscript):
        yield node
    for child in children(node):
        yield from _subscripts(child, name)


def children(
    node: tree.Expression | tree.Generator | tree.Slice,
) -> tuple[tree.Expression | tree.Generator | tree.Slice, ...]:
    """The direct parts of an expression."""
    match node:
        case tree.Number() | tree.Name():
            return ()
        case tree.Chain(first, rest):
            return (first, *(operand for _, operand in rest))
        case tree.Power(base, exponent):
            return base, exponent
        case tree.Negate(operand) | tree.Not(operand) | tree.Transpose(operand):
            return (operand,)
        case tree.Compare(operands) | tree.Logical(_, operands):
            return operands
        case tree.Conditional(condition, then, otherwise):
            return condition, then, otherwise
        case tree.Slice(start, stop):
            return tuple(part for part in (start, stop) if part is not None)
        case tree.Subscript(base, subscripts):
            return (base, *subscripts)
        case tree.Generator(body, clauses, filters):
            edges = (edge for clause in clauses for edge in (clause.start, clause.stop))
            return (body, *filters, *(edge for edge in edges if edge is not None))
        case tree.Call(_, arguments, keywords):
            return (*arguments, *(keyword.value for keyword in keywords))
        case tree.Array(elements):
            return elements
