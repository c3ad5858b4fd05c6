"""The order in which definitions that need each other are computed: step by step, where it must be.

Of definitions that need each other, an index is found along which each reads only what comes
before it (or, throughout, what comes after), or what is at the same step and does not need it.
What is left of needs within a step is ordered by a further index, so that a Cholesky factor is
computed row by row and within a row column by column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from symopt.diagnostics import Diagnostic
from symopt.source import Span
from symopt.typed import recurrence_errors
from symopt.typed.components import strong_components
from symopt.typed.program import Definition, Earlier, Read, Reduce
from symopt.typed.ranges import are_apart, greatest, least, nonnegative
from symopt.typed.reads import parts
from symopt.types import Clamp, Entry, Integer, Range, Step, atom, constant, index

# When what is read was written: the step before the reader's (or one before that), and so on.
Distance = Literal[
    "before", "not after", "same", "not before", "after", "never", "in data", "unknown"
]
_DEFINITE: tuple[Distance, ...] = ("before", "after", "same", "not after", "not before", "in data")
_EARLIER, _LATER = frozenset({"before", "not after"}), frozenset({"after", "not before"})


def ordered(
    definitions: Sequence[Definition], sizes: Mapping[str, Integer]
) -> tuple[Definition, ...] | Diagnostic:
    """The definitions in the order in which they are computed, with their steps."""
    members = tuple(_Member(number, one) for number, one in enumerate(definitions))
    try:
        found = tuple(_Ordering(sizes, together=True).of(members, 0))
    except _Unordered:
        try:
            found = tuple(_Ordering(sizes, together=False).of(members, 0))
        except _Unordered as error:
            return error.diagnostic
    # Start cases, which need no steps, come first, also if nothing of a step reads them.
    stepwise = next((k for k, member in enumerate(found) if member.steps), len(found))
    names = {member.definition.name for member in found[stepwise:]}
    later = [m for m in found[stepwise:] if not m.steps and not list(m.accesses(names))]
    kept = (member for member in found[stepwise:] if member not in later)
    return tuple(member.finished() for member in (*found[:stepwise], *later, *kept))


class _Unordered(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class _Access:
    """A read of what the component defines, and the loops that run where it stands."""

    tensor: str
    place: tuple[Integer, ...]
    loops: tuple[Range, ...]
    span: Span

    def in_steps(self, steps: Mapping[str, Integer]) -> _Access:
        moved = tuple(_plain(part).substitute(steps) for part in self.place)
        return replace(self, place=moved)


@dataclass(frozen=True, slots=True)
class _Member:
    """A definition, and the loops of its that are steps by now, outermost first."""

    number: int
    definition: Definition
    steps: tuple[tuple[str, Step], ...] = ()  # by the index of the loop
    earlier: tuple[Earlier, ...] = ()

    @property
    def common(self) -> dict[str, Integer]:
        """The names that all definitions have in common for the steps they share."""
        return {name: index(f"#{level}") for level, (name, _) in enumerate(self.steps)}

    def loop(self, name: str) -> Range:
        return next(loop for loop in self.definition.axes if loop.index == name)

    def accesses(self, tensors: set[str]) -> Iterator[_Access]:
        """The reads of some tensors, places in common names."""
        pending = [(self.definition.body, self.definition.axes)]
        while pending:
            scalar, loops = pending.pop()
            if isinstance(scalar, Read) and scalar.tensor in tensors:
                access = _Access(scalar.tensor, scalar.indices, loops, scalar.span)
                yield access.in_steps(self.common)
            if isinstance(scalar, Reduce):
                loops = (*loops, *scalar.loops)
            pending.extend((part, loops) for part in parts(scalar))

    def finished(self) -> Definition:
        names = [name for name, _ in self.steps]
        first = tuple(self.loop(name) for name in names)
        rest = tuple(loop for loop in self.definition.axes if loop.index not in names)
        steps = tuple(step for _, step in self.steps)
        return replace(self.definition, axes=first + rest, steps=steps, earlier=self.earlier)


@dataclass(frozen=True, slots=True)
class _Edge:
    """A definition reads what another writes, perhaps."""

    reader: _Member
    writer: _Member
    access: _Access


@dataclass(slots=True)
class _Ordering:
    """Puts definitions in order; the cases of a name share their steps if they are `together`."""

    sizes: Mapping[str, Integer]
    together: bool
    names: dict[str, int] = field(default_factory=dict)

    def of(self, members: Sequence[_Member], level: int) -> Iterator[_Member]:
        """Some definitions in order, those of a cycle step by step."""
        edges = self.edges(members, same_only=bool(level))
        needs: dict[int, set[int]] = {member.number: set() for member in members}
        for edge in edges:
            needs[edge.reader.number].add(edge.writer.number)
        by_number = {member.number: member for member in members}
        if self.together and not level:
            self.join(by_number, needs)
        for component in strong_components(tuple(by_number), needs):
            chosen = [by_number[number] for number in sorted(component)]
            if len(chosen) > 1 or component[0] in needs[component[0]]:
                own = [e for e in edges if {e.reader.number, e.writer.number} <= set(component)]
                yield from self.stepwise(chosen, own, level)
            else:
                yield chosen[0]

    def join(self, members: Mapping[int, _Member], needs: dict[int, set[int]]) -> None:
        """Let the cases of a name that are computed stepwise need each other."""
        cases: dict[str, list[int]] = {}
        for component in strong_components(tuple(members), needs):
            for number in component:
                if len(component) > 1 or number in needs[number]:
                    cases.setdefault(members[number].definition.name, []).append(number)
        for numbers in cases.values():
            for number, following in pairwise((*numbers, numbers[0])):
                needs[number].add(following)

    def edges(self, members: Sequence[_Member], *, same_only: bool) -> list[_Edge]:
        """Who may read what whom has written; once there are steps, at the same step."""
        found: list[_Edge] = []
        tensors = {member.definition.name for member in members}
        for reader in members:
            for access in reader.accesses(tensors):
                for writer in members:
                    if writer.definition.name != access.tensor:
                        continue
                    levels = range(len(reader.steps)) if same_only else ()
                    ways = {_way(reader, writer, access, level) for level in levels}
                    if ways & {"before", "after", "never", "in data"}:
                        continue
                    if not self.apart(reader, writer, access):
                        found.append(_Edge(reader, writer, access))
        return found

    def apart(self, reader: _Member, writer: _Member, access: _Access) -> bool:
        """Whether a read is certain not to be of what a definition writes."""
        ranges = _ranges(reader, access.loops)
        targets = _ranges(writer, writer.definition.axes)
        written = tuple(part.substitute(writer.common) for part in writer.definition.target)
        return are_apart(access.place, ranges, written, targets, self.sizes)

    # ── steps ────────────────────────────────────────────────────────────────────────────────

    def stepwise(self, members: list[_Member], edges: list[_Edge], level: int) -> Iterator[_Member]:
        """A cycle of definitions, along the first index that orders it."""
        taken = {name for member in members for name, _ in member.steps}
        first = members[0]
        mismatch: Diagnostic | None = None
        for loop in first.definition.axes:
            if loop.index in taken:
                continue
            for axis in _axes_of(first.definition, loop.index):
                loops = self.step_loops(members, edges, first, axis)
                if loops is None or not self.outermost(members, loops):
                    continue
                differs = self.mismatch(members, loops)
                mismatch = mismatch or differs
                stepped = None if differs else self.with_step(members, edges, loops)
                if stepped is not None:
                    yield from self.of(stepped, level + 1)
                    return
        names = [m.definition.name for m in members if not m.definition.auxiliary]
        name, spans = (names or ["~"])[0], tuple(dict.fromkeys(e.access.span for e in edges))
        if not any(member.definition.axes for member in members):
            circle = tuple(dict.fromkeys(names))
            raise _Unordered(recurrence_errors.in_a_circle(circle, first.definition.span, spans))
        raise _Unordered(
            mismatch or recurrence_errors.no_order(name, first.definition.span, spans[:3])
        )

    def step_loops(
        self, members: list[_Member], edges: list[_Edge], first: _Member, axis: int
    ) -> dict[int, str] | None:
        """The loop of every definition that keeps step with an axis of the first: by its reads."""
        axes = {first.definition.name: axis}
        loops: dict[int, str] = {}
        pending = list(members)
        while pending:
            ready = [m for m in pending if m.definition.name in axes]
            ready = ready or [e.reader for e in edges if e.writer.definition.name in axes]
            ready = [m for m in ready if m in pending]
            if not ready:
                return None
            member = ready[0]
            pending.remove(member)
            loop = self.loop_of(member, edges, axes)
            if loop is None:
                return None
            loops[member.number] = loop
            own = _axes_of(member.definition, loop)
            if not own or axes.setdefault(member.definition.name, own[0]) not in own:
                return None
        return loops

    def loop_of(self, member: _Member, edges: list[_Edge], axes: Mapping[str, int]) -> str | None:
        """The loop of a definition that runs along the axis found for it, or for what it reads."""
        own = {loop.index for loop in member.definition.axes}
        if member.definition.name in axes:
            names = member.definition.target[axes[member.definition.name]].indices & own
            return next(iter(names)) if len(names) == 1 else None
        for edge in edges:
            if edge.reader is member and edge.access.tensor in axes:
                names = edge.access.place[axes[edge.access.tensor]].indices & own
                if len(names) == 1:
                    return next(iter(names))
        return None

    def outermost(self, members: list[_Member], loops: Mapping[int, str]) -> bool:
        """Whether the bounds of the loops depend on steps alone."""
        for member in members:
            loop = member.loop(loops[member.number])
            if (loop.lower.indices | loop.upper.indices) - member.common.keys():
                return False
        return True

    def mismatch(self, members: list[_Member], loops: Mapping[int, str]) -> Diagnostic | None:
        """The complaint about loops that do not keep step, if that is so."""
        found: list[tuple[Range, Span]] = []
        for member in members:
            loop = member.loop(loops[member.number])
            lower, upper = (edge.substitute(member.common) for edge in (loop.lower, loop.upper))
            found.append((Range(loop.index, lower, upper), member.definition.span))
        first, span = found[0]
        for other, there in found[1:]:
            if (other.lower, other.upper) != (first.lower, first.upper):
                return recurrence_errors.different_ranges(first, other, (span, there))
        return None

    def with_step(
        self, members: list[_Member], edges: list[_Edge], loops: Mapping[int, str]
    ) -> list[_Member] | None:
        """The definitions with one step more, if all of them look only one way along it."""
        ways: set[Distance] = set()
        checks: dict[int, list[tuple[Integer, _Access]]] = {}
        level = len(members[0].steps)
        stem = members[0].definition.name.lstrip("~")
        count = self.names[stem] = self.names.get(stem, 0) + 1
        step = Step(f"{stem}.steps" if count == 1 else f"{stem}.steps{count}")
        stepped = {m.number: replace(m, steps=(*m.steps, (loops[m.number], step))) for m in members}
        for edge in edges:
            reader, writer = stepped[edge.reader.number], stepped[edge.writer.number]
            access = edge.access.in_steps(reader.common)
            way = _way(reader, writer, access, level)
            if way == "unknown":
                return None
            if way == "never":
                continue
            if way == "in data":
                place = _steps_of(writer, access, level)[0]
                checks.setdefault(reader.number, []).append((place, access))
            ways.add(way)
        if (ways & _EARLIER and ways & _LATER) or ways <= {"same"}:
            return None
        backward = bool(ways & _LATER)
        return [_checked(stepped[m.number], backward, checks.get(m.number, ())) for m in members]


def _way(reader: _Member, writer: _Member, access: _Access, level: int) -> Distance:
    """When what is read was written, in terms of one of the steps that are shared.

    A step that is on several axes (`L[j, j]`) is known by any of them.
    """
    ways = {_way_at(place, reader, access, level) for place in _steps_of(writer, access, level)}
    if ways >= {"before", "after"} or ("same" in ways and ways & {"before", "after"}):
        return "never"
    for way in _DEFINITE:
        if way in ways:
            return way
    return "unknown"


def _way_at(place: Integer, reader: _Member, access: _Access, level: int) -> Distance:
    """When the step at a place was, seen from the reader's."""
    ranges = _ranges(reader, access.loops)
    for inner, (name, _) in enumerate(reader.steps):
        if inner > level:  # a loop like any other, seen from here
            loop = reader.loop(name)
            edges = (edge.substitute(reader.common) for edge in (loop.lower, loop.upper))
            ranges[f"#{inner}"] = Range(f"#{inner}", *edges)
    if any(isinstance(part, Entry) for part in place.atoms()):
        return "in data"
    step = index(f"#{level}")
    high, low = greatest(place, ranges, {}) - step, least(place, ranges, {}) - step
    if high.value == low.value == 0:
        return "same"
    if nonnegative(-high):
        return "before" if nonnegative(-high - 1) else "not after"
    if nonnegative(low):
        return "after" if nonnegative(low - 1) else "not before"
    return "unknown"


