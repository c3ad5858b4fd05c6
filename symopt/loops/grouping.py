"""Parts of a pass that can share loops around the blocks of a tile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from symopt.loops.program import (
    Buffer,
    Fill,
    Part,
    Rows,
    Steps,
    Storage,
    Update,
    touched,
    with_names,
)
from symopt.loops.work import operations, points
from symopt.types import Integer, Range, index

_CHEAP = 3  # operations of what is computed again rather than handed on


@dataclass(frozen=True, slots=True)
class Item:
    """An update with the fills that it needs, or a move of rows; `loops` go outside the blocks."""

    parts: tuple[Part, ...]
    loops: tuple[Range, ...]
    reads: frozenset[str]
    writes: frozenset[str]

    @property
    def update(self) -> Update | None:
        last = self.parts[-1]
        return last if isinstance(last, Update) else None


def items_of(parts: Sequence[Part], buffer_of: Callable[[str], Buffer], limit: int) -> list[Item]:
    items: list[Item] = []
    fills: list[Fill] = []
    for part in parts:
        match part:
            case Fill():
                fills.append(part)
            case Rows():
                source, target = part.array, part.columns
                if part.write:
                    source, target = target, source
                items.append(Item((part,), (), frozenset({source}), frozenset({target})))
            case Steps():
                items += (Item((f,), (), frozenset(), frozenset({f.buffer})) for f in fills)
                fills = []
                items.append(Item((part,), (), frozenset(touched(part)), part.written))
            case Update():
                update = _reduced_last(part)
                reads = frozenset(read.tensor for read in part.reads if read.tensor)
                writes = {part.target} | ({part.winner.tensor} if part.winner else set())
                kept = frozenset(n for n in writes if buffer_of(n).storage is not Storage.PARTIAL)
                loops = _outside(update, limit)
                shape = buffer_of(part.target).shape
                if not (_fills_with(update, loops) and _spans(update, shape)):
                    items += (Item((f,), (), frozenset(), frozenset({f.buffer})) for f in fills)
                    fills = []
                items.append(Item((*fills, update), loops, reads, kept))
                fills = []
    assert not fills
    return items


def _fills_with(update: Update, loops: Sequence[Range]) -> bool:
    """Whether each point of the loops has a part of the target that can be filled on its own."""
    plain = {part.index for part in update.place}
    return all(loop.index in plain for loop in loops)


def _spans(update: Update, shape: tuple[Integer, ...]) -> bool:
    """Whether the loops that index the target run over all of its axes."""
    return all(
        loop.lower.value == 0 and loop.upper == size
        for loop in update.loops
        for part, size in zip(update.place, shape, strict=True)
        if part.index == loop.index
    )


def _reduced_last(update: Update) -> Update:
    """The loops that the target sees before those it is reduced over, where bounds allow."""
    seen = update.seen
    kept = [loop for loop in update.loops if loop.index in seen]
    reduced = [loop for loop in update.loops if loop.index not in seen]
    inner = {loop.index for loop in reduced}
    if update.reduction not in ("sum", "=") or any(
        (loop.lower.indices | loop.upper.indices) & inner for loop in kept
    ):
        return update
    return replace(update, loops=(*kept, *reduced))


def _outside(update: Update, limit: int) -> tuple[Range, ...]:
    """The loops to run outside the blocks, until the rest is short enough to be written out."""
    total = points(update.loops)
    if total is None or update.of_matrix:
        return ()
    seen, found = update.seen, list[Range]()
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
class Group:
    """Items that share the loops around the blocks, whose indices are `phase0`, `phase1`, ..."""

    loops: tuple[Range, ...]
    items: tuple[Item, ...]


def grouped(items: list[Item]) -> list[tuple[tuple[Range, ...], list[Item]]]:
    """Greedily: of the loops that could come next, those that most items can share."""
    needs = _dependencies(items)
    left = list(range(len(items)))
    done: set[int] = set()
    found: list[tuple[tuple[Range, ...], list[Item]]] = []
    while left:
        ready = [n for n in left if needs[n] <= done]
        best: dict[int, Item] = {}
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


def _dependencies(items: Sequence[Item]) -> list[set[int]]:
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
    items: Sequence[Item], left: Sequence[int], needs: Sequence[set[int]], done: set[int],
    loops: _Bounds,
) -> dict[int, Item]:  # fmt: skip
    """The items that can run next inside these loops, with their indices renamed."""
    chosen: dict[int, Item] = {}
    for number in left:
        if not needs[number] <= done | chosen.keys():
            continue
        moved = _under(items[number], loops)
        if moved is not None and all(
            _pointwise(chosen[n], moved, len(loops)) for n in needs[number] & chosen.keys()
        ):
            chosen[number] = moved
    return chosen


def _under(item: Item, loops: _Bounds) -> Item | None:
    """The item inside the loops around the blocks, if they are its own first ones."""
    update, depth = item.update, len(loops)
    if not depth:
        return item if not item.loops else None
    if (
        update is None
        or update.of_matrix
        or len(item.loops) > depth
        or _bounds(update.loops[:depth]) != loops
    ):
        return None
    shared = update.loops[:depth]
    if any(loop.index not in update.seen for loop in shared):
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


def _pointwise(before: Item, after: Item, depth: int) -> bool:
    """Whether each point of the shared loops needs only what that same point has made."""
    if not depth:
        return True
    first, second = before.update, after.update
    assert first is not None and second is not None
    axes = phase_axes(first.place, depth)
    if axes is None:
        return False
    if second.target in before.writes and phase_axes(second.place, depth) != axes:
        return False
    return all(
        is_at(read.map, axes) for read in second.reads if (read.tensor or "") in before.writes
    )


def phase_axes(place: tuple[Integer, ...], depth: int) -> tuple[int, ...] | None:
    """The axis of a place that each of the shared loops indexes, plainly."""
    found: list[int] = []
    for level in range(depth):
        axes = [axis for axis, part in enumerate(place) if part.index == f"phase{level}"]
        if not axes:
            return None
        found.append(axes[0])
    return tuple(found)


def is_at(place: tuple[Integer, ...], axes: tuple[int, ...]) -> bool:
    return all(place[axis].index == f"phase{level}" for level, axis in enumerate(axes))


def with_repeats(
    groups: Sequence[Group],
    items: Sequence[Item],
    again: dict[str, str],
    buffer_of: Callable[[str], Buffer],
) -> list[Group]:
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
        and _is_cheap(item.update)
        and not item.reads & written
    }
    made: set[str] = set()
    found: list[Group] = []
    for number, group in enumerate(groups):
        repeats: dict[str, Item] = {}
        for name in dict.fromkeys(name for item in group.items for name in item.reads):
            moved = (
                _under(cheap[name], _bounds(group.loops)) if name in made & cheap.keys() else None
            )
            if moved is not None and all(
                _pointwise(moved, item, len(group.loops))
                for item in group.items
                if name in item.reads
            ):
                repeats[name] = moved
        names = {name: f"{name}.again{number}" for name in repeats}
        again.update({new: name for name, new in names.items()})
        chosen = [_with_item_names(item, names) for item in (*repeats.values(), *group.items)]
        found.append(Group(group.loops, tuple(chosen)))
        made |= {name for item in group.items for name in item.writes}
    return found


def _is_cheap(update: Update) -> bool:
    """Whether an element takes few operations, all points of a sum counted."""
    count = points([loop for loop in update.loops if loop.index not in update.seen])
    return count is not None and count * operations(update) <= _CHEAP


def _with_item_names(item: Item, names: Mapping[str, str]) -> Item:
    return replace(
        item,
        parts=tuple(with_names(part, names) for part in item.parts),
        reads=frozenset(names.get(name, name) for name in item.reads),
        writes=frozenset(names.get(name, name) for name in item.writes),
    )
