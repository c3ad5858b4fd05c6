"""Definitions: index notation, array notation and accumulation, as axes and a body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symopt.primitives import operators
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.program import Apply, Definition, Number, Scalar
from symopt.typed.ranges import greatest
from symopt.typed.scope import Environment, Variable
from symopt.typed.targets import Target, right_side, target_of
from symopt.typed.values import Value
from symopt.types import Integer, constant, index

if TYPE_CHECKING:
    from symopt.typed.checker import Unit


def define(unit: Unit, statement: tree.Definition) -> None:
    """Add a definition to the program, or report what is wrong with it."""
    name = statement.name
    unit.scope.later.pop(name, None)
    unit.scope.defining = name
    again = _accumulates_again(unit, statement)
    if not again and not unit.may_define(name, statement.name_span):
        return
    definition = elaborate_definition(unit, statement, unit.definitions)
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
    if not statement.accumulate:
        return False
    earlier = [d for d in unit.definitions if d.name == statement.name]
    return bool(earlier) and all(d.accumulate for d in earlier)


def elaborate_definition(
    unit: Unit,
    statement: tree.Definition,
    into: list[Definition],
    known: Variable | None = None,
) -> Definition | None:
    """The definition in index form, what it introduces added to `into`; None after a report.

    One of several cases writes to what is `known` of all of them.
    """
    elaborator = unit.elaborator
    target = target_of(elaborator, statement, Environment())
    if target is None:
        return None
    right = right_side(elaborator, statement, target.env)
    if right is None:
        return None
    value, condition = right
    _move(elaborator.introduced, into)
    if value.broken:
        return None
    found = _assembled(unit, statement, target, value, condition, known)
    # Arrays built for this definition may have introduced more while their body was taken.
    _move(elaborator.introduced, into)
    if known is not None and len(found.shape) != len(known.shape):
        what = f"a case of `{statement.name}`"
        unit.report.add(errors.wrong_shape(what, known.shape, found.shape, statement.span))
        return None
    return found


def _move(definitions: list[Definition], into: list[Definition]) -> None:
    into.extend(definitions)
    definitions.clear()


def _assembled(
    unit: Unit,
    statement: tree.Definition,
    target: Target,
    value: Value,
    condition: Scalar | None,
    known: Variable | None,
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
    if known is not None:
        origin = known.origin[: len(origin)]
    place = tuple(p - low for p, low in zip(target.place, origin, strict=True))
    shape = tuple(_extent(unit, p) for p in place)
    if known is not None:
        shape = known.stored_shape[: len(shape)]
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
