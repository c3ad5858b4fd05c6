"""Walks over the syntax tree: the parts of an expression, and the names in it."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import assert_never

from symopt.syntax import tree

Node = tree.Expression | tree.Generator | tree.Slice


def children(node: Node) -> tuple[Node, ...]:
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
        case _:
            assert_never(node)


def depth_of_calls(node: Node, functions: Container[str]) -> int:
    """How deep inside an expression some of these functions are called."""
    deepest, pending = 0, [(node, 1)]
    while pending:
        part, level = pending.pop()
        if isinstance(part, tree.Call) and part.function in functions:
            deepest = max(deepest, level)
        pending.extend((child, level + 1) for child in children(part))
    return deepest


def names(node: Node) -> Iterator[tree.Name]:
    """All names in an expression, also those that an inner `for` binds."""
    pending: list[Node] = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, tree.Name):
            yield part
        pending.extend(reversed(children(part)))


def index_names(expression: tree.Expression) -> Iterator[tree.Name]:
    """Names used as indices, or inside index expressions, that no inner `for` binds."""
    yield from _index_names(expression, frozenset(), False)


def _index_names(node: Node, bound: frozenset[str], inside: bool) -> Iterator[tree.Name]:
    match node:
        case tree.Name(name):
            if inside and name not in bound:
                yield node
        case tree.Subscript(base, subscripts):
            yield from _index_names(base, bound, False)
            for part in subscripts:
                yield from _index_names(part, bound, True)
        case tree.Generator(body, clauses, filters):
            own = bound | {clause.index for clause in clauses}
            edges = (edge for clause in clauses for edge in (clause.start, clause.stop))
            for edge in edges:
                if edge is not None:
                    yield from _index_names(edge, own, True)
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


def uses(node: Node, name: str) -> int:
    """How often a name is used; inside a `for` counts as many times."""
    if isinstance(node, tree.Name):
        return int(node.name == name)
    total = sum(uses(child, name) for child in children(node))
    return 2 * total if isinstance(node, tree.Generator) else total


def element_of(statement: tree.Definition) -> int | None:
    """The number of the element that a local definition gives, as in `d[0] = x`."""
    match statement.subscripts:
        case (tree.Number(value, True),) if not statement.accumulate:
            return int(value)
    return None
