"""Loops of indices: ranges as written, or read off the axes that an index is used on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import index_errors
from symopt.typed.scope import Axis, Environment
from symopt.typed.subscripts import integer, origins_behind
from symopt.typed.walk import Node, children, names
from symopt.types import Integer, Range, constant, index

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


# Where an index may be used: expressions, and the edges of the ranges beside it.
_Where = tuple[tuple[tree.Expression, ...], tuple[tree.Expression, ...]]


def bound_clauses(
    elaborator: Elaborator,
    clauses: Iterable[tree.ForClause],
    where: tuple[tree.Expression, ...],
    env: Environment,
    axes: Mapping[str, Axis] = MappingProxyType({}),
) -> tuple[tuple[Range, ...], Environment] | None:
    """Loops for the clauses, in order, and the environment inside them; None after a report.

    An index that is not used as one has the range that `axes` give it.
    """
    loops: list[Range] = []
    pending = tuple(clauses)
    edges = tuple(e for clause in pending for e in (clause.start, clause.stop) if e is not None)
    failed = False
    for number, clause in enumerate(pending):
        if clause.index in env.indices:
            elaborator.report.add(index_errors.index_in_use(clause.index, clause.span))
            return None
        unbound = {other.index for other in pending[number:]} - env.indices.keys()
        axis = axes.get(clause.index) if clause.stop is None else None
        if axis is None or _is_used(clause.index, where + edges):
            axis = _clause_range(elaborator, clause, (where, edges), env, unbound)
        if axis is None:
            failed = True
            axis = Axis(constant(0), constant(0), clause.span)
        loop = elaborator.new_index(clause.index, axis.lower, axis.upper)
        loops.append(loop)
        env = env.with_index(clause.index, index(loop.index))
    return None if failed else (tuple(loops), env)


def _clause_range(
    elaborator: Elaborator,
    clause: tree.ForClause,
    where: _Where,
    env: Environment,
    unbound: set[str],
) -> Axis | None:
    """The range of one `for` clause: as written, or read off the axes it is used on."""
    if clause.stop is None:
        return _inferred_range(elaborator, clause.index, clause.span, where, env)
    for edge in (clause.start, clause.stop):
        for name in names(edge) if edge is not None else ():
            if name.name in unbound and name.name not in elaborator.scope.names:
                elaborator.report.add(
                    index_errors.range_of_itself(clause.index, name.name, name.span)
                )
                return None
    lower = integer(elaborator, clause.start, env) if clause.start else constant(0)
    upper = integer(elaborator, clause.stop, env)
    if lower is None or upper is None:
        return None
    return Axis(lower, upper, clause.span)


def _inferred_range(
    elaborator: Elaborator,
    name: str,
    span: Span,
    where: _Where,
    env: Environment,
) -> Axis | None:
    """The range that the axes an index is used on agree on."""
    body, edges = where
    parts = body + edges
    in_bounds = [*edges, *(edge for part in body for edge in _bounds(part, name))]
    axes = [axis for part in parts for axis in _axes(elaborator, name, part, in_bounds, env)]
    if not axes:
        if not _on_broken_arrays(elaborator, name, parts, env):
            near = next(_shifted(elaborator, name, parts, env), None)
            elaborator.report.add(index_errors.no_range(name, span, near))
        return None
    first = axes[0]
    for other in axes[1:]:
        if not first.same(other):
            elaborator.report.add(
                index_errors.two_ranges(
                    name,
                    (first.lower, first.upper, first.span),
                    (other.lower, other.upper, other.span),
                )
            )
            return None
    return first


def _is_used(name: str, where: Iterable[tree.Expression]) -> bool:
    """Whether an index stands on an axis somewhere."""
    return any(
        isinstance(part, tree.Name) and part.name == name
        for expression in where
        for use in _uses(expression, name)
        for part in use.subscripts
    )


def _on_broken_arrays(
    elaborator: Elaborator, name: str, where: tuple[tree.Expression, ...], env: Environment
) -> bool:
    """Whether the index stands on something with a mistake of its own, which is then reported."""
    arrays = [
        use.base
        for part in where
        for use in _uses(part, name)
        if any(isinstance(place, tree.Name) and place.name == name for place in use.subscripts)
        and not (isinstance(use.base, tree.Name) and use.base.name in elaborator.recurring)
    ]
    return any([elaborator.value(array, env).broken for array in arrays])


# ── axes ─────────────────────────────────────────────────────────────────────────────────────


def _axes(
    elaborator: Elaborator,
    name: str,
    expression: tree.Expression,
    in_bounds: list[tree.Expression],
    env: Environment,
) -> Iterator[Axis]:
    """The axes on which an index stands alone inside brackets.

    Ragged bounds, `range(off[i], off[i+1])` or `off[i]:off[i+1]`, use one array twice: they run
    over the indices for which both entries are there.
    """
    for use in _uses(expression, name):
        for number, part in enumerate(use.subscripts):
            if not (isinstance(part, tree.Name) and part.name == name):
                continue
            axis = _axis(elaborator, use.base, number, part.span, env)
            if axis is None:
                continue
            ahead = 0
            if any(use is edge for edge in in_bounds):
                uses = (edge for edge in in_bounds if isinstance(edge, tree.Subscript))
                ahead = max(_steps_ahead(edge, use, number, name) for edge in uses)
            yield Axis(axis.lower, axis.upper - ahead, axis.span)


def _bounds(node: Node, name: str) -> Iterator[tree.Expression]:
    """The edges of all ranges and slices in an expression, outside of loops that reuse the name."""
    if isinstance(node, tree.Generator):
        if any(clause.index == name for clause in node.clauses):
            return
        for clause in node.clauses:
            yield from (edge for edge in (clause.start, clause.stop) if edge is not None)
    if isinstance(node, tree.Slice):
        yield from (edge for edge in (node.start, node.stop) if edge is not None)
    for child in children(node):
        yield from _bounds(child, name)


def _steps_ahead(edge: tree.Subscript, use: tree.Subscript, number: int, name: str) -> int:
    """The c of an edge `off[i+c]` on the array and axis of `use`, 0 if it is something else."""
    if edge.base != use.base or number >= len(edge.subscripts):
        return 0
    match edge.subscripts[number]:
        case tree.Chain(tree.Name(first), (("+", tree.Number(step, True)),)) if first == name:
            return int(min(step, 1e6))
    return 0


def _axis(
    elaborator: Elaborator, base: tree.Expression, number: int, span: Span, env: Environment
) -> Axis | None:
    if isinstance(base, tree.Name) and base.name not in env.arguments:
        variable = elaborator.scope.variables.get(base.name)
        if variable is None:
            return elaborator.scope.axes.get((base.name, number))
        if number >= len(variable.shape):
            return None
        return Axis(variable.origin[number], variable.shape[number], span)
    with elaborator.quietly():
        value = elaborator.value(base, env)
    if value.broken or number >= len(value.shape):
        return None
    origins = origins_behind(elaborator, base, env)
    lower = origins[number] if origins else constant(0)
    return Axis(lower, lower + value.shape[number], span)


def _shifted(
    elaborator: Elaborator,
    name: str,
    where: tuple[tree.Expression, ...],
    env: Environment,
) -> Iterator[tuple[Integer, Integer]]:
    """Ranges of the axes that an index stands on with something added."""
    for expression in where:
        for use in _uses(expression, name):
            for number, part in enumerate(use.subscripts):
                if any(found.name == name for found in names(part)):
                    axis = _axis(elaborator, use.base, number, part.span, env)
                    if axis is not None:
                        yield axis.lower, axis.upper


def _uses(node: Node, name: str) -> Iterator[tree.Subscript]:
    """All subscript expressions outside inner loops that reuse the name."""
    if isinstance(node, tree.Generator) and any(c.index == name for c in node.clauses):
        return
    if isinstance(node, tree.Subscript):
        yield node
    for child in children(node):
        yield from _uses(child, name)
