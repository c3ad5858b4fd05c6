"""Kernels as LLVM IR: one function per kernel, called with a table of addresses and dims.

The entry point takes one pointer: an array of 64-bit slots, first the addresses of
`kernel.arguments`, then the values of `kernel.dims`. Buffers of shape () live in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import assert_never

import sympy

from symopt.loops.program import (
    Buffer,
    Collect,
    Fill,
    Kernel,
    Part,
    Pass,
    Phase,
    Rows,
    Storage,
    Update,
)
from symopt.loops.registers import in_registers
from symopt.loops.work import points, written_out
from symopt.native.maths import COMMON, Cpu
from symopt.native.memory import Memory
from symopt.native.rows import move_rows
from symopt.native.scalars import ScalarEmitter
from symopt.native.text import FLAGS, FunctionText, Value
from symopt.statements.program import IDENTITY, Read
from symopt.types import Integer, Range, constant

_MOST_UNROLLED, _MOST_COPIES = 8, 64  # of one loop; of a body, by all loops around it
ATTRIBUTES = """\
attributes #0 = { nounwind alignstack=64
  "prefer-vector-width"="512" "min-legal-vector-width"="512" }
attributes #1 = { nounwind willreturn memory(none) }
attributes #2 = { nounwind willreturn memory(none) noinline alignstack=64
  "prefer-vector-width"="512" "min-legal-vector-width"="512" }
