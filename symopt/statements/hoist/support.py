"""What a value depends on: loops, or groups of their points that an integer array makes.

`C[cam[s], j]` depends on `s` only through `cam[s]`: the entry stands for an index of its own, which
runs over the cameras instead of the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from symopt.types import Atom as Part
from symopt.types import (
    Clamp,
    Dim,
    Entry,
    Index,
    Integer,
    Quotient,
    Range,
    Remainder,
    atom,
    constant,
    index,
)

Mention = str | Entry  # a loop index, or an entry that stands for the indices in it


def mentions(value: Integer, groups: frozenset[str]) -> Iterator[Mention]:
    """The indices in an integer, those inside an entry of one of the groups as that entry."""
    for monomial, _ in value.terms:
        for part in monomial:
            yield from _mentioned(part, groups)


def _mentioned(part: Part, groups: frozenset[str]) -> Iterator[Mention]:
    match part:
        case Dim():
            return
        case Index(name):
            yield name
        case Entry(tensor, places):
            inner = {mention for place in places for mention in mentions(place, groups)}
            if tensor in groups and inner:
                yield part
            else:
                yield from inner
        case Quotient(a, b) | Remainder(a, b) | Clamp(a, b):
            yield from mentions(a, groups)
            yield from mentions(b, groups)
        case _:
            assert_never(part)


def indices_of(entry: Entry) -> frozenset[str]:
    """The loop indices that an entry is read at."""
    return frozenset().union(*(place.indices for place in entry.indices))


@dataclass(frozen=True, slots=True)
class Support:
    """Loops that a value needs, and entries that take the place of others."""

    loops: frozenset[str]
    entries: tuple[Entry, ...] = ()


def support_of(
    mentioned: Iterable[Mention], ranges: Mapping[str, Range], groups: frozenset[str]
) -> Support:
    """The least that a value needs which mentions these.

    A loop needs what its range mentions. An index that is needed for itself, or by two entries, is
    needed as a loop, and then its entries are nothing of their own.
    """
    pending, loops = list(mentioned), set[str]()
    entries: dict[Entry, None] = {}
    while pending:
        mention = pending.pop()
        if isinstance(mention, Entry):
            entries[mention] = None
        elif mention not in loops:
            loops.add(mention)
            loop = ranges.get(mention)
            for edge in (loop.lower, loop.upper) if loop else ():
                if edge.indices:
                    pending.extend(mentions(edge, groups))
        if not pending and entries:
            pending.extend(_shared(entries, loops))
    return Support(frozenset(loops), tuple(sorted(entries, key=str)))


def _shared(entries: dict[Entry, None], loops: set[str]) -> list[str]:
    """Indices of entries that have to be loops; these entries are dropped."""
    found: list[str] = []
    for entry in tuple(entries):
        own = indices_of(entry)
        others = [indices_of(other) for other in entries if other is not entry]
        if own & loops or any(own & other for other in others):
            found.extend(sorted(own - loops))
    for entry in tuple(entries):
        if indices_of(entry) & (loops | set(found)):
            found.extend(sorted(indices_of(entry) - loops))
            del entries[entry]
    return found


def regrouped(value: Integer, names: Mapping[Entry, Integer]) -> Integer:
    """The value with entries replaced."""
    if not names or not value.tensors:
        return value
    total = constant(0)
    for monomial, coefficient in value.terms:
        product = constant(coefficient)
        for part in monomial:
            product = product * _regrouped_part(part, names)
        total = total + product
    return total


def _regrouped_part(part: Part, names: Mapping[Entry, Integer]) -> Integer:
    match part:
        case Dim() | Index():
            return atom(part)
        case Entry(tensor, places):
            known = names.get(part)
            inner = tuple(regrouped(place, names) for place in places)
            return atom(Entry(tensor, inner)) if known is None else known
        case Quotient(a, b):
            return regrouped(a, names) // regrouped(b, names)
        case Remainder(a, b):
            return regrouped(a, names) % regrouped(b, names)
        case Clamp(a, b):
            return atom(Clamp(regrouped(a, names), regrouped(b, names)))
        case _:
            assert_never(part)


@dataclass(frozen=True, slots=True)
class Nest:
    """The loops that a hoisted value is computed over.

    `places` says where, from the loops it is taken out of, each of these loops is; `names` gives
    the index that stands for an entry.
    """

    loops: tuple[Range, ...]
    places: tuple[Integer, ...]
    names: Mapping[Entry, Integer]

    def regrouped(self, value: Integer) -> Integer:
        """A place, as seen from these loops."""
        return regrouped(value, self.names)


def nest_of(support: Support, loops: Iterable[Range], below: Mapping[str, Integer]) -> Nest:
    """The loops of a support, in the order of those it is taken out of."""
    owner = {name: entry for entry in support.entries for name in indices_of(entry)}
    names: dict[Entry, Integer] = {}
    found: list[tuple[Range, Integer]] = []
    for loop in loops:
        entry = owner.get(loop.index)
        if loop.index in support.loops:
            edges = (regrouped(edge, names) for edge in (loop.lower, loop.upper))
            found.append((Range(loop.index, *edges), index(loop.index)))
        elif entry is not None and entry not in names:
            # No name of a program has a point in it.
            name = f"{entry.tensor}.entry" + "'" * len(names)
            names[entry] = index(name)
            found.append((Range(name, constant(0), below[entry.tensor]), atom(entry)))
    return Nest(tuple(loop for loop, _ in found), tuple(place for _, place in found), names)
