"""What must hold of every kernel; a violation is our own mistake, never a user's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from symopt.loops.program import (
    Collect,
    Fill,
    Kernel,
    Pass,
    Phase,
    Rows,
    Steps,
    Storage,
    Update,
    updates_of,
)
from symopt.typed.ranges import are_apart
from symopt.types import Integer, Range


def verify(kernel: Kernel) -> Kernel:
    """The kernel itself, if it is well-formed; an AssertionError names what is not."""
    check = _Check(kernel)
    for node in kernel.nodes:
        match node:
            case Fill():
                check.fill(node)
            case Update():
                check.update(node)
            case Steps():
                check.steps(node)
            case Pass():
                check.run(node)
            case Collect():
                check.collect(node)
            case _:
                assert_never(node)
    for name in kernel.outputs:
        assert name in check.ready, f"output {name} is never written"
    return kernel


@dataclass(slots=True)
class _Check:
    """Walks the nodes in execution order."""

    kernel: Kernel
    ready: set[str] = field(default_factory=set)  # buffers with a value
    read: set[str] = field(default_factory=set)  # of the buffers not local, those read so far
    indices: set[str] = field(default_factory=set)  # that run at this point
    inside: Pass | None = None
    fresh: set[str] = field(default_factory=set)  # buffers that nothing filled
    places: set[tuple[str, tuple[Integer, ...]]] = field(default_factory=set)  # written so far
    stepwise: frozenset[str] = frozenset()  # buffers that the steps at hand write
    begun: set[str] = field(default_factory=set)  # buffers the pass at hand has written

    def __post_init__(self) -> None:
        buffers = self.kernel.buffers.values()
        self.ready = {b.name for b in buffers if b.storage is Storage.GIVEN}

    def run(self, node: Pass) -> None:
        assert node.lanes >= 1
        assert node.blocks is None or node.blocks >= 1
        self.bounds(node.loop, "a pass")
        self.inside, self.begun = node, set()
        self.indices.add(node.loop.index)
        read_before = set(self.read)
        for phase in node.phases:
            self.phase(phase, node)
        late = self.begun & read_before
        assert not late, f"{sorted(late)} are written after a node that read them"
        self.no_sideways_reads(node)
        # A later pass starts from nothing: local values are gone.
        self.ready -= {b.name for b in self.kernel.buffers.values() if b.of_samples}
        self.inside = None
        self.indices.discard(node.loop.index)

    def phase(self, phase: Phase, node: Pass) -> None:
        for loop in phase.loops:
            self.bounds(loop, "a phase")
            assert loop.index not in self.indices, f"index {loop.index} runs twice"
            self.indices.add(loop.index)
        for part in phase.body:
            match part:
                case Fill(name):
                    assert self.is_local(name), f"{name} is filled once per sample"
                    self.fill(part)
                case Rows():
                    self.rows(part)
                case Update():
                    self.update(part)
                case Steps():
                    self.steps(part)
        local = {b.name for b in self.kernel.buffers.values() if b.storage is Storage.LOCAL}
        for update in phase.sums:
            assert node.blocks is not None, f"{update.target} needs tiles"
            partial = self.kernel.buffers[update.target].storage is Storage.PARTIAL
            assert partial, f"{update.target} is no sum over samples"
            lost = {read.tensor for read in update.reads} & local
            assert not lost, f"{sorted(map(str, lost))} are gone when {update.target} is summed"
            self.update(update)
        self.ready -= local  # a later phase starts with the first block again
        self.indices -= {loop.index for loop in phase.loops}

    def steps(self, node: Steps, *, inner: bool = False) -> None:
        """Within steps, what they write may be read before: that is what an earlier step wrote."""
        self.bounds(node.loop, "a step")
        assert node.loop.index not in self.indices, f"index {node.loop.index} runs twice"
        self.indices.add(node.loop.index)
        if not inner:
            self.stepwise = node.written
            self.ready |= node.written
        for part in node.body:
            if isinstance(part, Steps):
                self.steps(part, inner=True)
            else:
                self.update(part)
        if not inner:
            self.read |= {name for name in self.stepwise if not self.is_local(name)}
            self.stepwise = frozenset()
        self.indices.discard(node.loop.index)

    def rows(self, node: Rows) -> None:
        array, columns = self.kernel.buffers[node.array], self.kernel.buffers[node.columns]
        assert columns.of_samples and len(columns.shape) == 1, f"{node.columns} cannot hold rows"
        assert not array.by_lane and not array.integers, f"{node.array} has no rows"
        assert len(node.place) < len(array.shape), f"{node.array} has fewer axes"
        self.known(node.place, node.array)
        source, target = node.array, node.columns
        if node.write:
            source, target = target, source
            assert array.storage is not Storage.GIVEN, f"{target} is only read"
        assert source in self.ready, f"{source} is moved before it is set"
        self.ready.add(target)
        self.begun.add(target)

    def collect(self, node: Collect) -> None:
        partial, target = self.kernel.buffers[node.partial], self.kernel.buffers[node.target]
        assert partial.storage is Storage.PARTIAL and not target.by_lane, f"{node} collects wrongly"
        assert partial.shape == target.shape, f"{node.partial} and {node.target} differ in shape"
        assert {node.partial, node.target} <= self.ready, f"{node} adds what has no value"
        assert node.target not in self.read, f"{node.target} is written after it was read"
        self.ready.discard(node.partial)

    def no_sideways_reads(self, node: Pass) -> None:
        """What the pass writes outside itself is read in it only at the sample that wrote it."""
        updates = [update for part in node.body for update in updates_of(part)]
        for part in updates:
            for read in part.reads:
                name = read.tensor or ""
                if name in self.begun and not self.is_local(name):
                    plain = any(place.index == node.loop.index for place in read.map)
                    assert plain, f"{name} is read in the pass that writes it, at another sample"
        fresh = {part.target for part in updates if part.first and not self.is_local(part.target)}
        for part in updates:
            if part.target in fresh:
                plain = any(place.index == node.loop.index for place in part.place)
                assert plain, f"{part.target} is new at each sample, yet written at others"

    def fill(self, node: Fill) -> None:
        name = node.buffer
        assert name in self.kernel.buffers, f"{name} is no buffer"
        assert self.kernel.buffers[name].storage is not Storage.GIVEN, f"{name} is only read"
        assert self.inside or not self.is_local(name), f"{name} is local, and there is no sample"
        assert name not in self.ready, f"{name} is filled over a value"
        self.ready.add(name)
        self.begun.add(name)

    def update(self, node: Update) -> None:
        name = node.target
        for loop in node.loops:
            self.bounds(loop, name)
            assert loop.index not in self.indices, f"{name}: index {loop.index} runs twice"
            self.indices.add(loop.index)
        self.element(name, node.place, name)
        self.reads(node)
        self.writes(node)
        self.indices -= {loop.index for loop in node.loops}

    def reads(self, node: Update) -> None:
        symbols = {read.symbol for read in node.reads}
        unknown = node.expression.free_symbols - symbols
        assert not unknown, f"{node.target}: {unknown} stand for nothing"
        for read in node.reads:
            if read.tensor is None:
                self.known(read.map, node.target)
                continue
            self.element(read.tensor, read.map, node.target)
            assert read.tensor in self.ready, f"{node.target} reads {read.tensor} before it is set"
            # Steps written out, and cases, read other elements of their target than they write.
            own = read.tensor in self.stepwise or (
                read.tensor == node.target and _is_elsewhere(read.map, node)
            )
            assert own or read.tensor != node.target, f"{node.target} reads itself"
            if not own and not self.is_local(read.tensor):
                self.read.add(read.tensor)

    def writes(self, node: Update) -> None:
        targets = [node.target] + ([node.winner.tensor] if node.winner else [])
        for name in targets:
            storage = self.kernel.buffers[name].storage
            assert storage is not Storage.GIVEN, f"{name} is only read"
            assert self.inside or not self.is_local(name), f"{name} is local to no sample"
            assert self.inside or name not in self.read, f"{name} is written after it was read"
            self.begun.add(name)
            if node.first:
                # Steps that are written out have an update for each of their points.
                other = name in self.fresh and (name, node.place) not in self.places
                new = name in self.stepwise or name not in self.ready or other
                assert new, f"{name} is not new when it is first written"
                assert node.reduction not in ("max", "min"), f"{name} needs a start to compare with"
            else:
                assert name in self.ready, f"{name} is combined with nothing"
        self.fresh.update(name for name in targets if node.first and name not in self.ready)
        self.ready.update(targets)
        self.places.update((name, node.place) for name in targets)
        if node.winner is not None:
            self.known((node.winner.position,), node.target)
            self.element(node.winner.tensor, node.place, node.target)

    def element(self, name: str, place: tuple[Integer, ...], where: str) -> None:
        assert name in self.kernel.buffers, f"{where}: {name} is no buffer"
        buffer = self.kernel.buffers[name]
        assert not buffer.integers, f"{where}: {name} holds indices"
        assert len(place) == len(buffer.shape), f"{where}: {name} has {len(buffer.shape)} axes"
        assert self.inside or not buffer.of_samples, f"{where}: {name} is local"
        self.known(place, where)

    def known(self, values: Iterable[Integer], where: str) -> None:
        for value in values:
            unknown = value.indices - self.indices
            assert not unknown, f"{where}: {sorted(unknown)} are not running"
            assert value.dims <= set(self.kernel.dims), f"{where}: {value} needs another dim"
            for name in value.tensors:
                assert self.kernel.buffers[name].integers, f"{where}: {name} is not integer data"

    def bounds(self, loop: Range, where: str) -> None:
        self.known((loop.lower, loop.upper), where)

    def is_local(self, name: str) -> bool:
        return self.kernel.buffers[name].of_samples


def _is_elsewhere(place: tuple[Integer, ...], node: Update) -> bool:
    """Whether a place is no element that an update writes: by range, or by an index array."""
    ranges = {loop.index: loop for loop in node.loops}
    pairs = zip(place, node.place, strict=True)
    return are_apart(place, ranges, node.place, ranges) or any(
        a != b and a.tensors | b.tensors and not a.indices | b.indices for a, b in pairs
    )
