"""What can be said of a function before it is called, or if it never is: names, counts, circles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors, function_errors
from symopt.typed.calls import FUNCTION_NAMES, mistake_in_call
from symopt.typed.components import strong_components
from symopt.typed.elaborate import CONSTANTS
from symopt.typed.targets import named_indices
from symopt.typed.walk import Node, children, element_of

if TYPE_CHECKING:
    from symopt.typed.checker import Unit
    from symopt.typed.imports import Imports


def announce_functions(unit: Unit, file: tree.File, imports: Imports) -> None:
    """Note the functions before their statements are reached, and which call themselves."""
    for mistake in imports.mistakes:
        unit.report.add(mistake)
    unit.scope.imports = bool(imports.mistakes)
    unit.scope.elsewhere = imports.declared()
    own = tuple(s for s in file.statements if isinstance(s, tree.FunctionDefinition))
    functions = (*own, *imports.functions)
    for function in functions:
        unit.scope.functions_later.setdefault(function.name, function.name_span)
    _report_recursion(unit, functions)


def define_function(unit: Unit, function: tree.FunctionDefinition) -> None:
    """Add a function to the program, or report what is wrong with it."""
    if not unit.may_define(function.name, function.name_span):
        return
    unit.scope.functions_later.pop(function.name, None)
    unit.scope.functions[function.name] = function
    if not _has_sound_structure(unit, function):
        unit.scope.broken.add(function.name)


def _has_sound_structure(unit: Unit, function: tree.FunctionDefinition) -> bool:
    """Whether every name in a function is defined once, before its use; a report otherwise."""
    known = len(unit.report.errors)
    seen: dict[str, Span] = {}
    for argument in function.arguments:
        if argument.name in seen:
            unit.report.add(errors.repeated_argument(argument.name, argument.span, function.name))
        seen[argument.name] = argument.span
    accumulated: set[str] = set()
    refused: set[str] = set()
    elements: dict[str, int] = {}  # how many there are of what is given element by element
    by_element = {s.name for s in function.body} - {
        s.name for s in function.body if element_of(s) is None
    }
    for number, statement in enumerate(function.body):
        name = statement.name
        if name in by_element and not (name in seen and name not in elements):
            expected = elements[name] = elements.get(name, -1) + 1
            if element_of(statement) != expected and name not in refused:
                unit.report.add(function_errors.element_order(name, expected, statement.span))
                refused.add(name)
            _check_order(unit, function.body[number:], seen, refused)
            seen.setdefault(name, statement.name_span)
            continue
        if name not in refused and _is_recurrence(statement):
            unit.report.add(function_errors.recurrence_in_function(name, statement.span))
            refused.add(name)
        if (
            name in seen
            and name not in refused
            and not (statement.accumulate and name in accumulated)
        ):
            unit.report.add(function_errors.repeated_local(name, statement.name_span, seen[name]))
            refused.add(name)
        _check_order(unit, function.body[number:], seen, refused)
        seen.setdefault(name, statement.name_span)
        if statement.accumulate:
            accumulated.add(name)
    return len(unit.report.errors) == known


def _is_recurrence(statement: tree.Definition) -> bool:
    """A definition by cases, or an array that reads itself."""
    subscripts = statement.subscripts or ()
    by_cases = any(not isinstance(part, tree.Name) for part in subscripts)
    reads_itself = any(name.name == statement.name for name in _names_used(statement))
    return not statement.accumulate and bool(subscripts) and (by_cases or reads_itself)


def _check_order(
    unit: Unit, rest: tuple[tree.Definition, ...], seen: Mapping[str, Span], refused: set[str]
) -> None:
    """Report what the first of these local definitions uses of itself or of later ones."""
    statement, *others = rest
    later = {other.name: other.name_span for other in reversed(others)}
    for name in _names_used(statement):
        if name.name in seen or name.name in refused:
            continue
        if name.name == statement.name:
            unit.report.add(errors.used_in_itself(name.name, name.span))
            refused.add(name.name)
        elif name.name in later:
            unit.report.add(errors.used_before(name.name, name.span, later[name.name]))


def _names_used(statement: tree.Definition) -> Iterator[tree.Name]:
    """The names in a local definition that are none of its indices."""
    bound = _indices(statement)
    for part in _parts(statement):
        yield from (name for name in _free(part) if name.name not in bound)


def _parts(statement: tree.Definition) -> tuple[tree.Expression, ...]:
    edges = (edge for clause in statement.clauses for edge in (clause.start, clause.stop))
    subscripts = statement.subscripts or ()
    return (statement.value, *statement.filters, *subscripts, *filter(None, edges))


def _indices(statement: tree.Definition) -> set[str]:
    """The names that a definition binds: those on its left, those with a range."""
    left = {part.name for part in statement.subscripts or () if isinstance(part, tree.Name)}
    return left | {clause.index for clause in statement.clauses}


def _free(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[tree.Name]:
    """The names in an expression that no `for` inside binds, with their places."""
    if isinstance(node, tree.Name) and node.name not in bound:
        yield node
    if isinstance(node, tree.Generator):
        bound = bound | {clause.index for clause in node.clauses}
    for child in children(node):
        yield from _free(child, bound)


# ── circles ──────────────────────────────────────────────────────────────────────────────────


def _report_recursion(unit: Unit, functions: Iterable[tree.FunctionDefinition]) -> None:
    """Report functions that call themselves, also through others; they count as broken."""
    calls: dict[str, dict[str, Span]] = {}
    for function in functions:
        found = calls.setdefault(function.name, {})
        for part in (function.value, *(p for s in function.body for p in _parts(s))):
            for call in _calls(part):
                found.setdefault(call.function, call.function_span)
    needs = {name: found.keys() & calls.keys() for name, found in calls.items()}
    for names in strong_components(tuple(calls), needs):
        first = min(names, key=list(calls).index)
        if len(names) > 1 or first in needs[first]:
            chain = _circle(first, needs, set(names))
            steps = [calls[a][b] for a, b in pairwise(chain)]
            unit.report.add(function_errors.recursive_function(chain, steps))
            unit.scope.broken |= set(names)


def _calls(node: Node) -> Iterator[tree.Call]:
    pending = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, tree.Call):
            yield part
        pending.extend(reversed(children(part)))


def _circle(first: str, needs: Mapping[str, set[str]], inside: set[str]) -> list[str]:
    """The shortest chain of calls from a function back to itself."""
    came_from: dict[str, str] = {}
    pending = [first]
    while first not in came_from:
        current = pending.pop(0)
        for name in sorted(needs[current] & inside):
            if name not in came_from:
                came_from[name] = current
                pending.append(name)
    chain = [first]
    while len(chain) == 1 or chain[-1] != first:
        chain.append(came_from[chain[-1]])
    return chain[::-1]


# ── functions that nothing calls ─────────────────────────────────────────────────────────────


def check_uncalled(unit: Unit) -> None:
    """Report unknown names and wrong calls in functions that were never expanded."""
    for name, function in unit.scope.functions.items():
        if name not in unit.elaborator.called and name not in unit.scope.broken:
            _check_names(unit, function)


def _check_names(unit: Unit, function: tree.FunctionDefinition) -> None:
    known = {argument.name for argument in function.arguments}
    for argument in function.arguments:
        for size in argument.shape or ():
            if isinstance(size, tree.Name):
                known.add(size.name)
    for statement in function.body:
        bound = _indices(statement)
        if statement.accumulate:
            bound |= {name.name for name in named_indices(statement)}
        for part in _parts(statement):
            _check_part(unit, part, frozenset(known | bound))
        known.add(statement.name)
    _check_part(unit, function.value, frozenset(known))


def _check_part(unit: Unit, part: tree.Expression, known: frozenset[str]) -> None:
    for name in _free(part, known):
        _check_name(unit, name, known)
    for call in _calls(part):
        mistake = mistake_in_call(unit.elaborator, call, known)
        if mistake is not None:
            unit.report.add(mistake)


def _check_name(unit: Unit, name: tree.Name, known: frozenset[str]) -> None:
    scope, text = unit.scope, name.name
    if text in scope.functions or (text in FUNCTION_NAMES and text not in scope.names):
        unit.report.add(errors.function_as_value(text, name.span))
    elif text not in {*scope.names, *scope.broken, *scope.later, *CONSTANTS}:
        unit.report.add(scope.unknown_name(name, {*scope.names, *known}))