def _ranges(member: _Member, loops: Sequence[Range]) -> dict[str, Range]:
    """Loops that are no steps, with bounds in the names that definitions have in common."""
    common = member.common
    return {
        loop.index: Range(loop.index, loop.lower.substitute(common), loop.upper.substitute(common))
        for loop in loops
        if loop.index not in common
    }


def _steps_of(writer: _Member, access: _Access, level: int) -> tuple[Integer, ...]:
    """The step at which what is read was written, by each axis that has it."""
    name, _ = writer.steps[level]
    axes = _axes_of(writer.definition, name)
    target = writer.definition.target
    return tuple(access.place[axis] - (target[axis] - index(name)) for axis in axes)


def _checked(member: _Member, backward: bool, checks: Sequence[tuple[Integer, _Access]]) -> _Member:
    """The definition with its last step one way, and what is to be looked at in data."""
    (name, step), level = member.steps[-1], len(member.steps) - 1
    steps = (*member.steps[:level], (name, replace(step, backward=backward)))
    own = {f"#{number}": index(name) for number, (name, _) in enumerate(steps)}
    earlier = tuple(
        Earlier(place.substitute(own), index(name), access.loops, backward, span=access.span)
        for place, access in checks
    )
    return replace(member, steps=steps, earlier=member.earlier + earlier)


def _axes_of(definition: Definition, name: str) -> tuple[int, ...]:
    """The axes of the target that a loop alone runs along, at a distance that is fixed."""
    found: list[int] = []
    for axis, place in enumerate(definition.target):
        rest = place - index(name)
        if name in place.indices and not rest.indices and not rest.tensors:
            found.append(axis)
    return tuple(found)


def _plain(place: Integer) -> Integer:
    """A place without the clamps of reads whose value may be selected away."""
    total = constant(0)
    for monomial, coefficient in place.terms:
        product = constant(coefficient)
        for item in monomial:
            product = product * (_plain(item.value) if isinstance(item, Clamp) else atom(item))
        total = total + product
    return total
