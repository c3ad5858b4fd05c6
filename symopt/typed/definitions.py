"""Definitions: index notation, array notation and accumulation, as axes and a body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symopt.primitives import operators
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.infer import children, names_in_subscripts
from symopt.typed.program import Apply, Definition, Number, Scalar
from symopt.typed.ranges import greatest
from symopt.typed.scope import Environment, Variable
from symopt.typed.values import Value
from symopt.types import Integer, Range, constant, index

if TYPE_CHECKING:
    from symopt.typed.checker import Unit


def define(unit: Unit, statement: tree.Definition) -> None:
    """Add a definition to the program, or report what is wrong with it."""
    name = statement.name
    unit.scope.later.pop(name, None)
    if _is_recurrence(unit, statement):
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
    pending: list[tree.Expression | tree.Generator | tree.Slice] = [statement.value]
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
            unit.report.add(errors.filtered_definition(part.span))
            return None
        found = elaborator.scalar(part, target.env, "a filter")
        condition = (
            found
            if condition is None
            else Apply(operators.both, (condition, found), part.span)
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
    lowers = (by_name[p.index].lower if p.index in by_name else constant(0) for p in target.place)
    # A definition over range(1, n) has no element 0, and stores none.
    origin = tuple(low if not low.indices and not low.tensors else constant(0) for low in lowers)
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
    where = (statement.value, *statement.filters, *subscripts)
    written = {clause.index: clause for clause in statement.clauses}
    # Integer loops first as the left side names them, then as `for` does, then those summed.
    names = [s for s in subscripts if isinstance(s, tree.Name) and s.name not in unit.scope.dims]
    wanted = {name.name: name for name in names}
    if len(wanted) < len(names):
        unit.report.add(errors.index_shadows(names[-1].name, names[-1].span))
        return None
    clauses = [
        tree.ForClause(name, None, None, node.span)
        for name, node in wanted.items()
        if name not in written
    ]
    clauses += statement.clauses
    bound = set(wanted) | set(written)
    unbound = _unbound(unit, statement, where, bound)
    if statement.accumulate:
        clauses += [tree.ForClause(n.name, None, None, n.span) for n in unbound.values()]
    else:
        for name, node in unbound.items():
            unit.report.add(errors.unbound_index(name, node.span, _left(statement)))
        for clause in statement.clauses:
            if clause.index not in wanted:
                unit.report.add(errors.unbound_index(clause.index, clause.span, _left(statement)))
                return None
        if unbound:
            return None
    result = elaborator.bound_clauses(clauses, where, Environment())
    if result is None:
        return None
    loops, env = result
    place: list[Integer] = []
    for subscript in subscripts:
        found = elaborator.integer(subscript, env)
        if found is None:
            return None
        place.append(found)
    return _Target(_in_left_order(loops, tuple(place)), env, tuple(place))


def _left(statement: tree.Definition) -> str:
    if statement.subscripts is None:
        return statement.name
    return f"{statement.name}[{', '.join(part.span.text for part in statement.subscripts)}]"


def _unbound(
    unit: Unit,
    statement: tree.Definition,
    where: tuple[tree.Expression, ...],
    bound: set[str],
) -> dict[str, tree.Name]:
    """Index names that nothing binds: summed over by `+=`, a mistake otherwise."""
    found: dict[str, tree.Name] = {}
    candidates = [name for part in where for name in names_in_subscripts(part)]
    candidates += [
        part
        for subscript in statement.subscripts or ()
        if not isinstance(subscript, tree.Name)
        for part in _plain_names(subscript)
    ]
    for name in candidates:
        known = (
            name.name in bound
            or name.name in unit.scope.names
            or name.name in unit.scope.broken
            or name.name in unit.scope.later
        )
        if not known:
            found.setdefault(name.name, name)
    return found


def _plain_names(node: tree.Expression) -> list[tree.Name]:
    if isinstance(node, tree.Name):
        return [node]
    if isinstance(node, tree.Chain):
        return [name for child in children(node) for name in _plain_names(child)]  # type: ignore[arg-type]
    return []


def _in_left_order(loops: tuple[Range, ...], place: tuple[Integer, ...]) -> tuple[Range, ...]:
    """Loops in the order of the axes written, as far as ranges that depend on others allow."""
    order = [p.index for p in place if p.index is not None]
    pending = sorted(loops, key=lambda loop: order.index(loop.index) if loop.index in order else len(order))
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
