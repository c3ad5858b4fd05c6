"""Kernels as LLVM IR: one function per kernel, called with a table of addresses and dims.

The entry point takes one pointer: an array of 64-bit slots, first the addresses of
`kernel.arguments`, then the values of `kernel.dims`. Buffers of shape () live in registers.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import assert_never

from symopt.loops.program import Buffer, Fill, Kernel, Pass, Storage, Update
from symopt.native.integers import IntegerEmitter
from symopt.native.scalars import ScalarEmitter
from symopt.native.text import FLAGS, FunctionText, Value
from symopt.statements.program import IDENTITY, Read
from symopt.types import Integer, Range

ATTRIBUTES = """\
attributes #0 = { nounwind alignstack=64
  "prefer-vector-width"="512" "min-legal-vector-width"="512" }
attributes #1 = { nounwind willreturn memory(none) }
"""


def emit_module(kernel: Kernel, *, fma: bool = True) -> str:
    """The IR of one kernel, complete; `fma` says whether the target has fused multiply-add."""
    return _KernelEmitter(kernel, fma).module()


@dataclass(slots=True)
class _KernelEmitter:
    kernel: Kernel
    fma: bool
    text: FunctionText = field(init=False)
    integers: IntegerEmitter = field(init=False)
    scalars: ScalarEmitter = field(init=False)
    bases: dict[str, str] = field(init=False)  # addresses of arrays; slots of registers
    mask: Value | None = None  # in a pass with lanes: which lanes are samples

    def __post_init__(self) -> None:
        kernel = self.kernel
        self.text = FunctionText(1)
        self.bases = {name: f"%buffer{k}" for k, name in enumerate(kernel.arguments)}
        dims = {name: Value(f"%dim{k}", "i64") for k, name in enumerate(kernel.dims)}
        shapes = {name: buffer.shape for name, buffer in kernel.buffers.items()}
        self.integers = IntegerEmitter(self.text, dims, self.bases, shapes)
        self.scalars = ScalarEmitter(self.text, self.fma)

    # ── the module ───────────────────────────────────────────────────────────────────────────

    def module(self) -> str:
        self._open_registers()
        for node in self.kernel.nodes:
            match node:
                case Fill():
                    self._fill(node)
                case Update():
                    self._update(node)
                case Pass():
                    self._pass(node)
                case _:
                    assert_never(node)
        self._close_registers()
        parameters = [f"ptr noalias {self._argument(name)}" for name in self.kernel.arguments]
        parameters += [f"i64 %dim{k}" for k in range(len(self.kernel.dims))]
        return "\n".join(
            [
                *self.text.declarations.values(),
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

    def _argument(self, name: str) -> str:
        return f"%buffer{self.kernel.arguments.index(name)}"

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

    # ── registers ────────────────────────────────────────────────────────────────────────────

    def _open_registers(self) -> None:
        """Slots for buffers of one number; those given are loaded at once."""
        for name, buffer in self.kernel.buffers.items():
            if buffer.shape:
                continue
            address = self.bases.get(name)
            self.text.lanes = self.kernel.lanes if buffer.storage is Storage.LOCAL else 1
            slot = self.text.alloca("i64" if buffer.integers else "double", True)
            self.text.lanes = 1
            if buffer.storage is Storage.GIVEN and not buffer.integers:
                assert address is not None
                self.text.store(self.text.load(address, "double", False), slot)
            if not buffer.integers:
                self.bases[name] = slot

    def _close_registers(self) -> None:
        for name, buffer in self.kernel.buffers.items():
            if not buffer.shape and buffer.storage is Storage.OUTPUT:
                value = self.text.load(self.bases[name], "double", False)
                self.text.store(value, self._argument(name))

    # ── nodes ────────────────────────────────────────────────────────────────────────────────

    def _fill(self, fill: Fill) -> None:
        buffer = self.kernel.buffers[fill.buffer]
        wide = buffer.storage is Storage.LOCAL
        value = self.text.number(fill.value)
        value = self.text.widen(value) if wide else value
        if not buffer.shape:
            self.text.store(value, self.bases[fill.buffer])
            return
        total = self.text.integer(1)
        for size in buffer.shape:
            # Of `n - 2` and `m - 3`, both below 0, the product would not be.
            extent = self.text.intrinsic(
                "llvm.smax", self.integers.emit(size), self.text.integer(0)
            )
            total = self.text.operate("mul", total, extent, flags="nsw")
        with self.text.loop(self.text.integer(0), total) as position:
            self.text.store(value, self._address(buffer, position))

    def _pass(self, node: Pass) -> None:
        text = self.text
        lower, upper = self.integers.emit(node.loop.lower), self.integers.emit(node.loop.upper)
        with text.loop(lower, upper, node.lanes) as sample:
            text.lanes = node.lanes
            self._open_lanes(node, sample, upper)
            for part in node.body:
                match part:
                    case Fill():
                        self._fill(part)
                    case Update():
                        self._update(part)
                    case _:
                        assert_never(part)
            self.mask = None
            text.lanes = 1
            del self.integers.indices[node.loop.index]

    def _open_lanes(self, node: Pass, sample: Value, upper: Value) -> None:
        """The sample of each lane; lanes beyond the end repeat the last sample, masked out."""
        text = self.text
        if node.lanes == 1:
            self.integers.indices[node.loop.index] = Value(sample.text, "i64", True)
            return
        steps = ", ".join(f"i64 {lane}" for lane in range(node.lanes))
        numbers = text.operate("add", text.widen(sample), Value(f"<{steps}>", "i64", True))
        last = text.operate("sub", upper, text.integer(1))
        self.mask = text.compare("icmp slt", numbers, upper)
        self.integers.indices[node.loop.index] = text.intrinsic("llvm.smin", numbers, last)

    def _update(self, update: Update) -> None:
        """A nest; the loops at its end that the target does not see sum into a register."""
        seen = (
            frozenset().union(*(part.indices for part in update.place)) if update.place else set()
        )
        inner: list[Range] = []
        outer = list(update.loops)
        while outer and outer[-1].index not in seen:
            inner.insert(0, outer.pop())
        with ExitStack() as stack:
            self._open_loops(stack, outer)
            if update.reduction == "=":
                value = self._value(update)
                self._store(update.target, update.place, value)
            elif update.reduction in ("max", "min"):
                self._extremum(update, inner)
            else:
                self._accumulate(update, inner)
            self._close_loops(outer)

    def _open_loops(self, stack: ExitStack, loops: list[Range]) -> None:
        """Open nested loops. Bounds that differ by lane are not possible in a vector."""
        for loop in loops:
            lower, upper = self.integers.emit(loop.lower), self.integers.emit(loop.upper)
            assert self.text.lanes == 1 or not (lower.wide or upper.wide), "ragged lanes"
            self.integers.indices[loop.index] = stack.enter_context(self.text.loop(lower, upper))

    def _close_loops(self, loops: list[Range]) -> None:
        for loop in loops:
            del self.integers.indices[loop.index]

    def _value(self, update: Update) -> Value:
        symbols = {read.symbol: self._read(read) for read in update.reads}
        return self.scalars.emit(update.expression, symbols)

    def _accumulate(self, update: Update, inner: list[Range]) -> None:
        """`sum` and `prod`: the inner loops into a register, then into the target."""
        text = self.text
        operation = "fadd" if update.reduction == "sum" else "fmul"
        identity = IDENTITY[update.reduction]
        if inner:
            wide = self._is_wide(update)
            slot = text.alloca("double", wide)
            start = text.number(identity)
            text.store(text.widen(start) if wide else start, slot)
            with ExitStack() as stack:
                self._open_loops(stack, inner)
                total = text.load(slot, "double", wide)
                value = text.operate(operation, total, self._value(update), flags=FLAGS)
                text.store(value, slot)
                self._close_loops(inner)
            value = text.load(slot, "double", wide)
        else:
            value = self._value(update)
        if update.first:
            self._store(update.target, update.place, value)
        else:
            self._combine(update, operation, value, identity)

    def _is_wide(self, update: Update) -> bool:
        """Whether the expression differs by lane: it reads a local value or by the sample."""
        for read in update.reads:
            buffer = self.kernel.buffers.get(read.tensor or "")
            if buffer is not None and buffer.storage is Storage.LOCAL:
                return True
            if any(self._by_lane(place) for place in read.map):
                return True
        return False

    def _by_lane(self, place: Integer) -> bool:
        wide = {name for name, value in self.integers.indices.items() if value.wide}
        return bool(place.indices & wide)

    def _combine(self, update: Update, operation: str, value: Value, identity: float) -> None:
        """`target[place] ⊕= value`, whichever of the two differs by lane."""
        text = self.text
        buffer = self.kernel.buffers[update.target]
        if text.lanes == 1 or buffer.storage is Storage.LOCAL or not value.wide:
            spread = text.lanes > 1 and not value.wide and any(map(self._by_lane, update.place))
            if not spread and not self._repeats(buffer, value):
                now = self._load(update.target, update.place)
                result = text.operate(operation, now, value, flags=FLAGS)
                self._store(update.target, update.place, result)
                return
        value = text.widen(value)
        # In their local values, lanes beyond the end are copies of the last sample.
        if self.mask is not None and buffer.storage is not Storage.LOCAL:
            value = text.select(self.mask, value, text.number(identity))
        for lane in range(text.lanes):
            address = self._element(buffer, update.place, lane)
            now = text.load(address, "double", False)
            part = text.lane(value, lane)
            text.store(text.operate(operation, now, part, flags=FLAGS), address)

    def _repeats(self, buffer: Buffer, value: Value) -> bool:
        """Whether a uniform value inside a pass stands for every lane's sample."""
        return self.mask is not None and buffer.storage is not Storage.LOCAL and not value.wide

    def _extremum(self, update: Update, inner: list[Range]) -> None:
        """`max` and `min`: the best value at the least position wins; nan stays for good."""
        text = self.text
        buffer = self.kernel.buffers[update.target]
        with ExitStack() as stack:
            self._open_loops(stack, inner)
            value = self._value(update)
            position = None
            if update.winner is not None:
                place = self.integers.emit(update.winner.position)
                position = text.convert("sitofp", place, "double")
            if buffer.storage is Storage.LOCAL or text.lanes == 1:
                self._improve(update, value, position, None)
            else:
                for lane in range(text.lanes):
                    self._improve(update, value, position, lane)
            self._close_loops(inner)

    def _improve(
        self, update: Update, value: Value, position: Value | None, lane: int | None
    ) -> None:
        """Replace the target, and its winner, if a value at a position beats them."""
        text = self.text
        value = value if lane is None else text.lane(value, lane)
        now = self._held(update.target, update.place, lane)
        predicate = "ogt" if update.reduction == "max" else "olt"
        better = text.compare(f"fcmp {predicate}", value, now)
        better = text.operate("or", better, text.compare("fcmp uno", value, value))
        better = text.operate("and", better, text.compare("fcmp ord", now, now))
        before = None
        if update.winner is not None and position is not None:
            position = position if lane is None else text.lane(position, lane)
            before = self._held(update.winner.tensor, update.place, lane)
            better = text.operate("or", better, self._precedes(value, now, position, before))
        if lane is not None and self.mask is not None:
            better = text.operate("and", better, text.lane(self.mask, lane))
        self._hold(update.target, update.place, lane, text.select(better, value, now))
        if update.winner is not None and position is not None and before is not None:
            chosen = text.select(better, position, before)
            self._hold(update.winner.tensor, update.place, lane, chosen)

    def _precedes(self, value: Value, now: Value, position: Value, before: Value) -> Value:
        """Whether one of two equal values comes first: lanes do not run in order of position.

        A winner at -1 is none yet: an infinite value may be all there is.
        """
        text = self.text
        earlier = text.compare("fcmp olt", position, before)
        none = text.compare("fcmp olt", before, text.number(0.0))
        tied = text.compare("fcmp oeq", value, now)
        return text.operate("and", tied, text.operate("or", earlier, none))

    def _held(self, name: str, place: tuple[Integer, ...], lane: int | None) -> Value:
        """An element, or what one lane's element holds."""
        if lane is None:
            return self._load(name, place)
        return self.text.load(
            self._element(self.kernel.buffers[name], place, lane), "double", False
        )

    def _hold(self, name: str, place: tuple[Integer, ...], lane: int | None, value: Value) -> None:
        if lane is None:
            self._store(name, place, value)
        else:
            self.text.store(value, self._element(self.kernel.buffers[name], place, lane))

    # ── memory ───────────────────────────────────────────────────────────────────────────────

    def _read(self, read: Read) -> Value:
        if read.tensor is None:
            return self.text.convert("sitofp", self.integers.emit(read.map[0]), "double")
        return self._load(read.tensor, read.map)

    def _load(self, name: str, place: tuple[Integer, ...]) -> Value:
        text = self.text
        buffer = self.kernel.buffers[name]
        wide = buffer.storage is Storage.LOCAL
        if not buffer.shape:
            return text.load(self.bases[name], "double", wide)
        position = self.integers.flat(place, buffer.shape)
        if not position.wide or text.lanes == 1:
            value = text.load(self._address(buffer, position), "double", wide)
            return Value(value.text, value.kind, wide or position.wide)
        parts = [
            text.load(self._element(buffer, place, lane, position), "double", False)
            for lane in range(text.lanes)
        ]
        return text.from_lanes(parts)

    def _store(self, name: str, place: tuple[Integer, ...], value: Value) -> None:
        text = self.text
        buffer = self.kernel.buffers[name]
        wide = buffer.storage is Storage.LOCAL
        if not buffer.shape:
            text.store(text.widen(value) if wide else value, self.bases[name])
            return
        position = self.integers.flat(place, buffer.shape)
        if text.lanes == 1 or (wide and not position.wide):
            text.store(text.widen(value) if wide else value, self._address(buffer, position))
            return
        if not position.wide:
            text.store(text.lane(value, 0), self._address(buffer, position))
            return
        # Lanes beyond the end write the last sample's value once more.
        for lane in range(text.lanes):
            address = self._element(buffer, place, lane, position)
            text.store(text.lane(value, lane), address)

    def _address(self, buffer: Buffer, position: Value) -> str:
        """The address of an element whose place is the same for all lanes."""
        stride = self.text.lanes if buffer.storage is Storage.LOCAL else 1
        return self.text.element(self.bases[buffer.name], position, stride=stride)

    def _element(
        self,
        buffer: Buffer,
        place: tuple[Integer, ...],
        lane: int,
        position: Value | None = None,
    ) -> str:
        """The address of one lane's element."""
        text = self.text
        if not buffer.shape:
            return self.bases[buffer.name]
        position = position or self.integers.flat(place, buffer.shape)
        here = text.lane(position, lane)
        if buffer.storage is not Storage.LOCAL or text.lanes == 1:
            return text.element(self.bases[buffer.name], here)
        scaled = text.operate("mul", here, text.integer(text.lanes), flags="nsw")
        offset = text.operate("add", scaled, text.integer(lane), flags="nsw")
        return text.element(self.bases[buffer.name], offset)
