"""Phases of a pass: which loops run outside the blocks of a tile, and what shares them.

A short body is written out, block after block. A longer one is split at a loop over something
other than samples, a component or a hidden unit: the loop goes outside, the blocks of the tile
inside, and the sums over samples at one point of the loop stay in registers over the tile. Parts
with equal loops share them as far as their dependencies allow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from symopt.loops.grouping import Group, grouped, is_at, items_of, phase_axes, with_repeats
from symopt.loops.options import Options
from symopt.loops.program import (
    Buffer,
    Fill,
    Part,
    Pass,
    Phase,
    Rows,
    Steps,
    Storage,
    Update,
    touched,
    with_names,
)
from symopt.loops.rows import RowMoves
from symopt.loops.unrolled import unrolled
from symopt.loops.work import elements, operations, points
from symopt.primitives.record import Constant
from symopt.types import Integer, Range, constant, index

_WRITTEN_OUT_FOR_FEW = 32  # where the number of samples is compiled in, code counts for more
_CHEAP_TERM = 4  # operations of a sum's term that is worked out in further rounds of the blocks
_MOST_BLOCKS, _FEW_BLOCKS = 16, 8  # of a tile
_L1, _L2 = 512, 8192  # vectors that a tile may have in the caches


def in_phases(
    loop: Range,
    body: Sequence[Fill | Update | Steps],
    options: Options,
    templates: Mapping[str, Buffer],
    buffers: dict[str, Buffer],
) -> Pass:
    """The pass that runs a body for every sample; `buffers` gains those that it needs.

    The `templates` of buffers that hold samples' values are as large as they can be.
    """

    again: dict[str, str] = {}

    def buffer_of(name: str) -> Buffer:
        if name in again:
            return replace(buffer_of(again[name]), name=name)
        if name in moves.columns:
            return Buffer(name, (constant(moves.columns[name]),), Storage.LOCAL)
        found = templates.get(name)
        return buffers[name] if found is None else found

    def shape_of(name: str) -> tuple[Integer, ...]:
        buffer = buffer_of(name)
        return () if buffer.by_lane or buffer.integers else buffer.shape

    moves = RowMoves(loop, shape_of)
    many = loop.upper.value is None
    limit = options.written_out if many else min(options.written_out, _WRITTEN_OUT_FOR_FEW)
    body = [written for part in body for written in unrolled(part, limit)]
    items = items_of(moves.rewrite(body) if many else body, buffer_of, limit)
    groups = [Group(loops, tuple(chosen)) for loops, chosen in grouped(items)]
    phases, held = _finished(
        with_repeats(groups, items, again, buffer_of), buffer_of, options.registers
    )
    renamed = _claimed(held, buffers)
    only = len(phases) == 1 and not phases[0].loops and not phases[0].sums
    blocks = None if only else _blocks(held)
    phases = [_renamed(phase, renamed) for phase in phases]
    return Pass(loop, options.lanes, blocks, tuple(phases), limit, options.registers)


def in_one_phase(
    loop: Range,
    body: Sequence[Fill | Update | Steps],
    templates: Mapping[str, Buffer],
    buffers: dict[str, Buffer],
) -> Pass:
    """The pass that runs a body sample by sample."""
    names = dict.fromkeys(name for part in body for name in touched(part))
    held = [templates[n] for n in names if n in templates and templates[n].of_samples]
    phase = _renamed(Phase((), tuple(body)), _claimed(held, buffers))
    return Pass(loop, 1, None, (phase,))


def _claimed(held: Sequence[Buffer], buffers: dict[str, Buffer]) -> dict[str, str]:
    """Adds a pass's buffers of samples' values to those there are; other names where taken."""
    renamed: dict[str, str] = {}
    for buffer in held:
        name = buffer.name
        while name in buffers and buffers[name] != replace(buffer, name=name):
            name = f"{name}'"  # an earlier pass has one of another kind
        buffers[name] = replace(buffer, name=name)
        if name != buffer.name:
            renamed[buffer.name] = name
    return renamed


def _renamed(phase: Phase, names: Mapping[str, str]) -> Phase:
    body = tuple(with_names(part, names) for part in phase.body)
    sums = (with_names(update, names) for update in phase.sums)
    return replace(phase, body=body, sums=tuple(u for u in sums if isinstance(u, Update)))


def _blocks(held: Sequence[Buffer]) -> int:
    """As many blocks in a tile as fit into the first level cache, but a few at least."""
    total = 0
    for buffer in held:
        if buffer.storage is Storage.TILE:
            total += elements(buffer.shape) or 64
    blocks = _MOST_BLOCKS
    while blocks > 1 and total * blocks > (_L1 if blocks > _FEW_BLOCKS else _L2):
        blocks //= 2
    return blocks


def _finished(
    groups: Sequence[Group], buffer_of: Callable[[str], Buffer], registers: int
) -> tuple[list[Phase], list[Buffer]]:
    """The phases, and the buffers of samples' values that they hold."""
    phases: list[Phase] = []
    for group in groups:
        updates = [item.update for item in group.items if item.update is not None]
        sums = _apart(updates, buffer_of, registers)
        aside = {id(update) for update in sums}
        body = tuple(p for item in group.items for p in item.parts if id(p) not in aside)
        phases.append(Phase(group.loops, body, sums))
    held: dict[str, list[int]] = {}
    for number, phase in enumerate(phases):
        for part in (*phase.body, *phase.sums):
            for name in touched(part):
                if buffer_of(name).of_samples:
                    held.setdefault(name, []).append(number)
    buffers: list[Buffer] = []
    contracted: set[str] = set()  # a point of the loops fills all that they have
    for name, numbers in held.items():
        buffer = buffer_of(name)
        only = phases[numbers[0]] if len(set(numbers)) == 1 else None
        axes = _contracted(only, name) if only else ()
        if axes and only is not None:
            phases[numbers[0]] = _without_axes(only, name, axes)
            kept = tuple(s for axis, s in enumerate(buffer.shape) if axis not in axes)
            buffer = replace(buffer, shape=kept)
            contracted.add(name)
        crosses = only is None or any(name in touched(part) for part in only.sums)
        storage = Storage.TILE if crosses else Storage.LOCAL
        buffers.append(replace(buffer, storage=storage))
    shapes = {buffer.name: buffer for buffer in buffers if buffer.name not in contracted}
    return [_with_slices(phase, shapes) for phase in phases], buffers


