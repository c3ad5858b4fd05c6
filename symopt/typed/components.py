"""Definitions that belong together: the cases of one name, and those that need each other.

They are taken up as one, where the last of them stands, and may use each other before that. So
what stands among them and uses one is taken up there, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from symopt.syntax import tree
from symopt.typed.walk import Node, children

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Part:
    """Definitions that are taken up as one: `together`, or a single one by itself."""

    definitions: tuple[tree.Definition, ...]
    together: bool

    @property
    def first(self) -> int:
        return self.definitions[0].span.start

    @property
    def last(self) -> int:
        return self.definitions[-1].span.start


def turns(statements: Iterable[tree.Statement]) -> dict[int, tuple[Part, ...]]:
    """For each definition, by identity, what is taken up where it stands, in order.

    That is what it completes: definitions that belong together wait for the last of them, and what
    stands among them and uses one waits, too.
    """
    kept = tuple(statements)
    by_name: dict[str, list[tree.Definition]] = {}
    for statement in kept:
        if isinstance(statement, tree.Definition):
            by_name.setdefault(statement.name, []).append(statement)
    inside = _names_in_functions(kept)
    used = {
        id(d): {name for name in _used(d, inside) if name in by_name}
        for own in by_name.values()
        for d in own
    }
    needs = {name: set().union(*(used[id(d)] for d in own)) for name, own in by_name.items()}
    found: dict[int, list[Part]] = {}
    parts: dict[str, list[tuple[Part, tree.Definition]]] = {}  # by name, and where taken up
    for names in strong_components(tuple(by_name), needs):
        own = sorted((d for name in names for d in by_name[name]), key=lambda d: d.span.start)
        together = len(names) > 1 or _is_recurrent(own, needs) or _by_cases(own)
        for chosen in [own] if together else [[d] for d in own]:
            part = Part(tuple(chosen), together)
            turn = chosen[-1]
            for name in set().union(*(used[id(d)] for d in chosen)) - set(names):
                for other, there in parts[name]:
                    if other.first < part.last and there.span.start > turn.span.start:
                        turn = there
            found.setdefault(id(turn), []).append(part)
            for name in names:
                parts.setdefault(name, []).append((part, turn))
    return {turn: tuple(chosen) for turn, chosen in found.items()}


def _is_recurrent(own: Sequence[tree.Definition], needs: Mapping[str, set[str]]) -> bool:
    """Whether an array reads itself; a number that does is a mistake, told as such."""
    name = own[0].name
    return name in needs[name] and any(definition.subscripts for definition in own)


def _by_cases(own: Sequence[tree.Definition]) -> bool:
    """Whether some elements are defined apart from others: `h[0]`, or ranges of their own."""
    if any(d.accumulate or not d.subscripts for d in own):
        return False
    fixed = any(not isinstance(part, tree.Name) for d in own for part in d.subscripts or ())
    return fixed or (len(own) > 1 and any(d.clauses for d in own))


def _used(definition: tree.Definition, inside: Mapping[str, set[str]]) -> Iterator[str]:
    """The names in a definition, less those that are its indices."""
    subscripts = definition.subscripts or ()
    bound = {part.name for part in subscripts if isinstance(part, tree.Name)}
    bound |= {clause.index for clause in definition.clauses}
    edges = (edge for clause in definition.clauses for edge in (clause.start, clause.stop))
    for part in (definition.value, *definition.filters, *subscripts, *edges):
        if part is not None:
            yield from (name for name in free_names(part, inside) if name not in bound)


def free_names(node: Node, inside: Mapping[str, set[str]]) -> Iterator[str]:
    """The names in an expression that no `for` in it binds; `inside` has those of functions."""
    pending: list[tuple[Node, frozenset[str]]] = [(node, frozenset())]
    while pending:
        part, bound = pending.pop()
        if isinstance(part, tree.Name) and part.name not in bound:
            yield part.name
        if isinstance(part, tree.Call):
            yield from inside.get(part.function, ())
        if isinstance(part, tree.Generator):
            bound = bound | {clause.index for clause in part.clauses}
        pending.extend((child, bound) for child in children(part))


def _names_in_functions(statements: Iterable[tree.Statement]) -> dict[str, set[str]]:
    """The names of the file that a call of each function uses, also through others."""
    functions = [s for s in statements if isinstance(s, tree.FunctionDefinition)]
    found: dict[str, set[str]] = {function.name: set() for function in functions}
    changed = True
    while changed:
        changed = False
        for function in functions:
            own = {argument.name for argument in function.arguments}
            own |= {definition.name for definition in function.body}
            parts = [function.value, *(definition.value for definition in function.body)]
            names = {name for part in parts for name in free_names(part, found)} - own
            changed |= not names <= found[function.name]
            found[function.name] |= names
    return found


def strong_components(
    nodes: Sequence[Key], needs: Mapping[Key, set[Key]]
) -> Iterator[tuple[Key, ...]]:
    """The strongly connected components, each after those that it needs (Tarjan, 1972).

    Without recursion: a chain of definitions may be thousands long.
    """
    search = _Search(needs)
    for node in nodes:
        if node not in search.number:
            yield from search.run(node)


@dataclass(slots=True)
class _Search(Generic[Key]):
    needs: Mapping[Key, set[Key]]
    number: dict[Key, int] = field(default_factory=dict)
    low: dict[Key, int] = field(default_factory=dict)
    stack: dict[Key, None] = field(default_factory=dict)

    def run(self, root: Key) -> Iterator[tuple[Key, ...]]:
        calls = [(root, self._entered(root))]
        while calls:
            node, rest = calls[-1]
            following = next(rest, None)
            if following is not None:
                if following not in self.number:
                    calls.append((following, self._entered(following)))
                elif following in self.stack:
                    self.low[node] = min(self.low[node], self.number[following])
                continue
            calls.pop()
            if calls:
                self.low[calls[-1][0]] = min(self.low[calls[-1][0]], self.low[node])
            if self.low[node] == self.number[node]:
                found: list[Key] = []
                while not found or found[-1] != node:
                    found.append(self.stack.popitem()[0])
                yield tuple(reversed(found))

    def _entered(self, node: Key) -> Iterator[Key]:
        self.number[node] = self.low[node] = len(self.number)
        self.stack[node] = None
        return iter(sorted(self.needs.get(node, ()), key=str))
