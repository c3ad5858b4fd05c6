"""Where values live: registers, arrays, and the places of every lane in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from symopt.loops.program import SAMPLE, Buffer, Kernel, Pass, Storage
from symopt.native.integers import IntegerEmitter
from symopt.native.known import Known
from symopt.native.text import FunctionText, Kind, Value
from symopt.types import Integer, constant, flat_place, index

_FEW = 8  # elements that are gone through without a loop
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
    _flat: dict[tuple[str, tuple[Integer, ...]], Integer] = field(default_factory=dict)
    inside: bool = False  # a block of samples
    samples: dict[int, Value] = field(default_factory=dict)  # from the block's first, as scalars
    known: Known = field(default_factory=Known)  # elements at hand
    registers: frozenset[str] = frozenset()  # buffers whose elements are only ever at hand
    blocks: int = 1  # in a tile of the pass at hand
    offset: Value | None = None  # of the block at hand in its tile

    def __post_init__(self) -> None:
        dims = {name: Value(f"%dim{k}", "i64") for k, name in enumerate(self.kernel.dims)}
        shapes = {name: buffer.shape for name, buffer in self.kernel.buffers.items()}
        self.bases = dict(self.arguments)
        entries = self.kernel.entries
        self.integers = IntegerEmitter(
            self.text, dims, self.bases, shapes, entries=entries, in_a_row=self._integers_in_a_row
        )

    def open_registers(self) -> None:
        """Slots for buffers of one number and for small arrays; what is given is loaded at once."""
        for name, buffer in self.kernel.buffers.items():
            if (buffer.shape and not buffer.small) or buffer.storage is Storage.TILE:
                continue
            address = self.bases.get(name)
            self.text.lanes = self.kernel.lanes if buffer.by_lane else 1
            count = max(_extent(buffer.shape), 1)
            slot = self.text.alloca(self.slot_kind(buffer), True, count)
            self.text.lanes = 1
            if buffer.storage is Storage.GIVEN and not buffer.integers:
                assert address is not None
                value = self.text.load(address, self.kind(buffer), False)
                self.text.store(self.text.converted(value, self.slot_kind(buffer)), slot)
            if not buffer.integers:
                self.bases[name] = slot

    def close_registers(self) -> None:
        for name, buffer in self.kernel.buffers.items():
            if not buffer.shape and buffer.storage is Storage.OUTPUT:
                value = self.text.load(self.bases[name], self.slot_kind(buffer), False)
                self.text.store(self.text.converted(value, self.kind(buffer)), self.arguments[name])

    def open_block(self, node: Pass, sample: Value, start: Value, upper: Value) -> None:
        """The sample of each lane; lanes beyond the end repeat the last sample, masked out."""
        text = self.text
        text.lanes, self.inside = node.lanes, True
        self.offset = text.operate("sub", sample, start, flags="nsw")
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

    def close_block(self, node: Pass) -> None:
        """Outside the blocks nothing differs by lane."""
        self.mask, self.inside = None, False
        self.samples = {}
        self.text.lanes = 1
        for name in (node.loop.index, _BLOCK, _LAST):
            self.integers.indices.pop(name, None)

    def at_block(self, position: Integer) -> Integer:
        """A position at the first sample of the block."""
        return position.substitute({SAMPLE: index(_BLOCK)})

    def beyond_block(self) -> Integer:
        """How many samples there are after the first of the block."""
        return index(_LAST) - index(_BLOCK)

    @contextmanager
    def at_sample(self, offset: int) -> Iterator[None]:
        """Indices are those of one sample, counted from the first of the block, or of the last."""
        indices, text = self.integers.indices, self.text
        if offset not in self.samples:
            here = text.operate("add", indices[_BLOCK], text.integer(offset), flags="nsw")
            self.samples[offset] = text.intrinsic("llvm.smin", here, indices[_LAST])
        wide, indices[SAMPLE] = indices[SAMPLE], self.samples[offset]
        yield
        indices[SAMPLE] = wide

    def positions(self, buffer: Buffer) -> Iterator[Value]:
        """The place of every element: one after another if they are few, else in a loop."""
        if (buffer.small or not buffer.shape) and _extent(buffer.shape) <= _FEW:
            yield from map(self.text.integer, range(_extent(buffer.shape)))
            return
        total = self.text.integer(1)
        for size in buffer.shape:
            # Of `n - 2` and `m - 3`, both below 0, the product would not be.
            extent = self.text.intrinsic(
                "llvm.smax", self.integers.emit(size), self.text.integer(0)
            )
            total = self.text.operate("mul", total, extent, flags="nsw")
        with self.loop(self.text.integer(0), total) as position:
            yield position

    @contextmanager
    def loop(self, lower: Value, upper: Value, step: int = 1) -> Iterator[Value]:
        """A counted loop: of the elements at hand, those that nothing changes stay so."""

        def fixed(name: str) -> bool:
            return name in self.registers or self.kernel.buffers[name].storage is Storage.GIVEN

        before = self.known.of(fixed)
        self.known = before.of(fixed)
        with self.text.loop(lower, upper, step) as number:
            yield number
        self.known = before

    def position(self, buffer: Buffer, place: tuple[Integer, ...]) -> Integer:
        """The position of an element, its open indices those of loops that are not written out."""
        key = buffer.name, place
        if key not in self._flat:
            self._flat[key] = flat_place(place, buffer.shape)
        return self.integers.closed(self._flat[key])

    def kind(self, buffer: Buffer) -> Kind:
        """What the elements of a buffer are, in memory that is passed."""
        if buffer.integers:
            return "i64"
        return "float" if self.kernel.is_single(buffer.name) else "double"

    def slot_kind(self, buffer: Buffer) -> Kind:
        """What the elements of a buffer are that is used: a single number is always a double."""
        alone = not buffer.shape and buffer.storage not in (Storage.LOCAL, Storage.TILE)
        return "double" if alone and not buffer.integers else self.kind(buffer)

    def held(self, name: str, place: tuple[Integer, ...], lane: int | None) -> Value:
        """An element, or what one lane's element holds, with all its digits."""
        return self._element(name, place) if lane is None else self.load_lane(name, place, lane)

    def hold(self, name: str, place: tuple[Integer, ...], lane: int | None, value: Value) -> None:
        if lane is None:
            self.store(name, place, value)
        else:
            self.store_lane(name, place, lane, value)

    def load_lane(self, name: str, place: tuple[Integer, ...], lane: int) -> Value:
        """One lane's element."""
        buffer = self.kernel.buffers[name]
        where = self.integers.emit(self.position(buffer, place))
        return self.text.load(self.element(buffer, where, lane), self.slot_kind(buffer), False)

    def store_lane(self, name: str, place: tuple[Integer, ...], lane: int, value: Value) -> None:
        buffer = self.kernel.buffers[name]
        where = self.integers.emit(self.position(buffer, place))
        value = self.text.converted(value, self.slot_kind(buffer))
        self.text.store(value, self.element(buffer, where, lane))
        self.known.forget(name)

    def load(self, name: str, place: tuple[Integer, ...]) -> Value:
        """An element as what real numbers are here; a position as it is."""
        value = self._element(name, place)
        return value if name in self.kernel.positions else self.text.as_real(value)

    def _element(self, name: str, place: tuple[Integer, ...]) -> Value:
        buffer = self.kernel.buffers[name]
        position = self.position(buffer, place)
        if name in self.registers and position.value is None:
            return self._chosen(name, position)
        value = self.known.get(name, position)
        if value is None:
            assert name not in self.registers, f"{name}[{position}] is read before it is set"
            value = self._load(buffer, position)
            self.known.put(name, position, value)
        return value

    def _chosen(self, name: str, position: Integer) -> Value:
        """The register that each lane's position names."""
        text, where = self.text, self.integers.emit(position)
        found = text.widen(text.number(0.0))  # of a buffer without elements
        for count, (number, value) in enumerate(self.known.numbered(name)):
            here = text.compare("icmp eq", where, text.integer(number))
            found = text.select(here, value, found) if count else value
        return found

    def store(self, name: str, place: tuple[Integer, ...], value: Value) -> None:
        buffer = self.kernel.buffers[name]
        position = self.position(buffer, place)
        if buffer.by_lane:
            value = self.text.widen(value)
        if name not in self.kernel.doubles:
            value = self.text.as_real(value)
        if name in self.registers and position.value is None:
            where = self.integers.emit(position)
            for number, before in self.known.numbered(name):
                here = self.text.compare("icmp eq", where, self.text.integer(number))
                self.known.put(name, constant(number), self.text.select(here, value, before))
            return
        if name not in self.registers:
            self._store(buffer, position, value)
            self.known.forget(name, position)
        if buffer.by_lane or value.wide == (SAMPLE in position.indices and not position.tensors):
            self.known.put(name, position, value)

    def set_all(self, buffer: Buffer, value: Value) -> None:
        """Every register of a buffer becomes a value."""
        for number in range(_extent(buffer.shape)):
            self.known.put(buffer.name, constant(number), self.text.widen(value))

    def flush(self, name: str) -> None:
        """Writes the registers of a buffer to its place in memory."""
        buffer = self.kernel.buffers[name]
        for number, value in self.known.numbered(name):
            self._store(buffer, constant(number), value)

    def _integers_in_a_row(self, name: str, places: tuple[Integer, ...]) -> Value | None:
        """The entries of an integer array that belong to the samples at hand, one to each."""
        buffer = self.kernel.buffers[name]
        position = self.integers.closed(flat_place(places, buffer.shape))
        block = self._block(buffer, position)
        if block is None or not self.integers.indices[SAMPLE].wide:  # at one sample of the block
            return None
        known = self.known.get(name, position)
        if known is None:
            known = self._load_block(buffer, block)
            self.known.put(name, position, known)
        return known

    def _load_block(self, buffer: Buffer, rest: Integer) -> Value:
        """What lies in a row for the samples at hand; lanes beyond the end read the last again."""
        assert self.mask is not None
        text, kind = self.text, self.kind(buffer)
        address = self.address(buffer, self.integers.emit(rest + index(_LAST)))
        last = text.load(address, kind, False)
        pointer = self.address(buffer, self.integers.emit(rest + index(_BLOCK)))
        return text.load_block(pointer, kind, self.mask, last)

    def _load(self, buffer: Buffer, position: Integer) -> Value:
        text = self.text
        block = self._block(buffer, position)
        if block is not None:
            return self._load_block(buffer, block)
        where, kind = self.integers.emit(position), self.slot_kind(buffer)
        if not where.wide or text.lanes == 1:
            value = text.load(self.address(buffer, where), kind, buffer.by_lane)
            return Value(value.text, value.kind, buffer.by_lane or where.wide)
        parts = [
            text.load(self.element(buffer, where, lane), kind, False) for lane in range(text.lanes)
        ]
        return text.from_lanes(parts)

    def _store(self, buffer: Buffer, position: Integer, value: Value) -> None:
        text = self.text
        value = text.converted(value, self.slot_kind(buffer))
        block = self._block(buffer, position)
        if block is not None:
            assert self.mask is not None
            pointer = self.address(buffer, self.integers.emit(block + index(_BLOCK)))
            text.store_block(text.widen(value), pointer, self.mask)
            return
        where = self.integers.emit(position)
        if text.lanes == 1 or (buffer.by_lane and not where.wide):
            text.store(value, self.address(buffer, where))
            return
        if not where.wide:
            text.store(text.lane(value, 0), self.address(buffer, where))
            return
        # Lanes beyond the end write the last sample's value once more.
        for lane in range(text.lanes):
            text.store(text.lane(value, lane), self.element(buffer, where, lane))

    def _block(self, buffer: Buffer, position: Integer) -> Integer | None:
        """What is left of the position, less the sample, where samples lie one after another."""
        if self.mask is None or buffer.by_lane:
            return None
        rest = position - index(SAMPLE)
        return None if SAMPLE in rest.indices else rest

    def matrix(self, name: str, first: tuple[Integer, ...]) -> Matrix:
        """A matrix that begins at a place."""
        buffer = self.kernel.buffers[name]
        position = self.integers.emit(self.position(buffer, first))
        return Matrix(self, buffer, position)

    def spot(self, buffer: Buffer, *place: Integer) -> str:
        """The address of an element whose place is the same for all lanes."""
        if not buffer.shape and buffer.storage is not Storage.TILE:
            return self.bases[buffer.name]
        return self.address(buffer, self.integers.flat(place, buffer.shape))

    def address(self, buffer: Buffer, position: Value) -> str:
        """The address of an element whose position is the same for all lanes."""
        base, kind = self.bases[buffer.name], self.slot_kind(buffer)
        if buffer.storage is not Storage.TILE:
            stride = self.text.lanes if buffer.by_lane else 1
            return self.text.element(base, position, kind=kind, stride=stride)
        assert self.offset is not None
        here = self.text.element(base, self.offset, kind=kind)
        return self.text.element(here, position, kind=kind, stride=self.text.lanes * self.blocks)

    def element(self, buffer: Buffer, position: Value, lane: int) -> str:
        """The address of one lane's element."""
        text = self.text
        start = self.address(buffer, text.lane(position, lane))
        if not buffer.by_lane:
            return start
        return text.element(start, text.integer(lane), kind=self.slot_kind(buffer))


@dataclass(frozen=True, slots=True)
class Matrix:
    """Where a matrix is that is taken as a whole, or one of every lane."""

    memory: Memory
    buffer: Buffer
    first: Value

    @property
    def kind(self) -> Kind:
        """What its elements are."""
        return self.memory.slot_kind(self.buffer)

    @property
    def by_lane(self) -> bool:
        """Whether the lanes' matrices lie interleaved."""
        return self.buffer.by_lane and not self.first.wide

    @property
    def wide(self) -> bool:
        """Whether every lane has one of its own."""
        return self.buffer.by_lane or self.first.wide

    @property
    def stride(self) -> int:
        """How far apart elements are."""
        if not self.buffer.by_lane:
            return 1
        tile = self.buffer.storage is Storage.TILE
        return self.memory.text.lanes * (self.memory.blocks if tile else 1)

    def address(self, lane: int) -> str:
        """That of the first element of one lane's matrix."""
        if self.wide:
            return self.memory.element(self.buffer, self.first, lane)
        return self.memory.address(self.buffer, self.first)


def _extent(shape: tuple[Integer, ...]) -> int:
    """How many elements a shape of known extent has."""
    count = constant(1)
    for size in shape:
        count = count * size
    assert count.value is not None
    return max(count.value, 0)
