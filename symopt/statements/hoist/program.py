"""What hoisting may do, and what it says it did."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from symopt.source import Span
from symopt.statements.hoist.support import Nest
from symopt.statements.program import Program, Read, Statement, Tensor, count_of, read_of
from symopt.types import Integer, Range, index


@dataclass(frozen=True, slots=True)
class Hoisting:
    """What is known about sizes when a program is hoisted.

    `samples` are the dims that loops over samples run over; `groups` the integer arrays that have
    no fewer entries than the size these are below, so that computing something for each of its
    values costs no more than for each of their entries; `filled` the dims that are at least 1.
    Readers of `kept` tensors (the cut, which derivatives are taken by) go on reading these.
    """

    samples: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    def sampled(self, loop: Range) -> bool:
        """Whether a loop runs over samples."""
        return bool(loop.upper.dims & self.samples)


@dataclass(frozen=True, slots=True)
class Hoisted:
    """A tensor that was computed over some loops, or a part of it, and is so over fewer points."""

    tensor: str
    loops: tuple[Range, ...]
    source: str
    source_loops: tuple[Range, ...]
    span: Span | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        here = ", ".join(map(str, self.loops)) or "once"
        there = ", ".join(map(str, self.source_loops))
        return f"{self.tensor}: {here}, not {there}"


@dataclass(frozen=True, slots=True)
class View:
    """A tensor whose elements are those of another: `r[a0, a1]` is `camera[cam[a0], a1]`."""

    tensor: str
    map: tuple[Integer, ...]  # in terms of the indices `axis(0)`, `axis(1)`, ...

    def at(self, places: tuple[Integer, ...]) -> Read:
        """The read that is meant by a read at some places."""
        known = {axis(number): place for number, place in enumerate(places)}
        return read_of(self.tensor, tuple(place.substitute(known) for place in self.map))

    @property
    def gathers(self) -> bool:
        return any(place.tensors for place in self.map)


@dataclass(frozen=True, slots=True)
class Views:
    """Views by the name of the tensor that is one; what their reads mean is worked out once."""

    views: dict[str, View] = field(default_factory=dict)
    _known: dict[Read, Read] = field(default_factory=dict)

    def __contains__(self, tensor: str | None) -> bool:
        return tensor in self.views

    def add(self, tensor: str, view: View) -> None:
        """A tensor is a view from now on."""
        self.views[tensor] = view

    def seen(self, read: Read) -> Read:
        """The read that is meant by a read, if that is of a view."""
        if read.tensor is None or read.tensor not in self.views:
            return read
        if read not in self._known:
            self._known[read] = self.views[read.tensor].at(read.map)
        return self._known[read]


def axis(number: int) -> str:
    """The index that stands for the place on an axis; no name of a program looks like this."""
    return f"@{number}"


def on_axes(loops: Mapping[str, int]) -> dict[str, Integer]:
    """Loop indices by the axes that they are on, to put a statement's places in terms of axes."""
    return {name: index(axis(number)) for name, number in loops.items()}


def regrouped_read(nest: Nest, read: Read) -> Read:
    """A read as it is in the loops of a nest."""
    places = tuple(map(nest.regrouped, read.map))
    if places == read.map:
        return read
    return count_of(places[0]) if read.tensor is None else read_of(read.tensor, places)


def copy_of(
    target: str,
    places: tuple[Integer, ...],
    loops: tuple[Range, ...],
    view: View,
    span: Span | None,
) -> Statement:
    """The statement that makes a target, at places that are loops, a copy of what it shows."""
    needed = {place.index for place in places}
    read = view.at(places)
    own = tuple(loop for loop in loops if loop.index in needed)
    return Statement(target, places, own, "=", read.symbol, (read,), span=span)


def unused(name: str, tensors: Mapping[str, Tensor]) -> str:
    """The name, or a variation of it that no tensor has."""
    candidates = (f"{name}{number}" for number in itertools.count(2))
    return name if name not in tensors else next(c for c in candidates if c not in tensors)


def sizes_of(program: Program) -> dict[str, Integer]:
    """What the entries of each integer array are below."""
    return {t.name: t.below for t in program.tensors.values() if t.below is not None}
