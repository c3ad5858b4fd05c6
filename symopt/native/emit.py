"""Kernels as LLVM IR: one function per kernel, called with a table of addresses and dims.

The entry point takes one pointer: an array of 64-bit slots, first the addresses of
`kernel.arguments`, then the values of `kernel.dims`. Buffers of shape () live in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from string import Template
from typing import assert_never

from symopt.loops.program import (
    Collect,
    Fill,
    Kernel,
    Part,
    Pass,
    Phase,
    Rows,
    Steps,
    Storage,
    Update,
)
from symopt.loops.registers import in_registers
from symopt.native.maths import COMMON, Cpu
from symopt.native.memory import Memory
from symopt.native.rows import move_rows
from symopt.native.scalars import ScalarEmitter
from symopt.native.sums import Sums, lots
from symopt.native.text import FLAGS, FunctionText, Value
from symopt.native.updates import UpdateEmitter, points_of
from symopt.types import Range

_ATTRIBUTES = """\
attributes #0 = { nounwind alignstack=64
  "prefer-vector-width"="512" "min-legal-vector-width"="512" "reciprocal-estimates"="none" $more }
attributes #1 = { nounwind willreturn memory(none) }
attributes #2 = { nounwind willreturn memory(none) noinline alignstack=64
  "prefer-vector-width"="512" "min-legal-vector-width"="512" "reciprocal-estimates"="none" $more }
"""


def emit_module(kernel: Kernel, cpu: Cpu = COMMON, attributes: str = "") -> str:
    """The IR of one kernel, complete.

    More `attributes` of its functions say which processor they are for, where that is not said for
    all of a module.
    """
    return f"{_KernelEmitter(kernel, cpu).module()}\n{attribute_groups(attributes)}"


def attribute_groups(more: str = "") -> str:
    """What is said of functions: #0 kernels, #1 what they call, #2 our own functions of numbers."""
    return Template(_ATTRIBUTES).substitute(more=more)


@dataclass(slots=True)
class _KernelEmitter:
    kernel: Kernel
    cpu: Cpu
    text: FunctionText = field(init=False)
    memory: Memory = field(init=False)
    updates: UpdateEmitter = field(init=False)

    def __post_init__(self) -> None:
        arguments = {name: f"%buffer{k}" for k, name in enumerate(self.kernel.arguments)}
        self.text = FunctionText(1, self.kernel.single)
        self.memory = Memory(self.text, self.kernel, arguments)
        scalars = ScalarEmitter(self.text, self.cpu)
        self.updates = UpdateEmitter(self.text, self.memory, scalars)

    # ── the module ───────────────────────────────────────────────────────────────────────────

    def module(self) -> str:
        self.memory.open_registers()
        for node in self.kernel.nodes:
            match node:
                case Fill():
                    self._fill(node)
                case Update():
                    self.updates.emit(node)
                case Steps():
                    self._steps(node)
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
        value = self.text.converted(self.text.number(fill.value), self.memory.slot_kind(buffer))
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
            source = self.memory.address(partial, position)
            total = text.total(text.load(source, self.memory.slot_kind(partial), True))
            address, kind = self.memory.address(target, position), self.memory.slot_kind(target)
            now = text.load(address, kind, False)
            total = text.operate("fadd", now, total, flags=FLAGS)
            text.store(text.converted(total, kind), address)
        self.memory.known.forget(node.target)
        text.lanes = 1

    def _pass(self, node: Pass) -> None:
        text, integers = self.text, self.memory.integers
        lower, upper = integers.emit(node.loop.lower), integers.emit(node.loop.upper)
        self.memory.blocks, self.updates.limit = node.blocks or 1, node.written_out
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
            for sums, loops in lots(phase.sums, node.registers):
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
        indices, before = self.memory.integers.indices, self.updates.around
        lower, upper = self.memory.integers.emit(loop.lower), self.memory.integers.emit(loop.upper)
        with self.memory.loop(lower, upper) as number:
            indices[loop.index] = number
            self.updates.around = before | {loop.index}
            yield
            del indices[loop.index]
        self.updates.around = before

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
        sums = self.updates.sums = Sums(text, node.lanes)
        with self.memory.loop(start, end, node.lanes) as sample:
            self.memory.open_block(node, sample, start, upper)
            for part in body:
                part()
            self.memory.close_block(node)
        self.updates.sums = None
        text.lanes = node.lanes
        text.fill_in(before, sums.starts)
        for (target, place), slot in sums.slots.items():
            now = self.memory.held(target, place, None)
            total = text.operate("fadd", now, text.load(slot, text.real, True), flags=FLAGS)
            self.memory.store(target, place, total)
        text.lanes = 1

    def _body(self, phase: Phase) -> None:
        """The body for one block, with what it computes in registers where that is possible."""
        buffers = self.kernel.buffers
        self.memory.registers = kept = in_registers(phase, self.kernel, self.updates.limit)
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
                self.updates.emit(part)
            case Steps():
                self._steps(part)
            case Rows():
                move_rows(self.memory, part)

    def _steps(self, steps: Steps) -> None:
        """The body at one point after another."""
        integers, text = self.memory.integers, self.text
        lower, upper = integers.emit(steps.loop.lower), integers.emit(steps.loop.upper)
        with self.memory.loop(lower, upper) as number:
            if steps.backward:
                ends = text.operate("add", lower, upper, flags="nsw")
                last = text.operate("sub", ends, text.integer(1), flags="nsw")
                number = text.operate("sub", last, number, flags="nsw")
            integers.indices[steps.loop.index] = number
            for part in steps.body:
                self._part(part)
            del integers.indices[steps.loop.index]

    def _instances(self, update: Update) -> Iterator[Callable[[], None]]:
        """The update at each point of the loops that its target sees, each on its own."""
        outer = [loop for loop in update.loops if loop.index in update.seen]
        inner = tuple(loop for loop in update.loops if loop.index not in update.seen)
        for point in points_of(outer, {}):
            yield partial(self.updates.emit_at, point, replace(update, loops=inner))