"""


def emit_module(kernel: Kernel, cpu: Cpu = COMMON) -> str:
    """The IR of one kernel, complete."""
    return _KernelEmitter(kernel, cpu).module()


@dataclass(slots=True)
class _Sums:
    """Registers for sums over samples, by the element that they will be added to."""

    text: FunctionText
    lanes: int
    slots: dict[tuple[str, tuple[Integer, ...]], str] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)

    def slot(self, target: str, place: tuple[Integer, ...]) -> str:
        """The register of an element, which starts at 0."""
        key = target, place
        if key not in self.slots:
            slot = self.slots[key] = self.text.alloca("double", True)
            self.starts.append(f"  store <{self.lanes} x double> zeroinitializer, ptr {slot}")
        return self.slots[key]


def _lots(
    sums: Sequence[Update], registers: int
) -> Iterator[tuple[tuple[Update, ...], tuple[Range, ...]]]:
    """Sums to take together, and loops to run around the blocks for them.

    A rectangle of more elements than there are registers keeps its outer loops; what is left, and
    what is no rectangle, is taken element by element.
    """
    single: list[Update] = []
    for update in sums:
        loops = [loop for loop in update.loops if loop.index in update.seen]
        if any(loop.lower.indices | loop.upper.indices for loop in loops):
            single.append(update)
            continue
        around: list[Range] = []
        while (points(loops) or 0) > registers:
            around.append(loops.pop(0))
        rest = tuple(loop for loop in update.loops if loop not in around)
        if around:
            yield (replace(update, loops=rest),), tuple(around)
        else:
            single.append(update)
    if single:
        yield tuple(single), ()


def _points(loops: Sequence[Range], fixed: Mapping[str, Integer]) -> Iterator[dict[str, Integer]]:
    """The indices at every point of loops of known length."""
    if not loops:
        yield {}
        return
    loop, *rest = loops
    lower, upper = loop.lower.substitute(fixed).value, loop.upper.substitute(fixed).value
    assert lower is not None and upper is not None
    for number in range(lower, upper):
        here = {**fixed, loop.index: constant(number)}
        for point in _points(rest, here):
            yield {loop.index: constant(number), **point}


@dataclass(slots=True)
class _KernelEmitter:
    kernel: Kernel
    cpu: Cpu
    text: FunctionText = field(init=False)
    memory: Memory = field(init=False)
    scalars: ScalarEmitter = field(init=False)
    copies: int = 1  # how often the loops around have been written out
    limit: int = 0  # operations of an update that is written out, in the pass at hand
    written_out: bool = False  # all loops of the update at hand are
    around: frozenset[str] = frozenset()  # indices of the loops around the blocks
    sums: _Sums | None = None  # over samples, of the blocks at hand

    def __post_init__(self) -> None:
        arguments = {name: f"%buffer{k}" for k, name in enumerate(self.kernel.arguments)}
        self.text = FunctionText(1)
        self.memory = Memory(self.text, self.kernel, arguments)
        self.scalars = ScalarEmitter(self.text, self.cpu)

    # ── the module ───────────────────────────────────────────────────────────────────────────

    def module(self) -> str:
        self.memory.open_registers()
        for node in self.kernel.nodes:
            match node:
                case Fill():
                    self._fill(node)
                case Update():
                    self._update(node)
                case Pass():
                    self._pass(node)
                case Collect():
                    self._collect(node)
                case _:
                    assert_never(node)
        self.memory.close_registers()
        parameters = [f"ptr noalias {address}" for address in self.memory.arguments.values()]
        parameters += [f"i64 %dim{k}" for k in range(len(self.kernel.dims))]
        return "\n".join(
            [
                *self.text.declarations.values(),
                *self.text.functions.values(),
                f"define internal void @body({', '.join(parameters)}) alwaysinline #0 {{",
                "entry:",
                *self.text.head,
                *self.text.lines,
                "  ret void",
                "}",
                self._entry(),
                ATTRIBUTES,
            ]
        )

    def _entry(self) -> str:
        """The exported function: loads its arguments from the table."""
        kernel = self.kernel
        kinds = ["ptr"] * len(kernel.arguments) + ["i64"] * len(kernel.dims)
        lines = [f"define void @{kernel.name}(ptr %table) #0 {{"]
        for k, kind in enumerate(kinds):
            lines.append(f"  %s{k} = getelementptr inbounds i64, ptr %table, i64 {k}")
            lines.append(f"  %a{k} = load {kind}, ptr %s{k}, align 8")
        arguments = ", ".join(f"{kind} %a{k}" for k, kind in enumerate(kinds))
        return "\n".join([*lines, f"  call void @body({arguments})", "  ret void", "}"])

    # ── nodes ────────────────────────────────────────────────────────────────────────────────

    def _fill(self, fill: Fill) -> None:
        buffer = self.kernel.buffers[fill.buffer]
        if fill.buffer in self.memory.registers:
            self.memory.set_all(buffer, self.text.number(fill.value))
            return
        lanes = self.text.lanes
        if buffer.storage is Storage.PARTIAL:
            self.text.lanes = self.kernel.lanes
        value = self.text.number(fill.value)
        value = self.text.widen(value) if buffer.by_lane else value
        for position in self.memory.positions(buffer):
            self.text.store(value, self.memory.address(buffer, position))
        self.memory.known.forget(fill.buffer)
        self.text.lanes = lanes

    def _collect(self, node: Collect) -> None:
        """The lanes' sums, added up and to the target."""
        text, partial = self.text, self.kernel.buffers[node.partial]
        target = self.kernel.buffers[node.target]
        text.lanes = self.kernel.lanes
        for position in self.memory.positions(partial):
            lanes = text.load(self.memory.address(partial, position), "double", True)
            address = self.memory.address(target, position)
            now = text.load(address, "double", False)
            text.store(text.operate("fadd", now, text.total(lanes), flags=FLAGS), address)
        self.memory.known.forget(node.target)
        text.lanes = 1

    def _pass(self, node: Pass) -> None:
        text, integers = self.text, self.memory.integers
        lower, upper = integers.emit(node.loop.lower), integers.emit(node.loop.upper)
        self.memory.blocks, self.limit = node.blocks or 1, node.written_out
        if node.blocks is None:
            (phase,) = node.phases
            self._phase(node, phase, lower, upper, upper)
            return
        size = node.lanes * node.blocks
        with self.memory.loop(lower, upper, size) as start:
            beyond = text.operate("add", start, text.integer(size), flags="nsw")
            end = text.intrinsic("llvm.smin", beyond, upper)
            for phase in node.phases:
                self._phase(node, phase, start, end, upper)

    def _phase(self, node: Pass, phase: Phase, start: Value, end: Value, upper: Value) -> None:
        """The blocks from start to end, at every point of the phase's loops."""
        with ExitStack() as around:
            for loop in phase.loops:
                around.enter_context(self._around(loop))
            self._blocks(node, start, end, upper, [partial(self._body, phase)])
            for sums, loops in _lots(phase.sums, node.registers):
                with ExitStack() as further:
                    for loop in loops:
                        further.enter_context(self._around(loop))
                    instances = [one for update in sums for one in self._instances(update)]
                    for first in range(0, len(instances), node.registers):
                        few = instances[first : first + node.registers]
                        self._blocks(node, start, end, upper, few)

    @contextmanager
    def _around(self, loop: Range) -> Iterator[None]:
        """A loop around the blocks."""
        indices, before = self.memory.integers.indices, self.around
        lower, upper = self.memory.integers.emit(loop.lower), self.memory.integers.emit(loop.upper)
        with self.memory.loop(lower, upper) as number:
            indices[loop.index] = number
            self.around = before | {loop.index}
            yield
            del indices[loop.index]
        self.around = before

    def _blocks(
        self,
        node: Pass,
        start: Value,
        end: Value,
        upper: Value,
        body: Iterable[Callable[[], None]],
    ) -> None:
        """The body for every block; its sums over samples are in registers meanwhile."""
        text = self.text
        before = text.reserve()
        self.sums = _Sums(text, node.lanes)
        with self.memory.loop(start, end, node.lanes) as sample:
            self.memory.open_block(node, sample, start, upper)
            for part in body:
                part()
            self.memory.close_block(node)
        sums, self.sums = self.sums, None
        text.lanes = node.lanes
        text.fill_in(before, sums.starts)
        for (target, place), slot in sums.slots.items():
            now = self.memory.load(target, place)
            total = text.operate("fadd", now, text.load(slot, "double", True), flags=FLAGS)
            self.memory.store(target, place, total)
        text.lanes = 1

    def _body(self, phase: Phase) -> None:
        """The body for one block, with what it computes in registers where that is possible."""
        buffers = self.kernel.buffers
        self.memory.registers = kept = in_registers(phase, self.kernel, self.limit)
        for part in phase.body:
            self._part(part)
        for name in sorted(kept):
            if buffers[name].storage is Storage.TILE:
                self.memory.flush(name)
        self.memory.registers = frozenset()

    def _part(self, part: Part) -> None:
        match part:
            case Fill():
                self._fill(part)
            case Update():
                self._update(part)
            case Rows():
                move_rows(self.memory, part)

    def _instances(self, update: Update) -> Iterator[Callable[[], None]]:
        """The update at each point of the loops that its target sees, each on its own."""
        outer = [loop for loop in update.loops if loop.index in update.seen]
        inner = tuple(loop for loop in update.loops if loop.index not in update.seen)
        for point in _points(outer, {}):
            yield partial(self._at, point, replace(update, loops=inner))

    def _at(self, point: Mapping[str, Integer], update: Update) -> None:
        fixed = self.memory.integers.fixed
        fixed.update(point)
        self._update(update)
        for name in point:
            del fixed[name]

    def _update(self, update: Update) -> None:
        """A nest; the loops at its end that the target does not see sum into a register."""
        self.written_out = self.memory.inside and written_out(update, self.limit)
        inner: list[Range] = []
        outer = list(update.loops)
        while outer and outer[-1].index not in update.seen:
            inner.insert(0, outer.pop())
        match update.reduction:
            case "=":
                self._nest(outer, lambda: self._assign(update))
            case "max" | "min":
                self._nest(outer, lambda: self._nest(inner, lambda: self._extremum(update)))
            case _:
                self._nest(outer, lambda: self._accumulate(update, inner))

    def _nest(self, loops: list[Range], body: Callable[[], None]) -> None:
        """The body at every point. Short loops of known length are written out.

        Bounds that differ by lane are not possible in a vector: lanes run in step.
        """
        if not loops:
            body()
            return
        (loop, *rest), integers = loops, self.memory.integers
        first = loop.lower.substitute(integers.fixed).value
        last = loop.upper.substitute(integers.fixed).value
        if first is not None and last is not None and self._short(last - first):
            outer, self.copies = self.copies, self.copies * max(last - first, 1)
            for number in range(first, last):
                integers.fixed[loop.index] = constant(number)
                self._nest(rest, body)
                del integers.fixed[loop.index]
            self.copies = outer
            return
        lower, upper = integers.emit(loop.lower), integers.emit(loop.upper)
        assert self.text.lanes == 1 or not (lower.wide or upper.wide), "ragged lanes"
        with self.memory.loop(lower, upper) as number:
            integers.indices[loop.index] = number
            self._nest(rest, body)
            del integers.indices[loop.index]

    def _short(self, count: int) -> bool:
        few = count <= _MOST_UNROLLED and count * self.copies <= _MOST_COPIES
        return few or self.written_out

    def _assign(self, update: Update) -> None:
        self.memory.store(update.target, update.place, self._value(update))

    def _value(self, update: Update) -> Value:
        return self.scalars.emit(update.expression, self._symbols(update))

    def _symbols(self, update: Update) -> dict[sympy.Symbol, Value]:
        return {read.symbol: self._read(read) for read in update.reads}

    def _accumulate(self, update: Update, inner: list[Range]) -> None:
        """`sum` and `prod`: the inner loops into a register, then into the target."""
        text = self.text
        operation = "fadd" if update.reduction == "sum" else "fmul"
        identity = IDENTITY[update.reduction]
        if inner and self.written_out:
            value = self._written_out(update, inner)
        elif inner:
            wide = self._is_wide(update)
            slot = text.alloca("double", wide)
            start = text.number(identity)
            text.store(text.widen(start) if wide else start, slot)
            self._nest(inner, lambda: self._add_to_slot(update, operation, slot, wide))
            value = text.load(slot, "double", wide)
        elif update.reduction == "sum" and not update.first and self._is_own(update):
            now = self.memory.load(update.target, update.place)
            total = self.scalars.add(now, update.expression, self._symbols(update))
            self.memory.store(update.target, update.place, total)
            return
        else:
            value = self._value(update)
        if update.first:
            self.memory.store(update.target, update.place, value)
        else:
            self._combine(update, operation, value, identity)

    def _is_own(self, update: Update) -> bool:
        """Whether the target holds values of the samples at hand, those of lanes beyond too."""
        return self.kernel.buffers[update.target].of_samples

    def _written_out(self, update: Update, inner: list[Range]) -> Value:
        """The sum or product over loops of known length."""
        total: Value | None = None
        fixed = self.memory.integers.fixed
        for point in _points(inner, fixed):
            fixed.update(point)
            if total is not None and update.reduction == "sum":
                total = self.scalars.add(total, update.expression, self._symbols(update))
            else:
                value = self._value(update)
                total = self.text.operate("fmul", total, value, flags=FLAGS) if total else value
            for name in point:
                del fixed[name]
        return total or self.text.number(IDENTITY[update.reduction])

    def _add_to_slot(self, update: Update, operation: str, slot: str, wide: bool) -> None:
        total = self.text.load(slot, "double", wide)
        value = self.text.operate(operation, total, self._value(update), flags=FLAGS)
        self.text.store(value, slot)

    def _is_wide(self, update: Update) -> bool:
        """Whether the expression differs by lane: it reads a local value or by the sample."""
        for read in update.reads:
            buffer = self.kernel.buffers.get(read.tensor or "")
            if buffer is not None and buffer.by_lane:
                return True
            if any(self._by_lane(place) for place in read.map):
                return True
        return False

    def _by_lane(self, place: Integer) -> bool:
        wide = {name for name, value in self.memory.integers.indices.items() if value.wide}
        return bool(place.indices & wide)

    def _combine(self, update: Update, operation: str, value: Value, identity: float) -> None:
        """`target[place] ⊕= value`, whichever of the two differs by lane."""
        text = self.text
        buffer = self.kernel.buffers[update.target]
        # In their local values, lanes beyond the end are copies of the last sample; anywhere else
        # they count for nothing.
        if self.memory.mask is not None and not buffer.of_samples:
            value = text.select(self.memory.mask, text.widen(value), text.number(identity))
        slot = self._register(buffer, update.place)
        if slot is not None:
            now = text.load(slot, "double", True)
            text.store(text.operate(operation, now, text.widen(value), flags=FLAGS), slot)
        elif text.lanes == 1 or buffer.by_lane or not value.wide:
            now = self.memory.load(update.target, update.place)
            result = text.operate(operation, now, value, flags=FLAGS)
            self.memory.store(update.target, update.place, result)
        else:
            for lane in range(text.lanes):
                now = self.memory.load_lane(update.target, update.place, lane)
                part = text.operate(operation, now, text.lane(value, lane), flags=FLAGS)
                self.memory.store_lane(update.target, update.place, lane, part)

    def _register(self, buffer: Buffer, place: tuple[Integer, ...]) -> str | None:
        """Where a sum over samples is kept while the blocks go by; None if it stays in memory."""
        if self.sums is None or buffer.storage is not Storage.PARTIAL:
            return None
        integers = self.memory.integers
        here = tuple(map(integers.closed, place))
        if any(part.indices - self.around for part in here):
            return None  # at another element from one step of a loop to the next
        return self.sums.slot(buffer.name, here)

    def _extremum(self, update: Update) -> None:
        """`max` and `min`: the best value at the least position wins; nan stays for good."""
        text = self.text
        value = self._value(update)
        position = None
        if update.winner is not None:
            place = self.memory.integers.emit(update.winner.position)
            position = text.convert("sitofp", place, "double")
        if self.kernel.buffers[update.target].by_lane or text.lanes == 1:
            self._improve(update, value, position, None)
        else:
            for lane in range(text.lanes):
                self._improve(update, value, position, lane)

    def _improve(
        self, update: Update, value: Value, position: Value | None, lane: int | None
    ) -> None:
        """Replace the target, and its winner, if a value at a position beats them."""
        text = self.text
        value = value if lane is None else text.lane(value, lane)
        now = self.memory.held(update.target, update.place, lane)
        predicate = "ogt" if update.reduction == "max" else "olt"
        better = text.compare(f"fcmp {predicate}", value, now)
        better = text.operate("or", better, text.compare("fcmp uno", value, value))
        better = text.operate("and", better, text.compare("fcmp ord", now, now))
        before = None
        if update.winner is not None and position is not None:
            position = position if lane is None else text.lane(position, lane)
            before = self.memory.held(update.winner.tensor, update.place, lane)
            better = text.operate("or", better, self._precedes(value, now, position, before))
        if lane is not None and self.memory.mask is not None:
            better = text.operate("and", better, text.lane(self.memory.mask, lane))
        self.memory.hold(update.target, update.place, lane, text.select(better, value, now))
        if update.winner is not None and position is not None and before is not None:
            chosen = text.select(better, position, before)
            self.memory.hold(update.winner.tensor, update.place, lane, chosen)

    def _precedes(self, value: Value, now: Value, position: Value, before: Value) -> Value:
        """Whether one of two equal values comes first: lanes do not run in order of position.

        A winner at -1 is none yet: an infinite value may be all there is.
        """
        text = self.text
        earlier = text.compare("fcmp olt", position, before)
        none = text.compare("fcmp olt", before, text.number(0.0))
        tied = text.compare("fcmp oeq", value, now)
        return text.operate("and", tied, text.operate("or", earlier, none))

    def _read(self, read: Read) -> Value:
        if read.tensor is None:
            return self.text.convert("sitofp", self.memory.integers.emit(read.map[0]), "double")
        return self.memory.load(read.tensor, read.map)
