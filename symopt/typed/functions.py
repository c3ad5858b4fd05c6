"""Calls of the functions that files define: expanded where they stand, each argument once.

A call that is repeated with the same arguments is expanded once: from its second appearance on, its
result has a name of its own. So chains of functions that call each other twice stay linear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symopt.diagnostics import Diagnostic, Label
from symopt.primitives import operators
from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors, function_errors
from symopt.typed.program import Apply, Count, Number, Read, Scalar, Sum
from symopt.typed.reads import integer_atoms
from symopt.typed.scope import Environment
from symopt.typed.sharing import Written, shared, stored
from symopt.typed.subscripts import integer
from symopt.typed.targets import Target, right_side, target_of
from symopt.typed.values import Place, Value, broken_value, mapped, scalar_value
from symopt.typed.walk import Node, children, depth_of_calls, element_of, uses
from symopt.types import Atom, Entry, Integer, constant, dim, index

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator

DEEPEST = 200  # expressions around the calls inside calls: Python's stack has to hold them
MOST_CALLS = 20_000  # a program of more would not compile in a reasonable time
_MOST_CALLS_SHOWN = 5


@dataclass(slots=True)
class Expansion:
    """The result of a call: written out where it is used, or, once it is asked for again, named."""

    name: str
    found: Value
    env: Environment  # kept, because keys hold its identity
    repeated: bool = False

    def value(self) -> Value:
        """What stands for the call, which follows when the result gets a name later."""
        if self.found.simple or self.found.broken:
            return self.found
        return replace(self.found, at=lambda place: self.found.at(place))

    def again(self, elaborator: Elaborator) -> Value:
        if not self.repeated:
            self.repeated = True
            self.found = shared(elaborator, self.found, self.name)
        return self.found


def expanded(elaborator: Elaborator, expression: tree.Call, env: Environment) -> Value:
    """The value of a call of a function of the file."""
    name, span = expression.function, expression.span
    scope = elaborator.scope
    function = scope.functions[name]
    written = (name, expression.arguments, id(env), scope.defining, frozenset(elaborator.guards))
    known = elaborator.expansions.get(written)
    if known is not None:
        return known.again(elaborator)
    values = tuple(
        _argument(elaborator, argument, env)
        for argument in expression.arguments
        if not isinstance(argument, tree.Generator)
    )
    if any(value.broken for value in values):
        return broken_value(span)
    bound = _bound_arguments(elaborator, function, values)
    if bound is None:
        return broken_value(span)
    meant = _meaning(elaborator, name, tuple(bound.values()))
    known = elaborator.expansions.get(meant) if meant else None
    if known is not None:
        return known.again(elaborator)
    expansion = Expansion(name, _result(elaborator, function, bound, span), env)
    if elaborator.random_shape is None:  # each call draws anew
        elaborator.expansions[written] = expansion
        if meant:
            elaborator.expansions[meant] = expansion
    return expansion.value()


def _meaning(
    elaborator: Elaborator, name: str, values: tuple[Value, ...]
) -> tuple[object, ...] | None:
    """What equal calls have in common, where the arguments are plain reads and numbers.

    Conditions around a call make a difference where they look at an index of the arguments, or at
    integer data.
    """
    if not all(value.simple for value in values):
        return None
    anywhere = (tuple(index(f"?{axis}") for axis in range(len(v.shape))) for v in values)
    read = tuple((v.shape, v.at(place)) for v, place in zip(values, anywhere, strict=True))
    own = frozenset[Atom]().union(*(integer_atoms(scalar) for _, scalar in read))
    guards = frozenset(
        item
        for guard in elaborator.guards
        for item in guard
        if item in own or isinstance(item, Entry)
    )
    return name, read, elaborator.scope.defining, guards


def _result(
    elaborator: Elaborator, function: tree.FunctionDefinition, bound: dict[str, Value], span: Span
) -> Value:
    """The body with its arguments put in."""
    elaborator.calls += 1
    elaborator.called.add(function.name)
    if sum(elaborator.active) > DEEPEST:
        return elaborator.fail(function_errors.calls_too_deep(function.name, span), span)
    if elaborator.calls > MOST_CALLS:
        return elaborator.fail(function_errors.too_many_calls(MOST_CALLS, span), span)
    parts = (function.value, *(statement.value for statement in function.body))
    known_functions = elaborator.scope.functions
    elaborator.active.append(max(depth_of_calls(part, known_functions) for part in parts))
    known = elaborator.report.diagnostics
    elaborator.report.diagnostics = []
    try:
        env = Environment({}, bound)
        for number, statement in enumerate(function.body):
            env = _with_local(elaborator, function, number, statement, env)
        return replace(elaborator.value(function.value, env), span=span)
    finally:
        elaborator.active.pop()
        found, elaborator.report.diagnostics = elaborator.report.diagnostics, known
        _report_from_call(elaborator, found, span)


def _report_from_call(elaborator: Elaborator, found: list[Diagnostic], span: Span) -> None:
    """Mistakes inside a function, each once, with the first call that shows it."""
    places = {(d.code, d.labels[0].span) for d in elaborator.report.diagnostics if d.labels}
    for diagnostic in found:
        if (diagnostic.code, diagnostic.labels[0].span) not in places:
            labels = diagnostic.labels
            if len(labels) <= _MOST_CALLS_SHOWN:
                labels = (*labels, Label(span, "in this call"))
            elaborator.report.add(replace(diagnostic, labels=labels))


# ── arguments ────────────────────────────────────────────────────────────────────────────────


def _argument(elaborator: Elaborator, expression: tree.Expression, env: Environment) -> Value:
    """The value of an argument; `i - 1` stays an integer, for the function to use as an index."""
    if isinstance(expression, tree.Chain) and not _has_call(expression):
        with elaborator.quietly():
            found = integer(elaborator, expression, env)
        if found is not None:
            return scalar_value(Count(found), expression.span, simple=True)
    return elaborator.value(expression, env)


def _has_call(node: Node) -> bool:
    return isinstance(node, tree.Call) or any(map(_has_call, children(node)))


def _bound_arguments(
    elaborator: Elaborator, function: tree.FunctionDefinition, values: tuple[Value, ...]
) -> dict[str, Value] | None:
    """The arguments by name, and the sizes that their shapes name; None after a report."""
    sizes: dict[str, Integer] = {}
    bound: dict[str, Value] = {}
    for argument, value in zip(function.arguments, values, strict=True):
        if argument.shape is not None and not _fits(elaborator, function, argument, value, sizes):
            return None
        again = _used(function, argument.name, 0) > 1
        stem = f"{function.name}.{argument.name}"
        bound[argument.name] = shared(elaborator, value, stem) if again else value
    own = {
        name: scalar_value(Count(size), function.name_span, simple=True)
        for name, size in sizes.items()
    }
    return {**own, **bound}


def _fits(
    elaborator: Elaborator,
    function: tree.FunctionDefinition,
    argument: tree.Argument,
    value: Value,
    sizes: dict[str, Integer],
) -> bool:
    """Whether a value has the shape declared; `sizes` learns those that are the function's own."""
    declared = argument.shape or ()
    expected: list[Integer] = []
    for number, size in enumerate(declared):
        if isinstance(size, tree.Name) and _is_own_size(elaborator, function, size.name):
            if size.name not in sizes and number < len(value.shape):
                sizes[size.name] = value.shape[number]
            expected.append(sizes.get(size.name, dim(size.name)))
            continue
        known = {
            name: scalar_value(Count(found), size.span, simple=True)
            for name, found in sizes.items()
        }
        wanted = integer(elaborator, size, Environment({}, known), size=True)
        if wanted is None:
            return False
        expected.append(wanted)
    if tuple(expected) == value.shape:
        return True
    elaborator.report.add(
        errors.wrong_argument_shape(
            argument.name, tuple(expected), value.shape, value.span, argument.span
        )
    )
    return False


