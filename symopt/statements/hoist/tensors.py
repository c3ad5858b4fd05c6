"""Whole tensors over fewer points: `q[s, a]` that depends on `s` only through `cam[s]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sympy

from symopt.statements.build import used_reads
from symopt.statements.expression import replaced
from symopt.statements.hoist.program import (
    Hoisted,
    Hoisting,
    View,
    Views,
    axis,
    copy_of,
    on_axes,
    regrouped_read,
    sizes_of,
    unused,
)
from symopt.statements.hoist.reach import Reach, runs
from symopt.statements.hoist.support import (
    Mention,
    Nest,
    Support,
    indices_of,
    mentions,
    nest_of,
    support_of,
)
from symopt.statements.hoist.work import DIVISION, FUNCTION, work
from symopt.statements.program import Program, Role, Statement, Tensor, Winner
from symopt.types import Entry, Integer, atom, index


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A program whose tensors are over as few points as they can be, and what their views are.

    A tensor that was shrunk is still there, as a copy; statements that need a gathered one for
    each of its elements read the copy, so that their adjoints come together before they are
    added to what was gathered.
    """

    program: Program
    views: Views
    hoisted: tuple[Hoisted, ...]


def shrink_tensors(program: Program, options: Hoisting) -> Shrunk:
    """Every tensor over the points that it depends on."""
    work = _Shrinking(program, options, dict(program.tensors), sizes_of(program))
    last = {statement.target: n for n, statement in enumerate(program.statements)}
    for number, statement in enumerate(program.statements):
        current = _reading(statement, work.broadcasts)
        work.slots.append([current])
        work.writers.setdefault(statement.target, []).append(number)
        if last[statement.target] == number:
            work.shrink(statement.target)
    statements = tuple(statement for slot in work.slots for statement in slot)
    result = replace(program, statements=statements, tensors=work.tensors)
    return Shrunk(result, work.gathers, tuple(work.hoisted))


def _reading(statement: Statement, views: Views) -> Statement:
    """The statement with what its reads mean, where these are views."""
    found = {r.symbol: views.seen(r) for r in statement.reads if r.tensor in views}
    if not found:
        return statement
    reads = {read.symbol: found.get(read.symbol, read) for read in statement.reads}
    expression = replaced(statement.expression, {old: new.symbol for old, new in found.items()})
    return replace(statement, expression=expression, reads=used_reads(expression, reads.values()))


def _work_of_element(statement: Statement) -> int:
    """The work of one element of the target; much, where it is not known how much."""
    if statement.reduction not in ("=", "sum"):
        return FUNCTION
    steps = 1
    for loop in statement.reduced:
        steps *= (loop.upper - loop.lower).value or FUNCTION
    return steps * (work(statement.expression) + int(steps > 1))


