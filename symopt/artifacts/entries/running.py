"""Running a kernel from C: which variant, with which addresses, and what room it needs."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

from symopt.artifacts.entries.body import Body, double
from symopt.artifacts.entries.status import Status
from symopt.artifacts.interface import Entry, Interface, Operand, Part
from symopt.loops.program import Buffer, Kernel, Storage
from symopt.native.text import Value, double_text
from symopt.typed.packing import positions_name
from symopt.typed.program import Param

_ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Variant:
    """Code for one kind of processor: a level of x86-64, or 0 where none is asked for."""

    level: int
    suffix: str


def kernel_symbol(interface: Interface, kernel: str, variant: Variant) -> str:
    """The name of a kernel in the module."""
    return f"{interface.stem}.{kernel}.{variant.suffix}"


@dataclass(slots=True)
class Running:
    """Instructions of one entry that run its kernel."""

    interface: Interface
    variants: tuple[Variant, ...]
    body: Body

    def compute(self, entry: Entry, slots: str) -> None:
        if entry.kernel is not None:
            room = self.room(entry)
            small = self.body.text.compare("icmp slt", Value("%work_size", "i64"), room.total)
            self.body.fail_if(small, Status.WORKSPACE)
            if room.total.text != "0":
                needed = self.body.text.compare("icmp sgt", room.total, self.body.text.integer(0))
                absent = self.body.text.operate("and", self.body.is_null("%work"), needed)
                self.body.fail_if(absent, Status.WORKSPACE)
                room.start = self._aligned("%work")
            places = self._places(entry, room, slots)
            addresses = [places[name] for name in entry.kernel.arguments]
            self.call(entry.name, entry.kernel, addresses)
            self._pack(entry, room)
        for one in entry.outputs:
            self._fill(one)
        if entry.symmetric:
            matrix, order = entry.outputs[0], self.body.number(entry.outputs[0].matrix[0])
            self.body.text.line(f"call void @mirror(ptr %{matrix.name}, i64 {order.text})")

    def _aligned(self, pointer: str) -> str:
        """A pointer moved to the next cache line."""
        number = self.body.text.assign(f"ptrtoint ptr {pointer} to i64", "i64", False)
        back = self.body.text.operate("sub", self.body.text.integer(0), number)
        ahead = self.body.text.operate("and", back, self.body.text.integer(_ALIGNMENT - 1))
        return self.body.moved(pointer, ahead)

    def call(self, name: str, kernel: Kernel, addresses: list[str]) -> None:
        """Run the variant of a kernel that suits the processor."""
        code = self._variant(name)
        table = self.body.words(len(addresses) + len(kernel.dims))
        for number, address in enumerate(addresses):
            self.body.put(address, table, number)
        for number, dim in enumerate(kernel.dims, len(addresses)):
            size = self.interface.sizes.get(dim)
            value = self.body.integers.dims[dim] if size is None else self.body.text.integer(size)
            self.body.text.store(value, self.body.slot(table, number))
        self.body.text.line(f"call void {code}(ptr {table})")

    def _variant(self, name: str) -> str:
        symbols = [f"@{kernel_symbol(self.interface, name, one)}" for one in self.variants]
        if self.variants[-1].level <= 1:
            return symbols[-1]
        level = self.body.text.assign("call i32 @processor()", "i32", False)
        found = symbols[0]
        for one, symbol in zip(self.variants, symbols, strict=True):
            least = Value(str(one.level), "i32")
            if one == self.variants[0]:
                self.body.fail_if(
                    self.body.text.compare("icmp slt", level, least), Status.PROCESSOR
                )
                continue
            found = self.body.chosen(
                self.body.text.compare("icmp sge", level, least), symbol, found
            )
        return found

    def room(self, entry: Entry) -> Room:
        """Where in the workspace everything is that needs room."""
        if entry.kernel is None:
            return Room({}, None, self.body.text.integer(0))
        kernel, used = entry.kernel, self.body.text.integer(0)
        offsets: dict[str, Value] = {}
        for name in kernel.arguments:
            if self._needs_room(entry, name):
                buffer, offsets[name] = kernel.buffers[name], used
                width = 4 if kernel.is_single(name) else 8
                size = self.body.times(
                    self.body.room_for(buffer.shape), kernel.copies(name) * width
                )
                used = self.body.sum(used, _rounded(self.body, size))
        nothing, empty = used, self.body.text.integer(0)
        for name in kernel.arguments:
            shape = kernel.buffers[name].shape
            if not self._needs_room(entry, name) and self.body.may_be_empty(shape):
                size = self.body.times(self.body.room_for(shape), 8)
                size = self.body.text.select(
                    self.body.is_empty(shape), size, self.body.text.integer(0)
                )
                empty = self.body.text.intrinsic("llvm.smax", empty, size)
        used = self.body.sum(used, empty)
        if used.text == "0":
            return Room(offsets, None, used)
        some = self.body.text.compare("icmp sgt", used, self.body.text.integer(0))
        slack = self.body.text.select(
            some, self.body.text.integer(_ALIGNMENT), self.body.text.integer(0)
        )
        return Room(offsets, (nothing, empty), self.body.sum(used, slack))

    def _needs_room(self, entry: Entry, name: str) -> bool:
        """Whether a buffer of a kernel is neither the caller's nor a part of anything that is."""
        assert entry.kernel is not None
        packed = any(part.tensor == name and part.packing for _, part in _parts(entry))
        return is_scratch(entry.kernel.buffers[name]) or packed or name in self._positions

    @property
    def _positions(self) -> dict[str, Param]:
        """The arrays that say where packed parameters are stored, by name."""
        params = self.interface.program.params.values()
        return {positions_name(param.name): param for param in params if param.packing is not None}

    def _places(self, entry: Entry, room: Room, slots: str) -> dict[str, str]:
        """The address of every argument of a kernel."""
        assert entry.kernel is not None
        places = {
            name: self.body.moved(room.start, offset) for name, offset in room.offsets.items()
        }
        for name, param in self._positions.items():
            if name in places:
                side = self.body.number(param.shape[-1]).text
                diagonal, symmetric = _pattern(param.packing)
                arguments = f"ptr {places[name]}, i64 {side}, i64 {diagonal}, i1 {symmetric}"
                self.body.text.line(f"call void @positions({arguments})")
        for operand, part in _parts(entry):
            if part.tensor is not None and part.tensor not in places:
                before = operand.parts[: operand.parts.index(part)]
                offset = self.body.total(one.shape for one in before)
                width = 8 if operand.number else self.width
                where = self.body.moved(f"%{operand.name}", self.body.times(offset, width))
                places[part.tensor] = where
        for number, one in enumerate(self.interface.fields):
            places.setdefault(one.name, self.body.pointer(slots, number))
        return self._readable(entry, room, places)

    def _readable(self, entry: Entry, room: Room, places: dict[str, str]) -> dict[str, str]:
        """The places, with room to read where there are no elements: guards read the first."""
        assert entry.kernel is not None
        found = dict(places)
        given = {one.name for one in self.interface.fields}
        for name in entry.kernel.arguments:
            shape = entry.kernel.buffers[name].shape
            if name in room.offsets:
                continue
            if entry.lenient and name in given:
                self.body.fail_if(self.body.is_missing(places[name], shape), Status.NULL)
            if self.body.may_be_empty(shape):
                assert room.nothing is not None
                start = self.body.moved(room.start, room.nothing[0])
                found[name] = self.body.chosen(self.body.is_empty(shape), start, places[name])
        if room.nothing is not None and room.nothing[1].text != "0":
            start = self.body.moved(room.start, room.nothing[0])
            words = self.body.text.operate(
                "sdiv", room.nothing[1], self.body.text.integer(self.width)
            )
            zero = real_text(0.0, single=self.width == 4)
            self.body.text.line(f"call void @fill(ptr {start}, i64 {words.text}, {zero})")
        return found

    def _pack(self, entry: Entry, room: Room) -> None:
        """The unknowns of arrays that a kernel computed in full."""
        for operand, part in _parts(entry):
            if part.tensor is None or not part.packing:
                continue
            before = operand.parts[: operand.parts.index(part)]
            offset = self.body.times(self.body.total(one.shape for one in before), self.width)
            target = self.body.moved(f"%{operand.name}", offset)
            source = self.body.moved(room.start, room.offsets[part.tensor])
            count = self.body.extent(part.full_shape[:-2]).text
            side = self.body.number(part.full_shape[-1]).text
            diagonal, _ = _pattern(part.packing)
            arguments = f"ptr {source}, ptr {target}, i64 {count}, i64 {side}, i64 {diagonal}"
            self.body.text.line(f"call void @pack({arguments})")

    def _fill(self, operand: Operand) -> None:
        """The parts of an array that are a number throughout."""
        for number, part in enumerate(operand.parts):
            if part.tensor is None:
                offset = self.body.total(one.shape for one in operand.parts[:number])
                target = self.body.moved(f"%{operand.name}", self.body.times(offset, self.width))
                count = self.body.extent(part.shape).text
                value = real_text(part.fill, single=self.width == 4)
                self.body.text.line(f"call void @fill(ptr {target}, i64 {count}, {value})")

    def size(self, operand: Operand) -> Value:
        """How many elements an array has."""
        return self.body.total(part.shape for part in operand.parts)

    def bytes_of(self, operand: Operand) -> Value:
        return self.body.times(self.size(operand), 8 if operand.number else self.width)

    @property
    def width(self) -> int:
        """The bytes of a real number in an array."""
        return 4 if self.interface.precision == "float32" else 8


