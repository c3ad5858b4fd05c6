"""The sides of a definition: loops and the place that each point writes; the value and filters."""

from __future__ import annotations

from collections.abc import Container
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symopt.primitives import operators
from symopt.syntax import tree
from symopt.typed import index_errors
from symopt.typed.infer import bound_clauses
from symopt.typed.program import Apply, Scalar
from symopt.typed.ranges import least
from symopt.typed.scope import Axis, Environment
from symopt.typed.subscripts import integer
from symopt.typed.values import Value
from symopt.typed.walk import Node, children, index_names, names
from symopt.types import Integer, Range

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


@dataclass(frozen=True, slots=True)
class Target:
    """The left side: loops over its indices (and those summed), and the place written."""

    loops: tuple[Range, ...]
    env: Environment
    place: tuple[Integer, ...]


def target_of(
    elaborator: Elaborator, statement: tree.Definition, env: Environment
) -> Target | None:
    """The left side of a definition that stands in `env`; None after a report."""
    subscripts = statement.subscripts or ()
    clauses = _clauses(elaborator, statement, env)
    if clauses is None:
        return None
    where = (statement.value, *statement.filters, *subscripts)
    result = bound_clauses(elaborator, clauses, where, env, _own_axes(elaborator, statement))
    if result is None:
        return None
    loops, inner = result
    place: list[Integer] = []
    for subscript in subscripts:
        found = integer(elaborator, subscript, inner)
        if found is None:
            return None
        low = least(found, elaborator.ranges, elaborator.index_sizes)
        if (low.value or 0) < 0:
            elaborator.report.add(index_errors.negative_target(subscript.span, low))
            return None
        place.append(found)
    return Target(in_left_order(loops, tuple(place)), inner, tuple(place))


def right_side(
    elaborator: Elaborator, statement: tree.Definition, env: Environment
) -> tuple[Value, Scalar | None] | None:
    """The value of a definition inside its loops, and the condition of its filters.

    None after a report.
    """
    condition: Scalar | None = None
    for part in statement.filters:
        if not statement.accumulate:
            elaborator.report.add(index_errors.filtered_definition(part.span))
            return None
        found = elaborator.scalar(part, env, "a filter")
        condition = (
            found if condition is None else Apply(operators.both, (condition, found), part.span)
        )
    if condition is None:
        return elaborator.value(statement.value, env), None
    with elaborator.guarded(condition):
        return elaborator.value(statement.value, env), condition


def _own_axes(elaborator: Elaborator, statement: tree.Definition) -> dict[str, Axis]:
    """The axes that the indices on the left stand on, as far as other cases tell them."""
    axes = elaborator.scope.axes
    return {
        part.name: axes[statement.name, number]
        for number, part in enumerate(statement.subscripts or ())
        if isinstance(part, tree.Name) and (statement.name, number) in axes
    }


def _clauses(
    elaborator: Elaborator, statement: tree.Definition, env: Environment
) -> list[tree.ForClause] | None:
    """All indices of a definition: those on the left, those with a range, those summed over."""
    report = elaborator.report
    indices = [s for s in statement.subscripts or () if _is_index(elaborator, statement, s, env)]
    left = {name.name: name for name in indices if isinstance(name, tree.Name)}
    repeats = statement.accumulate or statement.name in elaborator.recurring  # a diagonal case
    if len(left) < len(indices) and not repeats:
        report.add(index_errors.repeated_index(indices[-1].span.text, indices[-1].span))
        return None
    written = {clause.index for clause in statement.clauses}
    unbound = _unbound(elaborator, statement, left.keys() | written, env)
    inferred = {name: node for name, node in left.items() if name not in written}
    # Ranges that need no other index first: others may be read off `f(h[t-1])[i]`.
    own, dependent = _parted(statement.clauses, inferred)
    clauses = [*own, *(tree.ForClause(n, None, None, node.span) for n, node in inferred.items())]
    clauses += dependent
    if statement.accumulate:
        return clauses + [tree.ForClause(n.name, None, None, n.span) for n in unbound.values()]
    for name, node in unbound.items():
        report.add(index_errors.unbound_index(name, node.span, _left(statement)))
    for clause in statement.clauses:
        if clause.index not in left:
            report.add(index_errors.unused_range(clause.index, clause.span, _left(statement)))
            return None
    return None if unbound else clauses


