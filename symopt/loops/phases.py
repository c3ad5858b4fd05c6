"""Phases of a pass: which loops run outside the blocks of a tile, and what shares them.

A short body is written out, block after block. A longer one is split at a loop over something
other than samples, a component or a hidden unit: the loop goes outside, the blocks of the tile
inside, and the sums over samples at one point of the loop stay in registers over the tile. Parts
with equal loops share them as far as their dependencies allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from symopt.loops.program import (
    SAMPLE,
    Buffer,
    Fill,
    Kernel,
    Part,
    Pass,
    Phase,
    Rows,
    Storage,
    Update,
)
from symopt.loops.options import Options
from symopt.loops.rows import RowMoves
from symopt.primitives.record import Constant, Intrinsic, Libm, Primitive
from symopt.statements.expression import postorder
from symopt.types import Integer, Range, constant, index

_WRITTEN_OUT_FOR_FEW = 32  # where the number of samples is compiled in, code counts for more
_CHEAP = 3  # operations of a sum's term that may be worked out in a further round of the blocks
_MOST_BLOCKS, _FEW_BLOCKS = 16, 8  # of a tile
_L1, _L2 = 512, 8192  # vectors that a tile may have in the caches
_MOST_PICKED = 16  # elements among which an index chooses by comparing it with each
_FUNCTION = 20  # operations in an elementary function, about


def in_phases(
    loop: Range,
    body: Sequence[Fill | Update],
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

    moves = RowMoves(loop.index, shape_of)
    many = loop.upper.value is None
    limit = options.written_out if many else min(options.written_out, _WRITTEN_OUT_FOR_FEW)
    items = _items(moves.rewrite(body) if many else body, buffer_of, limit)
    groups = [_Group(loops, tuple(chosen)) for loops, chosen in _grouped(items)]
    phases, held = _finished(
        _with_repeats(groups, items, again, buffer_of), buffer_of, options.registers
    )
    renamed = _claimed(held, buffers)
    only = len(phases) == 1 and not phases[0].loops and not phases[0].sums
    blocks = None if only else _blocks(held)
    phases = [_with_names(phase, renamed) for phase in phases]
    return Pass(loop, options.lanes, blocks, tuple(phases), limit, options.registers)


def in_one_phase(
    loop: Range,
    body: Sequence[Fill | Update],
    templates: Mapping[str, Buffer],
    buffers: dict[str, Buffer],
) -> Pass:
    """The pass that runs a body sample by sample."""
    names = dict.fromkeys(name for part in body for name in touched(part))
    held = [templates[n] for n in names if n in templates and templates[n].of_samples]
    phase = _with_names(Phase((), tuple(body)), _claimed(held, buffers))
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


def _blocks(held: Sequence[Buffer]) -> int:
    """As many blocks in a tile as fit into the first level cache, but a few at least."""
    elements = 0
    for buffer in held:
        if buffer.storage is Storage.TILE:
            elements += points([Range("", constant(0), size) for size in buffer.shape]) or 64
    blocks = _MOST_BLOCKS
    while blocks > 1 and elements * blocks > (_L1 if blocks > _FEW_BLOCKS else _L2):
        blocks //= 2
    return blocks


def _with_names(phase: Phase, names: Mapping[str, str]) -> Phase:
    def of(name: str) -> str:
        return names.get(name, name)

    def moved(part: Part) -> Part:
        match part:
            case Fill():
                return replace(part, buffer=of(part.buffer))
            case Rows():
                return replace(part, array=of(part.array), columns=of(part.columns))
            case Update():
                winner = part.winner
                return replace(
                    part,
                    target=of(part.target),
                    reads=tuple(replace(r, tensor=of(r.tensor) if r.tensor else None) for r in part.reads),
                    winner=replace(winner, tensor=of(winner.tensor)) if winner else None,
                )

    if not names:
        return phase
    sums = tuple(update for update in map(moved, phase.sums) if isinstance(update, Update))
    return replace(phase, body=tuple(map(moved, phase.body)), sums=sums)


# ── counting ─────────────────────────────────────────────────────────────────────────────────


def operations(update: Update) -> int:
    """Roughly how many instructions one point of an update takes."""
    apart = not update.first or any(SAMPLE in part.indices for part in update.place)
    total = 2 if apart and update.place else 1
    for node in postorder(update.expression):
        if isinstance(node, Primitive) and isinstance(node.record.lower, Intrinsic | Libm):
            total += _FUNCTION
        elif node.args:
            total += max(len(node.args) - 1, 1)
    return total


def points(loops: Sequence[Range]) -> int | None:
    """How many points a nest has; about half as many for a triangle; None if not known."""
    total, middle = 1, dict[str, Integer]()
    for loop in loops:
        lower, upper = loop.lower.substitute(middle).value, loop.upper.substitute(middle).value
        if lower is None or upper is None:
            return None
        total *= max(upper - lower, 0)
        middle[loop.index] = constant((lower + upper) // 2)
    return total


def written_out(update: Update, limit: int) -> bool:
    """Whether an update of a block is emitted once for each of its points, without loops."""
    count = points(update.loops)
    return count is not None and count * operations(update) <= limit


def in_registers(
    phase: Phase, kernel: Kernel, limit: int
) -> frozenset[str]:
    """The buffers of samples' values that the body of a phase can keep in registers.

    Those that it sets before anything else, and whose elements are named by number wherever it
    touches them; a few may also be picked by an index that differs from sample to sample.
    """
    buffers, known = kernel.buffers, frozenset(kernel.entries)
    places: dict[str, list[bool]] = {}
    begun: dict[str, bool] = {}
    for part in phase.body:
        match part:
            case Fill(name):
                begun.setdefault(name, True)
            case Rows():
                begun.setdefault(part.columns, not part.write)
                width = points([Range("", constant(0), s) for s in buffers[part.columns].shape])
                places.setdefault(part.columns, []).append(part.written_out(width or 0))
            case Update():
                fixed = frozenset(loop.index for loop in part.loops) if written_out(part, limit) else None
                written = {part.target} | ({part.winner.tensor} if part.winner else set())
                for name in touched(part):
                    begun.setdefault(name, part.first and name in written)
                accesses = [(name, part.place) for name in written]
                accesses += [(read.tensor, read.map) for read in part.reads if read.tensor]
                for name, place in accesses:
                    few = _few(buffers[name])
                    places.setdefault(name, []).append(_numbered(place, fixed, known, few))
                if fixed is None and part.reduction in ("max", "min"):
                    for name in written:  # the best so far goes from step to step in memory
                        places[name].append(False)
    return frozenset(
        name
        for name, set_first in begun.items()
        if set_first
        and buffers[name].of_samples
        and points([Range("", constant(0), size) for size in buffers[name].shape]) is not None
        and all(places.get(name, ()))
    )


def _few(buffer: Buffer) -> bool:
    count = points([Range("", constant(0), size) for size in buffer.shape])
    return count is not None and count <= _MOST_PICKED


def _numbered(
    place: tuple[Integer, ...], fixed: frozenset[str] | None, known: frozenset[str], few: bool
) -> bool:
    """Whether a place is a number once the indices of the loops written out are."""
    if fixed is None:
        return not place
    free = any(part.indices - fixed or part.tensors - known for part in place)
    return not free or (few and any(SAMPLE in part.indices for part in place))


# ── items: what is placed as one ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Item:
    """An update with the fills that it needs, or a move of rows; `loops` go outside the blocks."""

    parts: tuple[Part, ...]
    loops: tuple[Range, ...]
    reads: frozenset[str]
    writes: frozenset[str]

    @property
    def update(self) -> Update | None:
        last = self.parts[-1]
        return last if isinstance(last, Update) else None


def _items(
    parts: Sequence[Part], buffer_of: Callable[[str], Buffer], limit: int
) -> list[_Item]:
    items: list[_Item] = []
    fills: list[Fill] = []
    for part in parts:
        match part:
            case Fill():
                fills.append(part)
            case Rows():
                source, target = part.array, part.columns
                if part.write:
                    source, target = target, source
                items.append(_Item((part,), (), frozenset({source}), frozenset({target})))
            case Update():
                update = _reduced_last(part)
                reads = frozenset(read.tensor for read in part.reads if read.tensor)
                writes = {part.target} | ({part.winner.tensor} if part.winner else set())
                kept = frozenset(n for n in writes if buffer_of(n).storage is not Storage.PARTIAL)
                loops = _outside(update, limit)
                if not _fills_with(update, loops):
                    items += (_Item((f,), (), frozenset(), frozenset({f.buffer})) for f in fills)
                    fills = []
                items.append(_Item((*fills, update), loops, reads, kept))
                fills = []
    assert not fills
    return items


def _fills_with(update: Update, loops: Sequence[Range]) -> bool:
    """Whether each point of the loops has a part of the target that can be filled on its own."""
    plain = {part.index for part in update.place}
    return all(loop.index in plain for loop in loops)


def _reduced_last(update: Update) -> Update:
    """The loops that the target sees before those it is reduced over, where bounds allow."""
    seen = _seen(update)
    kept = [loop for loop in update.loops if loop.index in seen]
    reduced = [loop for loop in update.loops if loop.index not in seen]
    inner = {loop.index for loop in reduced}
    if update.reduction not in ("sum", "=") or any(
        (loop.lower.indices | loop.upper.indices) & inner for loop in kept
    ):
        return update
    return replace(update, loops=(*kept, *reduced))


def _seen(update: Update) -> frozenset[str]:
    return frozenset().union(*(place.indices for place in update.place))


def _outside(update: Update, limit: int) -> tuple[Range, ...]:
    """The loops to run outside the blocks, until the rest is short enough to be written out."""
    total = points(update.loops)
    if total is None:
        return ()
    seen, found = _seen(update), list[Range]()
    work = total * operations(update)
    for loop in update.loops:
        count = points((loop,))
        if work <= limit or loop.index not in seen or not count:
            break
        found.append(loop)
        work //= count
    return tuple(found)


# ── groups: what shares its loops ────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Group:
    """Items that share the loops around the blocks, whose indices are `phase0`, `phase1`, ..."""

    loops: tuple[Range, ...]
    items: tuple[_Item, ...]


def _grouped(items: list[_Item]) -> list[tuple[tuple[Range, ...], list[_Item]]]:
    """Greedily: of the loops that could come next, those that most items can share."""
    needs = _dependencies(items)
    left = list(range(len(items)))
    done: set[int] = set()
    found: list[tuple[tuple[Range, ...], list[_Item]]] = []
    while left:
        ready = [n for n in left if needs[n] <= done]
        best: dict[int, _Item] = {}
        loops: tuple[Range, ...] = ()
        for candidate in dict.fromkeys(_bounds(items[n].loops) for n in ready):
            chosen = _closure(items, left, needs, done, candidate)
            if len(chosen) > len(best):
                best = chosen
                first = next(items[n] for n in ready if _bounds(items[n].loops) == candidate)
                loops = _renamed_loops(first.loops)
        found.append((loops, list(best.values())))
        done |= best.keys()
        left = [n for n in left if n not in done]
    return found


def _dependencies(items: Sequence[_Item]) -> list[set[int]]:
    needs: list[set[int]] = []
    for number, item in enumerate(items):
        touched = item.reads | item.writes
        before = enumerate(items[:number])
        needs.append({n for n, o in before if o.writes & touched or o.reads & item.writes})
    return needs


_Bounds = tuple[tuple[Integer, Integer], ...]


def _bounds(loops: Sequence[Range]) -> _Bounds:
    return tuple((loop.lower, loop.upper) for loop in _renamed_loops(loops))


def _renamed_loops(loops: Sequence[Range]) -> tuple[Range, ...]:
    names = _names(loops)
    return tuple(
        Range(f"phase{n}", loop.lower.substitute(names), loop.upper.substitute(names))
        for n, loop in enumerate(loops)
    )


def _names(loops: Sequence[Range]) -> dict[str, Integer]:
    return {loop.index: index(f"phase{n}") for n, loop in enumerate(loops)}


def _closure(
    items: Sequence[_Item], left: Sequence[int], needs: Sequence[set[int]], done: set[int],
    loops: _Bounds,
) -> dict[int, _Item]:  # fmt: skip
    """The items that can run next inside these loops, with their indices renamed."""
    chosen: dict[int, _Item] = {}
    for number in left:
        if not needs[number] <= done | chosen.keys():
            continue
        moved = _under(items[number], loops)
        if moved is not None and all(
            _pointwise(chosen[n], moved, len(loops)) for n in needs[number] & chosen.keys()
        ):
            chosen[number] = moved
    return chosen


def _under(item: _Item, loops: _Bounds) -> _Item | None:
    """The item inside the loops around the blocks, if they are its own first ones."""
    update, depth = item.update, len(loops)
    if not depth:
        return item if not item.loops else None
    if update is None or len(item.loops) > depth or _bounds(update.loops[:depth]) != loops:
        return None
    shared = update.loops[:depth]
    if any(loop.index not in _seen(update) for loop in shared):
        return None
    if len(item.parts) > 1 and not _fills_with(update, shared):
        return None
    return replace(item, parts=(*item.parts[:-1], _renamed(update, shared)))


def _renamed(update: Update, shared: Sequence[Range]) -> Update:
    names = _names(shared)

    def moved(values: tuple[Integer, ...]) -> tuple[Integer, ...]:
        return tuple(value.substitute(names) for value in values)

    winner = update.winner
    return replace(
        update,
        loops=tuple(
            Range(loop.index, *moved((loop.lower, loop.upper)))
            for loop in update.loops[len(shared) :]
        ),
        place=moved(update.place),
        reads=tuple(replace(read, map=moved(read.map)) for read in update.reads),
        winner=replace(winner, position=moved((winner.position,))[0]) if winner else None,
    )


def _pointwise(before: _Item, after: _Item, depth: int) -> bool:
    """Whether each point of the shared loops needs only what that same point has made."""
    if not depth:
        return True
    first, second = before.update, after.update
    assert first is not None and second is not None
    axes = _phase_axes(first.place, depth)
    if axes is None:
        return False
    if second.target in before.writes and _phase_axes(second.place, depth) != axes:
        return False
    return all(
        _at(read.map, axes) for read in second.reads if (read.tensor or "") in before.writes
    )


def _phase_axes(place: tuple[Integer, ...], depth: int) -> tuple[int, ...] | None:
    """The axis of a place that each of the shared loops indexes, plainly."""
    found: list[int] = []
    for level in range(depth):
        axes = [axis for axis, part in enumerate(place) if part.index == f"phase{level}"]
        if not axes:
            return None
        found.append(axes[0])
    return tuple(found)


def _at(place: tuple[Integer, ...], axes: tuple[int, ...]) -> bool:
    return all(place[axis].index == f"phase{level}" for level, axis in enumerate(axes))


def _with_repeats(
    groups: Sequence[_Group],
    items: Sequence[_Item],
    again: dict[str, str],
    buffer_of: Callable[[str], Buffer],
) -> list[_Group]:
    """The groups, with what is cheap computed again rather than handed from one to the next.

    `again` gains the names that this gives to what is computed again, and what each stands for.
    """
    written = {name for item in items for name in item.writes if item.update is not None}
    writers = Counter(name for item in items for name in item.writes)
    cheap = {
        item.update.target: item
        for item in items
        if item.update is not None
        and len(item.parts) == 1
        and item.update.first
        and writers[item.update.target] == 1
        and buffer_of(item.update.target).of_samples
        and operations(item.update) <= _CHEAP
        and not item.reads & written
    }
    made: set[str] = set()
    found: list[_Group] = []
    for number, group in enumerate(groups):
        repeats: dict[str, _Item] = {}
        for name in dict.fromkeys(name for item in group.items for name in item.reads):
            moved = _under(cheap[name], _bounds(group.loops)) if name in made & cheap.keys() else None
            if moved is not None and all(
                _pointwise(moved, item, len(group.loops))
                for item in group.items
                if name in item.reads
            ):
                repeats[name] = moved
        names = {name: f"{name}.again{number}" for name in repeats}
        again.update({new: name for name, new in names.items()})
        chosen = [_with_item_names(item, names) for item in (*repeats.values(), *group.items)]
        found.append(_Group(group.loops, tuple(chosen)))
        made |= {name for item in group.items for name in item.writes}
    return found


def _with_item_names(item: _Item, names: Mapping[str, str]) -> _Item:
    phase = _with_names(Phase((), item.parts), names)
    return replace(
        item,
        parts=phase.body,
        reads=frozenset(names.get(name, name) for name in item.reads),
        writes=frozenset(names.get(name, name) for name in item.writes),
    )


# ── finishing: sums apart, buffers as small as they can be ───────────────────────────────────


def _finished(
    groups: Sequence[_Group], buffer_of: Callable[[str], Buffer], registers: int
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
    for name, numbers in held.items():
        buffer = buffer_of(name)
        only = phases[numbers[0]] if len(set(numbers)) == 1 else None
        axes = _contracted(only, name) if only else ()
        if axes and only is not None:
            phases[numbers[0]] = _without_axes(only, name, axes)
            kept = tuple(s for axis, s in enumerate(buffer.shape) if axis not in axes)
            buffer = replace(buffer, shape=kept)
        crosses = only is None or any(name in touched(part) for part in only.sums)
        storage = Storage.TILE if crosses else Storage.LOCAL
        buffers.append(replace(buffer, storage=storage))
    shapes = {buffer.name: buffer for buffer in buffers}
    return [_with_slices(phase, shapes) for phase in phases], buffers


def _apart(
    updates: Sequence[Update], buffer_of: Callable[[str], Buffer], registers: int
) -> tuple[Update, ...]:
    """The sums over samples that do not fit into the registers of the body, largest first."""
    counts: dict[int, int] = {}
    for number, update in enumerate(updates):
        if buffer_of(update.target).storage is Storage.PARTIAL:
            seen = _seen(update)
            counts[number] = points([loop for loop in update.loops if loop.index in seen]) or 0
    total = sum(counts.values())
    chosen: set[int] = set()
    for number in sorted(counts, key=lambda n: -counts[n]):
        if total <= registers:
            break
        if operations(updates[number]) <= _CHEAP + 1 and counts[number] > 1:
            chosen.add(number)
            total -= counts[number]
    return tuple(updates[n] for n in sorted(chosen))


def touched(part: Part) -> tuple[str, ...]:
    """The buffers that a part reads or writes."""
    match part:
        case Fill(buffer):
            return (buffer,)
        case Rows():
            return part.array, part.columns
        case Update():
            reads = (read.tensor for read in part.reads if read.tensor)
            return (part.target, *((part.winner.tensor,) if part.winner else ()), *reads)


def _contracted(phase: Phase, name: str) -> tuple[int, ...]:
    """The axes of a buffer that the loops of its only phase index, each in every access."""
    depth = len(phase.loops)
    axes: tuple[int, ...] | None = None
    for place in _places(phase, name):
        here = _phase_axes(place, depth) if axes is None else axes
        if here is None or not place or not _at(place, here):
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
        elif isinstance(part, Rows) and name in (part.array, part.columns):
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
    pending: list[Fill] = []
    for part in phase.body:
        if isinstance(part, Fill):
            pending.append(part)
            continue
        for fill in pending:
            assert isinstance(part, Update)
            body.append(_slice(fill, part, buffers[fill.buffer], len(phase.loops)))
        pending = []
        body.append(part)
    return replace(phase, body=tuple(body))


def _slice(fill: Fill, update: Update, buffer: Buffer, depth: int) -> Part:
    axes = _phase_axes(update.place, depth)
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