@dataclass(slots=True)
class _Shrinking:
    program: Program
    options: Hoisting
    tensors: dict[str, Tensor]
    below: Mapping[str, Integer]
    gathers: Views = field(default_factory=Views)  # read where all is per group
    broadcasts: Views = field(default_factory=Views)  # read wherever they are met
    slots: list[list[Statement]] = field(default_factory=list)  # by number of the original
    writers: dict[str, list[int]] = field(default_factory=dict)
    hoisted: list[Hoisted] = field(default_factory=list)

    def shrink(self, target: str) -> None:
        """Replace the statements of a tensor, all of which have been met, if that saves points."""
        numbers = self.writers[target]
        writers = [_reading(self.slots[n][0], self.gathers) for n in numbers]
        if not self._plain(target, writers):
            return
        support = self._support(writers)
        axes = {axis(number) for number in range(len(self.tensors[target].shape))}
        if axes <= support.loops:
            return
        view = self._forwarded(writers)
        if view is None:
            nests = [self._nest(support, writer) for writer in writers]
            if not all(map(self._certain, writers, nests)):
                return
            view = self._moved(target, support, writers, nests)
        if target not in self.options.kept:
            (self.gathers if view.gathers else self.broadcasts).add(target, view)

    def _plain(self, target: str, writers: list[Statement]) -> bool:
        """Whether every statement visits every element, each element's points in one place."""
        shape = self.tensors[target].shape
        if any(writer.steps for writer in writers):
            return False
        for writer in writers:
            ranges = {loop.index: loop for loop in writer.loops}
            names = [place.index for place in writer.map]
            if len(set(names)) < len(names) or (writer.winner and self._winner_is_read(writer)):
                return False
            for name, size in zip(names, shape, strict=True):
                if name is None or ranges[name].lower.value != 0 or ranges[name].upper != size:
                    return False
        return bool(shape)

    def _winner_is_read(self, writer: Statement) -> bool:
        assert writer.winner is not None
        name = writer.winner.tensor
        reads = (read for statement in self.program.statements for read in statement.reads)
        return name in self.program.outputs or any(read.tensor == name for read in reads)

    def _support(self, writers: list[Statement]) -> Support:
        """What all writers together need, in terms of the axes of their target."""
        groups = self.options.groups
        total: set[Mention] = set()
        for writer in writers:
            reduced = {loop.index for loop in writer.reduced}
            found: set[Mention] = {
                m for r in writer.reads for p in r.map for m in mentions(p, groups)
            }
            ranges = {loop.index: loop for loop in writer.loops}
            support = support_of(found | reduced, ranges, groups)
            known = on_axes(_axes(writer))
            total |= {axis(_axes(writer)[name]) for name in support.loops - reduced}
            if writer.of_matrix:  # of which each element is another
                inner = {loop.index for loop in writer.loops} - {x.index for x in writer.around}
                total |= {axis(_axes(writer)[name]) for name in inner - reduced}
            total |= {_entry_at(entry, known) for entry in support.entries}
        return support_of(total, {}, groups)

    def _forwarded(self, writers: list[Statement]) -> View | None:
        """What a tensor is a mere copy of."""
        writer = writers[0]
        copies = len(writers) == 1 and writer.reduction in ("=", "sum") and not writer.reduced
        if not copies or not isinstance(writer.expression, sympy.Symbol):
            return None
        (read,) = writer.reads
        if read.tensor is None:
            return None
        known = on_axes(_axes(writer))
        return View(read.tensor, tuple(place.substitute(known) for place in read.map))

    def _nest(self, support: Support, writer: Statement) -> Nest:
        """The loops of a writer over the fewer points."""
        back = _from_axes(writer)
        own = {name for name, number in _axes(writer).items() if axis(number) in support.loops}
        own |= {loop.index for loop in writer.reduced}
        entries = tuple(_entry_at(entry, back) for entry in support.entries)
        return nest_of(Support(frozenset(own), entries), writer.loops, self.below)

    def _certain(self, writer: Statement, nest: Nest) -> bool:
        kept = {loop.index for loop in nest.loops}
        dropped = [loop for loop in writer.loops if loop.index not in kept]
        if not nest.names and all(runs(loop, self.options) for loop in dropped):
            return True
        return Reach(nest.loops, self.tensors, self.below).certain(
            regrouped_read(nest, read) for read in writer.reads
        )

    def _moved(
        self, target: str, support: Support, writers: list[Statement], nests: list[Nest]
    ) -> View:
        """The same statements over the fewer points, and the target as a copy of what they make."""
        shape = self.tensors[target].shape
        arrays = sorted({entry.tensor for entry in support.entries})
        stem = ".".join([target, "per", *arrays]) if arrays else f"{target}.once"
        name = unused(stem, self.tensors)
        places, sizes = _remaining(support, shape, self.below)
        self.tensors[name] = Tensor(name, sizes, Role.COMPUTED)
        numbers = self.writers[target]
        view, first = View(name, places), writers[0]
        light = support.entries and sum(map(_work_of_element, writers)) < DIVISION
        for number, writer, nest in zip(numbers, writers, nests, strict=True):
            # Reading what is light by an index array is no less work than making it again.
            own = [self.slots[number][0]] if light else []
            self.slots[number] = [self._over(nest, writer, name, places), *own]
        if not light:
            copy = copy_of(target, first.map, first.loops, view, first.span)
            self.slots[numbers[-1]].append(copy)
        self.hoisted.append(Hoisted(name, nests[0].loops, target, first.loops, first.span))
        return view

    def _over(
        self, nest: Nest, writer: Statement, name: str, places: tuple[Integer, ...]
    ) -> Statement:
        reads = {read.symbol: regrouped_read(nest, read) for read in writer.reads}
        expression = replaced(writer.expression, {old: new.symbol for old, new in reads.items()})
        winner, back = writer.winner, _from_axes(writer)
        if winner is not None:
            winner = Winner(f"{name}.winner", winner.position)
            shape = self.tensors[name].shape
            self.tensors[winner.tensor] = Tensor(winner.tensor, shape, Role.COMPUTED)
        return Statement(
            name,
            tuple(nest.regrouped(place.substitute(back)) for place in places),
            nest.loops,
            writer.reduction,
            expression,
            used_reads(expression, reads.values()),
            winner,
            span=writer.span,
        )


def _axes(writer: Statement) -> dict[str, int]:
    """The axis that each loop of a target's map is on."""
    return {place.index or "": number for number, place in enumerate(writer.map)}


def _from_axes(writer: Statement) -> dict[str, Integer]:
    return {axis(number): place for number, place in enumerate(writer.map)}


def _entry_at(entry: Entry, known: Mapping[str, Integer]) -> Entry:
    return Entry(entry.tensor, tuple(place.substitute(known) for place in entry.indices))


def _remaining(
    support: Support, shape: tuple[Integer, ...], below: Mapping[str, Integer]
) -> tuple[tuple[Integer, ...], tuple[Integer, ...]]:
    """The axes that are left of a tensor: places in terms of all axes, and sizes."""
    owner = {name: entry for entry in support.entries for name in indices_of(entry)}
    found: dict[Integer, Integer] = {}
    for number, size in enumerate(shape):
        entry = owner.get(axis(number))
        if axis(number) in support.loops:
            found[index(axis(number))] = size
        elif entry is not None:
            found.setdefault(atom(entry), below[entry.tensor])
    return tuple(found), tuple(found.values())