def _parted(
    clauses: tuple[tree.ForClause, ...], inferred: Container[str]
) -> tuple[list[tree.ForClause], list[tree.ForClause]]:
    """The first clauses, which mention no index whose range is inferred, and the rest."""
    for number, clause in enumerate(clauses):
        edges = (edge for edge in (clause.start, clause.stop) if edge is not None)
        if clause.stop is None or any(n.name in inferred for e in edges for n in names(e)):
            return list(clauses[:number]), list(clauses[number:])
    return list(clauses), []


def _is_index(
    elaborator: Elaborator,
    statement: tree.Definition,
    subscript: tree.Expression,
    env: Environment,
) -> bool:
    """Whether a subscript on the left names an index.

    `g[c] += ...` may name scalar data, and one of several cases a dim: `h[T] = ...`.
    """
    if not isinstance(subscript, tree.Name):
        return False
    if subscript.name in elaborator.scope.dims and statement.name in elaborator.recurring:
        return any(clause.index == subscript.name for clause in statement.clauses)
    if subscript.name in env.arguments:
        return True
    variable = elaborator.scope.variables.get(subscript.name)
    scalar_data = variable is not None and variable.index_of is not None and not variable.shape
    return not (statement.accumulate and scalar_data)


def _left(statement: tree.Definition) -> str:
    if statement.subscripts is None:
        return statement.name
    return f"{statement.name}[{', '.join(part.span.text for part in statement.subscripts)}]"


def _unbound(
    elaborator: Elaborator, statement: tree.Definition, bound: AbstractSet[str], env: Environment
) -> dict[str, tree.Name]:
    """Index names that nothing binds: summed over by `+=`, a mistake otherwise."""
    scope = elaborator.scope
    known = (
        *(bound, env.arguments, scope.dims, scope.variables, scope.functions),
        *(scope.broken, scope.later),
    )
    unknown = (n for n in named_indices(statement) if not any(n.name in part for part in known))
    return {name.name: name for name in reversed(list(unknown))}


def named_indices(statement: tree.Definition) -> list[tree.Name]:
    """The names that stand where indices do, and that no inner `for` binds."""
    edges = (edge for clause in statement.clauses for edge in (clause.start, clause.stop))
    subscripts = statement.subscripts or ()
    where = (statement.value, *statement.filters, *subscripts, *filter(None, edges))
    candidates = [name for part in where for name in index_names(part)]
    for subscript in subscripts:
        if not isinstance(subscript, tree.Name):
            candidates += _plain_names(subscript)
    return candidates


def _plain_names(node: Node) -> list[tree.Name]:
    if isinstance(node, tree.Name):
        return [node]
    if isinstance(node, tree.Chain):
        return [name for child in children(node) for name in _plain_names(child)]
    return []


def in_left_order(loops: tuple[Range, ...], place: tuple[Integer, ...]) -> tuple[Range, ...]:
    """Loops in the order of the axes written, as far as ranges that depend on others allow."""
    order = [p.index for p in place if p.index is not None]
    pending = sorted(
        loops, key=lambda loop: order.index(loop.index) if loop.index in order else len(order)
    )
    placed: list[Range] = []
    while pending:
        done = {loop.index for loop in placed}
        names = {loop.index for loop in pending}
        ready = next(
            loop
            for loop in pending
            if not ((loop.lower.indices | loop.upper.indices) & names - done)
        )
        placed.append(ready)
        pending.remove(ready)
    return tuple(placed)