@dataclass(slots=True)
class Room:
    """Offsets of buffers in a workspace, then room that is read where an array is empty."""

    offsets: dict[str, Value]
    nothing: tuple[Value, Value] | None  # where that is, and how many bytes
    total: Value
    start: str = "%work"


def _parts(entry: Entry) -> Iterator[tuple[Operand, Part]]:
    for operand in (*entry.inputs, *entry.outputs):
        for part in operand.parts:
            yield operand, part


def is_scratch(buffer: Buffer) -> bool:
    return buffer.storage not in (Storage.GIVEN, Storage.OUTPUT)


def _pattern(packing: str | None) -> tuple[int, str]:
    """Where the unknowns of a row end, from its diagonal, and whether the rest mirrors them."""
    return -1 if packing == "strict lower" else 0, "true" if packing == "symmetric" else "false"


def _rounded(body: Body, size: Value) -> Value:
    """A size rounded up to whole cache lines."""
    if size.text.isdigit():
        return body.text.integer(-(-int(size.text) // _ALIGNMENT) * _ALIGNMENT)
    more = body.text.operate("add", size, body.text.integer(_ALIGNMENT - 1))
    return body.text.operate("and", more, body.text.integer(-_ALIGNMENT))


def real_text(value: float, *, single: bool) -> str:
    """A constant of what arrays are of."""
    if not single:
        return double(value)
    # A float is written as the double that it is.
    return f"float {double_text(ctypes.c_float(value).value)}"
