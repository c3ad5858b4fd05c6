"""Where values live: registers, arrays, and the places of every lane in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from symopt.derive.forward import flat_place
from symopt.loops.program import Buffer, Kernel, Pass, Storage
from symopt.loops.schedule import SAMPLE
from symopt.native.integers import IntegerEmitter
from symopt.native.text import FunctionText, Value
from symopt.types import Integer, index

_BLOCK, _LAST = "sample.block", "sample.last"  # the first sample of the lanes; the last of all


@dataclass(slots=True)
class Memory:
    """Loads and stores of one function.

    `mask` says, in a pass with lanes, which of them are samples: those beyond the end repeat the
    last sample, so that everything they read is there.
    """

    text: FunctionText
    kernel: Kernel
    arguments: Mapping[str, str]  # addresses of buffers, as they are passed
    integers: IntegerEmitter = field(init=False)
    bases: dict[str, str] = field(init=False)  # addresses of arrays; slots of registers
    mask: Value | None = None

    def __post_init__(self) -> None:
        dims = {name: Value(f"%dim{k}", "i64") for k, name in enumerate(self.kernel.dims)}
        shapes = {name: buffer.shape for name, buffer in self.kernel.buffers.items()}
        self.bases = dict(self.arguments)
        self.integers = IntegerEmitter(self.text, dims, self.bases, shapes)

    def open_registers(self) -> None:
        """Slots for buffers of one number and for small arrays; what is given is loaded at once."""
        for name, buffer in self.kernel.buffers.items():
            if buffer.shape and not buffer.small:
                continue
            address = self.bases.get(name)
            self.text.lanes = self.kernel.lanes if buffer.by_lane else 1
            count = max(_extent(buffer.shape), 1)
            slot = self.text.alloca("i64" if buffer.integers else "double", True, count)
            self.text.lanes = 1
            if buffer.storage is Storage.GIVEN and not buffer.integers:
                assert address is not None
                self.text.store(self.text.load(address, "double", False), slot)
            if not buffer.integers:
                self.bases[name] = slot

    def close_registers(self) -> None:
        for name, buffer in self.kernel.buffers.items():
            if not buffer.shape and buffer.storage is Storage.OUTPUT:
                value = self.text.load(self.bases[name], "double", False)
                self.text.store(value, self.arguments[name])

    def open_lanes(self, node: Pass, sample: Value, upper: Value) -> None:
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
        self.integers.indices[_BLOCK] = sample
        self.integers.indices[_LAST] = last

    def close_lanes(self, node: Pass) -> None:
        """The pass is over: nothing differs by lane."""
        self.mask = None
        self.text.lanes = 1
        for name in (node.loop.index, _BLOCK, _LAST):
            self.integers.indices.pop(name, None)

    def positions(self, buffer: Buffer) -> Iterator[Value]:
        """The place of every element: one after another if they are few, else in a loop."""
        if buffer.small or not buffer.shape:
            yield from map(self.text.integer, range(_extent(buffer.shape)))
            return
        total = self.text.integer(1)
        for size in buffer.shape:
            # Of `n - 2` and `m - 3`, both below 0, the product would not be.
            extent = self.text.intrinsic(
                "llvm.smax", self.integers.emit(size), self.text.integer(0)
            )
            total = self.text.operate("mul", total, extent, flags="nsw")
        with self.text.loop(self.text.integer(0), total) as position:
            yield position

    def held(self, name: str, place: tuple[Integer, ...], lane: int | None) -> Value:
        """An element, or what one lane's element holds."""
        if lane is None:
            return self.load(name, place)
        return self.text.load(self.element(self.kernel.buffers[name], place, lane), "double", False)

    def hold(self, name: str, place: tuple[Integer, ...], lane: int | None, value: Value) -> None:
        if lane is None:
            self.store(name, place, value)
        else:
            self.text.store(value, self.element(self.kernel.buffers[name], place, lane))

    def load(self, name: str, place: tuple[Integer, ...]) -> Value:
        text = self.text
        buffer = self.kernel.buffers[name]
        if not buffer.shape:
            return text.load(self.bases[name], "double", buffer.by_lane)
        block = self._block(buffer, place)
        if block is not None:
            # Lanes beyond the end read the last sample once more.
            assert self.mask is not None
            address = self.address(buffer, self.integers.emit(block + index(_LAST)))
            last = text.load(address, "double", False)
            pointer = self.address(buffer, self.integers.emit(block + index(_BLOCK)))
            return text.load_block(pointer, "double", self.mask, last)
        position = self.integers.flat(place, buffer.shape)
        if not position.wide or text.lanes == 1:
            value = text.load(self.address(buffer, position), "double", buffer.by_lane)
            return Value(value.text, value.kind, buffer.by_lane or position.wide)
        parts = [
            text.load(self.element(buffer, place, lane, position), "double", False)
            for lane in range(text.lanes)
        ]
        return text.from_lanes(parts)

    def store(self, name: str, place: tuple[Integer, ...], value: Value) -> None:
        text = self.text
        buffer = self.kernel.buffers[name]
        if not buffer.shape:
            text.store(text.widen(value) if buffer.by_lane else value, self.bases[name])
            return
        block = self._block(buffer, place)
        if block is not None:
            assert self.mask is not None
            pointer = self.address(buffer, self.integers.emit(block + index(_BLOCK)))
            text.store_block(text.widen(value), pointer, self.mask)
            return
        position = self.integers.flat(place, buffer.shape)
        if text.lanes == 1 or (buffer.by_lane and not position.wide):
            stored = text.widen(value) if buffer.by_lane else value
            text.store(stored, self.address(buffer, position))
            return
        if not position.wide:
            text.store(text.lane(value, 0), self.address(buffer, position))
            return
        # Lanes beyond the end write the last sample's value once more.
        for lane in range(text.lanes):
            address = self.element(buffer, place, lane, position)
            text.store(text.lane(value, lane), address)

    def _block(self, buffer: Buffer, place: tuple[Integer, ...]) -> Integer | None:
        """What is left of the position, less the sample, where samples lie one after another."""
        if self.mask is None or buffer.by_lane:
            return None
        rest = flat_place(place, buffer.shape).substitute(self.integers.fixed) - index(SAMPLE)
        return None if SAMPLE in rest.indices else rest

    def address(self, buffer: Buffer, position: Value) -> str:
        """The address of an element whose place is the same for all lanes."""
        stride = self.text.lanes if buffer.by_lane else 1
        return self.text.element(self.bases[buffer.name], position, stride=stride)

    def element(
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
        if not buffer.by_lane or text.lanes == 1:
            return text.element(self.bases[buffer.name], here)
        scaled = text.operate("mul", here, text.integer(text.lanes), flags="nsw")
        offset = text.operate("add", scaled, text.integer(lane), flags="nsw")
        return text.element(self.bases[buffer.name], offset)


def _extent(shape: tuple[Integer, ...]) -> int:
    """How many elements a shape of known sizes has."""
    count = 1
    for size in shape:
        assert size.value is not None
        count *= max(size.value, 0)
    return count