def _is_own_size(elaborator: Elaborator, function: tree.FunctionDefinition, name: str) -> bool:
    """Whether a size is read off the arguments. A dim of the file means itself in that file."""
    info = elaborator.scope.dims.get(name)
    return info is None or info.span.source != function.name_span.source


# ── local definitions ────────────────────────────────────────────────────────────────────────


def _used(function: tree.FunctionDefinition, name: str, after: int) -> int:
    """How often a name is used from one local definition on; in index notation, many times."""
    total = uses(function.value, name)
    for statement in function.body[after:]:
        parts: list[Node | None] = [statement.value, *statement.filters]
        parts += [*(statement.subscripts or ())]
        parts += [edge for clause in statement.clauses for edge in (clause.start, clause.stop)]
        found = sum(uses(part, name) for part in parts if part is not None)
        total += 2 * found if statement.subscripts or statement.accumulate else found
    return total


def _with_local(
    elaborator: Elaborator,
    function: tree.FunctionDefinition,
    number: int,
    statement: tree.Definition,
    env: Environment,
) -> Environment:
    """The environment with one more local definition; broken, after a report."""
    name = statement.name
    if element_of(statement) is not None:
        return _with_element(elaborator, f"{function.name}.{name}", statement, env)
    often = _used(function, name, number + 1) > 1
    found = _local(elaborator, f"{function.name}.{name}", statement, env, often)
    if found is None:
        return env.with_local(name, broken_value(statement.span))
    value, origin = found
    if statement.accumulate and name in env.arguments and not value.broken:
        before = env.arguments[name]
        if before.broken:
            return env
        if before.shape != value.shape:
            diagnostic = errors.wrong_shape(
                f"the target `{name}`", before.shape, value.shape, statement.name_span
            )
            return env.with_local(name, elaborator.fail(diagnostic, statement.span))
        both = mapped(value.shape, (before, value), Sum, statement.span)
        value = shared(elaborator, both, f"{function.name}.{name}") if often else both
    return env.with_local(name, value, origin)


