"""Kernels whose values are floats, and what of them stays in double precision.

Sums of many terms would lose the digits that a float has, and positions above 2^24 are none: they
are kept in doubles. The rest of memory holds floats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from symopt.loops.program import (
    SAMPLE,
    Buffer,
    Collect,
    Fill,
    Kernel,
    Node,
    Part,
    Pass,
    Phase,
    Rows,
    Steps,
    Storage,
    Update,
    with_names,
)
from symopt.statements.program import read_of
from symopt.types import Range, constant, index

_BLOCKS = 32  # of a tile where nothing else asks for one: so many terms are added as floats


def in_single(kernel: Kernel, numbers: frozenset[str]) -> Kernel:
    """The kernel with its values as floats; outputs that are `numbers` stay doubles."""
    kernel = replace(kernel, nodes=tuple(map(_in_tiles, kernel.nodes)))
    gathered = _gathered(kernel)
    kernel = _aside(kernel, gathered)
    partial = {b.name for b in kernel.buffers.values() if b.storage is Storage.PARTIAL}
    sums = {_aside_name(name) if _is_output(kernel, name) else name for name in gathered}
    positions = _positions(kernel)
    return replace(
        kernel,
        single=True,
        positions=positions,
        doubles=frozenset(partial | sums | numbers) | positions,
        numbers=numbers,
    )


def _in_tiles(node: Node) -> Node:
    """Lanes' sums go to doubles tile by tile."""
    if isinstance(node, Pass) and node.blocks is None and node.lanes > 1:
        return replace(node, blocks=_BLOCKS)
    return node


def _updates(kernel: Kernel) -> Iterator[tuple[Update, frozenset[str]]]:
    """Every update, and the indices of what goes on around it."""
    for node in kernel.nodes:
        match node:
            case Pass():
                for phase in node.phases:
                    around = frozenset({SAMPLE, *(loop.index for loop in phase.loops)})
                    for part in (*phase.body, *phase.sums):
                        yield from _inside(part, around)
            case Collect():
                pass
            case _:
                yield from _inside(node, frozenset())


def _inside(part: Part, around: frozenset[str]) -> Iterator[tuple[Update, frozenset[str]]]:
    match part:
        case Update():
            yield part, around
        case Steps():
            for inner in part.body:
                yield from _inside(inner, around | {part.loop.index})
        case Fill() | Rows():
            pass


def _gathered(kernel: Kernel) -> frozenset[str]:
    """The arrays to whose elements many terms are added in memory."""
    found: set[str] = set()
    for update, around in _updates(kernel):
        buffer = kernel.buffers[update.target]
        if update.reduction == "sum" and not update.first and not buffer.by_lane and buffer.shape:
            anywhere = any(part.tensors for part in update.place)
            if anywhere or around - update.seen:
                found.add(update.target)
    return frozenset(found)


def _positions(kernel: Kernel) -> frozenset[str]:
    """The buffers that hold positions of winners, and copies of these."""
    updates = [update for update, _ in _updates(kernel)]
    found = {update.winner.tensor for update in updates if update.winner is not None}
    while True:
        copies = {
            update.target
            for update in updates
            if any(r.symbol == update.expression and r.tensor in found for r in update.reads)
        }
        if copies <= found:
            return frozenset(found)
        found |= copies


def _is_output(kernel: Kernel, name: str) -> bool:
    return kernel.buffers[name].storage is Storage.OUTPUT


def _aside_name(name: str) -> str:
    return f"{name}.sums"


def _aside(kernel: Kernel, gathered: frozenset[str]) -> Kernel:
    """Outputs that gather terms do so in arrays of their own, and are copies of these."""
    outputs = [name for name in kernel.outputs if name in gathered]
    names = {name: _aside_name(name) for name in outputs}
    buffers = dict(kernel.buffers)
    nodes = [_renamed(node, names) for node in kernel.nodes]
    for name, aside in names.items():
        buffer = kernel.buffers[name]
        buffers[aside] = Buffer(aside, buffer.shape, Storage.WORKSPACE)
        loops = tuple(Range(f"axis{k}", constant(0), size) for k, size in enumerate(buffer.shape))
        place = tuple(index(loop.index) for loop in loops)
        read = read_of(aside, place)
        nodes.append(Update(name, place, loops, "=", read.symbol, (read,), first=True))
    return replace(kernel, nodes=tuple(nodes), buffers=buffers)


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    match node:
        case Collect():
            return replace(node, target=names.get(node.target, node.target))
        case Pass():
            return replace(node, phases=tuple(_renamed_phase(one, names) for one in node.phases))
        case Fill() | Update() | Steps():
            found = with_names(node, names)
            assert not isinstance(found, Rows)
            return found


def _renamed_phase(phase: Phase, names: Mapping[str, str]) -> Phase:
    sums = (with_names(update, names) for update in phase.sums)
    return replace(
        phase,
        body=tuple(with_names(part, names) for part in phase.body),
        sums=tuple(update for update in sums if isinstance(update, Update)),
    )
