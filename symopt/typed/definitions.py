"""Definitions: index notation, array notation and accumulation, as axes and a body."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symopt.primitives import operators
from symopt.syntax import tree
from symopt.typed import errors, index_errors
from symopt.typed.infer import bound_clauses
from symopt.typed.program import Apply, Definition, Number, Scalar
from symopt.typed.ranges import greatest, least
from symopt.typed.scope import Environment, Variable
from symopt.typed.subscripts import integer
from symopt.typed.values import Value
from symopt.typed.walk import Node, children, index_names
from symopt.types import Integer, Range, constant, index

if TYPE_CHECKING:
    from symopt.typed.checker import Unit


def define(unit: Unit, statement: tree.Definition) -> None:
    """Add a definition to the program, or report what is wrong with it."""
    name = statement.name
    unit.scope.later.pop(name, None)
    unit.scope.defining = name
    if _is_recurrence(unit, statement):
        if name not in unit.scope.broken:
            unit.report.add(errors.not_supported("recurrences", statement.span))
        unit.scope.broken.add(name)
        return
    again = _accumulates_again(unit, statement)
    if not again and not unit.may_define(name, statement.name_span):
        return
    definition = elaborate_definition(unit, statement)
    if definition is None:
        unit.scope.broken.add(name)
        return
    if again:
        first = unit.scope.variables[name]
        if first.shape != definition.shape or any(o.value != 0 for o in definition.origin):
            what = f"the target `{name}`"
            found = definition.shape
            unit.report.add(errors.wrong_shape(what, first.shape, found, statement.name_span))
            return
    unit.definitions.append(definition)
    ends = zip(definition.shape, definition.origin, strict=True)
    unit.scope.variables[name] = Variable(
        name,
        tuple(size + low for size, low in ends),
        definition.origin,
        None,
        statement.name_span,
    )
    if statement.loss is not None:
        unit.losses[name] = statement.loss


def _accumulates_again(unit: Unit, statement: tree.Definition) -> bool:
    """Whether this is one more `+=` into a target that only `+=` has written."""
    earlier = [d for d in unit.definitions if d.name == statement.name]
    return statement.accumulate and bool(earlier) and all(d.accumulate for d in earlier)


def _is_recurrence(unit: Unit, statement: tree.Definition) -> bool:
    """A definition by cases, or one that reads itself."""
    subscripts = statement.subscripts or ()
    if not statement.accumulate and any(not isinstance(s, tree.Name) for s in subscripts):
        return True
    pending: list[Node] = [statement.value]
    while pending:
        part = pending.pop()
        if isinstance(part, tree.Name) and part.name == statement.name and subscripts:
            return statement.name not in unit.scope.variables
        pending.extend(children(part))
    return False


@dataclass(frozen=True, slots=True)
class _Target:
    """The left side: loops over its indices (and those summed), and the place written."""

    loops: tuple[Range, ...]
    env: Environment
    place: tuple[Integer, ...]


def elaborate_definition(unit: Unit, statement: tree.Definition) -> Definition | None:
    """The definition in index form; None after a report."""
    elaborator = unit.elaborator
    target = _target(unit, statement)
    if target is None:
        return None
    condition: Scalar | None = None
    for part in statement.filters:
        if not statement.accumulate:
            unit.report.add(index_errors.filtered_definition(part.span))
            return None
        found = elaborator.scalar(part, target.env, "a filter")
        condition = (
            found if condition is None else Apply(operators.both, (condition, found), part.span)
        )
    if condition is None:
        value = elaborator.value(statement.value, target.env)
    else:
        with elaborator.guarded(condition):
            value = elaborator.value(statement.value, target.env)
    unit.definitions.extend(elaborator.introduced)
    elaborator.introduced.clear()
    if value.broken:
        return None
    return _assembled(unit, statement, target, value, condition)


def _assembled(
    unit: Unit,
    statement: tree.Definition,
    target: _Target,
    value: Value,
    condition: Scalar | None,
) -> Definition:
    """Loops, place and body put together; array values add their own axes at the end."""
    elaborator = unit.elaborator
    own = elaborator.loops_over(value.shape)
    own_place = tuple(index(loop.index) for loop in own)
    body = value.at(own_place)
    if condition is not None:
        body = Apply(operators.select, (condition, body, Number(0.0)), statement.span)
    by_name = {loop.index: loop for loop in target.loops}
    lowers = tuple(
        by_name[p.index].lower if p.index in by_name else constant(0) for p in target.place
    )
    # A definition over range(1, n) has no element 0, and stores none; `+=` starts from zeros.
    fixed = (not (low.indices or low.tensors or statement.accumulate) for low in lowers)
    origin = tuple(low if kept else constant(0) for low, kept in zip(lowers, fixed, strict=True))
    place = tuple(p - low for p, low in zip(target.place, origin, strict=True))
    shape = tuple(_extent(unit, p) for p in place)
    # Arrays built for this definition may have introduced more while their body was taken.
    unit.definitions.extend(elaborator.introduced)
    elaborator.introduced.clear()
    return Definition(
        name=statement.name,
        axes=target.loops + own,
        target=place + own_place,
        shape=shape + value.shape,
        origin=origin + (constant(0),) * len(own),
        body=body,
        accumulate=statement.accumulate,
        auxiliary=False,
        mark=statement.mark,
        description=statement.description,
        span=statement.span,
    )


def _extent(unit: Unit, place: Integer) -> Integer:
    """The size of an axis of the target: one more than the greatest place written."""
    elaborator = unit.elaborator
    return greatest(place, elaborator.ranges, elaborator.index_sizes) + 1


def _target(unit: Unit, statement: tree.Definition) -> _Target | None:
    elaborator = unit.elaborator
    subscripts = statement.subscripts or ()
    clauses = _clauses(unit, statement)
    if clauses is None:
        return None
    where = (statement.value, *statement.filters, *subscripts)
    result = bound_clauses(elaborator, clauses, where, Environment())
    if result is None:
        return None
    loops, env = result
    place: list[Integer] = []
    for subscript in subscripts:
        found = integer(elaborator, subscript, env)
        if found is None:
            return None
        low = least(found, elaborator.ranges, elaborator.index_sizes)
        if (low.value or 0) < 0:
            unit.report.add(index_errors.negative_target(subscript.span, low))
            return None
        place.append(found)
    return _Target(_in_left_order(loops, tuple(place)), env, tuple(place))


def _clauses(unit: Unit, statement: tree.Definition) -> list[tree.ForClause] | None:
    """All indices of a definition: those on the left, those with a range, those summed over."""
    names = [s for s in statement.subscripts or () if _is_index(unit, statement, s)]
    left = {name.name: name for name in names if isinstance(name, tree.Name)}
    if len(left) < len(names) and not statement.accumulate:
        unit.report.add(index_errors.repeated_index(names[-1].span.text, names[-1].span))
        return None
    written = {clause.index for clause in statement.clauses}
    unbound = _unbound(unit, statement, left.keys() | written)
    clauses = [
        tree.ForClause(name, None, None, node.span)
        for name, node in left.items()
        if name not in written
    ]
    clauses += statement.clauses
    if statement.accumulate:
        return clauses + [tree.ForClause(n.name, None, None, n.span) for n in unbound.values()]
    for name, node in unbound.items():
        unit.report.add(index_errors.unbound_index(name, node.span, _left(statement)))
    for clause in statement.clauses:
        if clause.index not in left:
            unit.report.add(index_errors.unused_range(clause.index, clause.span, _left(statement)))
            return None
    return None if unbound else clauses


def _is_index(unit: Unit, statement: tree.Definition, subscript: tree.Expression) -> bool:
    """Whether a subscript on the left names an index; `g[c] += ...` may name scalar data."""
    if not isinstance(subscript, tree.Name):
        return False
    variable = unit.scope.variables.get(subscript.name)
    scalar_data = variable is not None and variable.index_of is not None and not variable.shape
    return not (statement.accumulate and scalar_data)


def _left(statement: tree.Definition) -> str:
    if statement.subscripts is None:
        return statement.name
    return f"{statement.name}[{', '.join(part.span.text for part in statement.subscripts)}]"


def _unbound(
    unit: Unit, statement: tree.Definition, bound: AbstractSet[str]
) -> dict[str, tree.Name]:
    """Index names that nothing binds: summed over by `+=`, a mistake otherwise."""
    edges = (edge for clause in statement.clauses for edge in (clause.start, clause.stop))
    subscripts = statement.subscripts or ()
    where = (statement.value, *statement.filters, *subscripts, *filter(None, edges))
    candidates = [name for part in where for name in index_names(part)]
    for subscript in subscripts:
        if not isinstance(subscript, tree.Name):
            candidates += _plain_names(subscript)
    scope = unit.scope
    known = {*bound, *scope.names, *scope.broken, *scope.later}
    return {name.name: name for name in reversed(candidates) if name.name not in known}


def _plain_names(node: Node) -> list[tree.Name]:
    if isinstance(node, tree.Name):
        return [node]
    if isinstance(node, tree.Chain):
        return [name for child in children(node) for name in _plain_names(child)]
    return []


def _in_left_order(loops: tuple[Range, ...], place: tuple[Integer, ...]) -> tuple[Range, ...]:
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