def _with_element(
    elaborator: Elaborator, stem: str, statement: tree.Definition, env: Environment
) -> Environment:
    """The environment with one more element of a local array that is given element by element."""
    name, number, span = statement.name, element_of(statement), statement.span
    before = env.arguments[name] if number else None
    value = elaborator.value(statement.value, env)
    if value.broken or (before is not None and before.broken):
        return env.with_local(name, broken_value(span))
    if before is not None and before.shape[1:] != value.shape:
        what, shape = f"element {number} of `{name}`", before.shape[1:]
        diagnostic = errors.wrong_shape(what, shape, value.shape, statement.name_span)
        return env.with_local(name, elaborator.fail(diagnostic, span))
    last = shared(elaborator, value, stem)

    def at(place: Place) -> Scalar:
        here, rest = place[0], place[1:]
        if before is None or here.value == number:
            return last.at(rest)
        if here.value is not None:
            return before.at(place)
        is_last = Apply(operators.equal, (Count(here), Number(float(number or 0))), span)
        return Apply(operators.select, (is_last, last.at(rest), before.at(place)), span)

    shape = (constant((number or 0) + 1), *value.shape)
    return env.with_local(name, Value(shape, at, span, simple=True), (constant(0),) * len(shape))


def _local(
    elaborator: Elaborator, stem: str, statement: tree.Definition, env: Environment, often: bool
) -> tuple[Value, tuple[Integer, ...]] | None:
    """The value of a local definition and its least indices; None after a report."""
    target = target_of(elaborator, statement, env)
    if target is None:
        return None
    right = right_side(elaborator, statement, target.env)
    if right is None:
        return None
    value, condition = right
    if value.broken:
        return None
    value = replace(value, span=statement.span)
    if not target.loops and not target.place:
        return (shared(elaborator, value, stem) if often else value), ()
    return _stored_local(elaborator, stem, statement, target, value, condition)


def _stored_local(
    elaborator: Elaborator,
    stem: str,
    statement: tree.Definition,
    target: Target,
    value: Value,
    condition: Scalar | None,
) -> tuple[Value, tuple[Integer, ...]]:
    """A local definition with indices, under a name of its own."""
    own = elaborator.loops_over(value.shape)
    own_place = tuple(index(loop.index) for loop in own)
    body = value.at(own_place)
    if condition is not None:
        body = Apply(operators.select, (condition, body, Number(0.0)), statement.span)
    written = Written(
        loops=target.loops + own,
        place=target.place + own_place,
        body=body,
        accumulate=statement.accumulate,
        span=statement.span,
    )
    name, outer, origin, shape = stored(elaborator, stem, written)
    local = Value(
        shape,
        lambda place: Read(name, outer + place, statement.span),
        statement.span,
        simple=True,
    )
    return local, origin
