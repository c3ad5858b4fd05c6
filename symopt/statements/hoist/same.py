"""Equal parts of statements, up to the names of loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import sympy

from symopt.statements.expression import operands, replaced, symbols_of
from symopt.statements.hoist.needs import Needs
from symopt.statements.program import Read, moved_read
from symopt.types import Integer, Range, index

Key = tuple[tuple[tuple[Integer, Integer], ...], sympy.Expr]


def key_of(loops: Iterable[Range], expression: sympy.Expr, reads: Mapping[Any, Read]) -> Key:
    """Loops and expression with the loops called by their numbers."""
    loops = tuple(loops)
    names = {loop.index: index(f"#{number}") for number, loop in enumerate(loops)}
    edges = tuple((x.lower.substitute(names), x.upper.substitute(names)) for x in loops)
    parts = {s: moved_read(reads[s], names).symbol for s in symbols_of(expression)}
    return edges, replaced(expression, parts)


def own_loops(needs: Needs, node: sympy.Expr) -> tuple[Range, ...]:
    """The loops of a part as it stands, with no entry in the place of any."""
    needed = needs.plain(node)
    return tuple(loop for loop in needs.statement.loops if loop.index in needed)


def own_key(needs: Needs, node: sympy.Expr) -> Key:
    """The key of a part as it stands."""
    return key_of(own_loops(needs, node), node, needs.reads)


def shared_keys(statements: Iterable[Needs]) -> tuple[set[Key], set[int]]:
    """Costly parts that several statements over samples have, and their prints.

    A part of such a part is one itself only if it is in some statement without the other.
    """
    sampled = [needs for needs in statements if needs.sampled and needs.costly]
    counts = Counter(p for needs in sampled for p in {needs.prints[n] for n in needs.costly})
    prints = {number for number, count in counts.items() if count > 1}
    keys: dict[int, dict[sympy.Expr, Key]] = {}
    total: Counter[Key] = Counter()
    for number, needs in enumerate(sampled):
        nodes = [node for node in needs.costly if needs.prints[node] in prints]
        keys[number] = {node: own_key(needs, node) for node in nodes}
        total.update(set(keys[number].values()))
    shared: set[Key] = set()
    for number, needs in enumerate(sampled):
        reached = {needs.order[-1]}
        for node in reversed(needs.order):
            if node not in reached:
                continue
            key = keys[number].get(node)
            if key is not None and total[key] > 1:
                shared.add(key)
            else:
                reached.update(operands(node))
    return shared, prints