def _apart(
    updates: Sequence[Update], buffer_of: Callable[[str], Buffer], registers: int
) -> tuple[Update, ...]:
    """The sums over samples that do not fit into the registers of the body, largest first."""
    counts: dict[int, int] = {}
    for number, update in enumerate(updates):
        if buffer_of(update.target).storage is Storage.PARTIAL:
            seen = update.seen
            counts[number] = points([loop for loop in update.loops if loop.index in seen]) or 0
    total = sum(counts.values())
    chosen: set[int] = set()
    for number in sorted(counts, key=lambda n: -counts[n]):
        if total <= registers:
            break
        if operations(updates[number]) <= _CHEAP_TERM and counts[number] > 1:
            chosen.add(number)
            total -= counts[number]
    return tuple(updates[n] for n in sorted(chosen))


def _contracted(phase: Phase, name: str) -> tuple[int, ...]:
    """The axes of a buffer that the loops of its only phase index, each in every access."""
    depth = len(phase.loops)
    axes: tuple[int, ...] | None = None
    for place in _places(phase, name):
        here = phase_axes(place, depth) if axes is None else axes
        if here is None or not place or not is_at(place, here):
            return ()
        axes = here
    return axes or ()


def _places(phase: Phase, name: str) -> list[tuple[Integer, ...]]:
    found: list[tuple[Integer, ...]] = []
    for part in (*phase.body, *phase.sums):
        if isinstance(part, Update):
            if part.winner is not None and name in (part.target, part.winner.tensor):
                found.append(())  # both have one place: they stay as they are
            found += [part.place] if name == part.target else []
            found += [read.map for read in part.reads if read.tensor == name]
        elif isinstance(part, Rows | Steps) and name in touched(part):
            found.append(())
    return found


def _without_axes(phase: Phase, name: str, axes: tuple[int, ...]) -> Phase:
    def kept(place: tuple[Integer, ...]) -> tuple[Integer, ...]:
        return tuple(part for axis, part in enumerate(place) if axis not in axes)

    def smaller(part: Part) -> Part:
        if not isinstance(part, Update):
            return part
        target = part.target == name
        return replace(
            part,
            place=kept(part.place) if target else part.place,
            reads=tuple(
                replace(read, map=kept(read.map)) if read.tensor == name else read
                for read in part.reads
            ),
        )

    body = tuple(smaller(part) for part in phase.body)
    sums = tuple(update for update in map(smaller, phase.sums) if isinstance(update, Update))
    return replace(phase, body=body, sums=sums)


def _with_slices(phase: Phase, buffers: dict[str, Buffer]) -> Phase:
    """With fills of buffers that other phases see only at the point at hand."""
    body: list[Part] = []
    for number, part in enumerate(phase.body):
        if isinstance(part, Fill) and part.buffer in buffers:
            update = _first_writer(phase.body[number + 1 :], part.buffer)
            part = _slice(part, update, buffers[part.buffer], len(phase.loops)) if update else part
        body.append(part)
    return replace(phase, body=tuple(body))


def _first_writer(parts: Sequence[Part], name: str) -> Update | None:
    for part in parts:
        if isinstance(part, Update):
            winner = part.winner.tensor if part.winner else ""
            if name in (part.target, winner):
                return part
    return None


def _slice(fill: Fill, update: Update, buffer: Buffer, depth: int) -> Part:
    axes = phase_axes(update.place, depth)
    if not depth or axes is None or len(buffer.shape) != len(update.place):
        return fill
    loops = tuple(
        Range(f"fill{axis}", constant(0), size)
        for axis, size in enumerate(buffer.shape)
        if axis not in axes
    )
    place = tuple(
        part if axis in axes else index(f"fill{axis}") for axis, part in enumerate(update.place)
    )
    return Update(fill.buffer, place, loops, "=", Constant(fill.value), (), first=True)
