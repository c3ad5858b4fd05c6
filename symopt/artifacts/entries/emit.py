"""The entries from C: IR functions that check what they are given and run kernels on it.

They know sizes, addresses and room, and nothing of what a kernel computes: kernels are those that
the just-in-time compiler makes. All here is code for the plainest processor of its kind; which
variant of a kernel runs is decided at the first call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from string import Template

from symopt.artifacts.entries.body import Body, double
from symopt.artifacts.entries.status import MESSAGES, Status
from symopt.artifacts.interface import Entry, Interface, Operand, Part, Shape
from symopt.loops.program import Buffer, Kernel, Storage
from symopt.native.entry import array_functions
from symopt.native.text import Value, double_text
from symopt.typed.packing import positions_name
from symopt.typed.program import Param

_OF_MISTAKE = {
    "index": Status.INDEX,
    "order": Status.ORDER,
    "divisor": Status.DIVISOR,
    "cases": Status.CASES,
}
_ALIGNMENT = 64
_OF_SUPPORT = {
    f"@llvm.{name}.i64": f"declare i64 @llvm.{name}.i64(i64, i64)" for name in ("smax", "smin")
}
# Bits of CPUID that the levels of x86-64 ask for.
_LEVEL_BITS = {
    "level2_c": 9970177,
    "level3_c": 943722496,
    "level3_b": 296,
    "level4_b": -805109760,
}


@dataclass(frozen=True, slots=True)
class Variant:
    """Code for one kind of processor: a level of x86-64, or 0 where none is asked for."""

    level: int
    suffix: str


def kernel_symbol(interface: Interface, kernel: str, variant: Variant) -> str:
    """The name of a kernel in the module."""
    return f"{interface.stem}.{kernel}.{variant.suffix}"


def check_name(number: int) -> str:
    """What the kernel of some checks is called."""
    return f"check{number}"


def emit_entries(interface: Interface, variants: tuple[Variant, ...], *, exported: str = "") -> str:
    """The IR of all entries. `variants` come from the plainest to the best processor.

    `exported` is how a function is marked to be found by others, where it has to be.
    """
    return _Module(interface, variants, exported).written()


@dataclass(slots=True)
class _Module:
    interface: Interface
    variants: tuple[Variant, ...]
    exported: str
    declarations: dict[str, str] = field(default_factory=lambda: dict(_OF_SUPPORT))

    def written(self) -> str:
        interface = self.interface
        params = [param.stored_shape for param in interface.program.params.values()]
        functions = [self._sizes(), self._data(), self._count("n", params)]
        if interface.cut:
            functions.append(self._count("m", [*interface.cut.values()]))
        functions += [self._message(), self._check()]
        for entry in interface.entries:
            functions += [self._workspace(entry), self._entry(entry)]
        return "\n\n".join([*self._shared(), *self.declarations.values(), *functions])

    def _shared(self) -> Iterator[str]:
        single = self.interface.precision == "float32"
        yield array_functions(single=single)
        yield _template("support.ll", real="float" if single else "double")
        if self.variants[-1].level > 1:
            yield _template("levels.ll", **_LEVEL_BITS)
        names = [entry.name for entry in self.interface.entries if entry.kernel is not None]
        names += [check_name(number) for number in range(len(self.interface.checks))]
        for name in names:
            for variant in self.variants:
                yield f"declare void @{kernel_symbol(self.interface, name, variant)}(ptr)"
        for number, one in enumerate(self.interface.fields):
            if one.default is not None:
                constant = _real(one.default, single=single)
                yield f"@default{number} = internal constant {constant}"

    def _body(
        self, name: str, parameters: str, result: str, prefix: str = "internal ", words: str = ""
    ) -> Body:
        head = f"define {prefix}{result} @{name}({parameters}) nounwind{words}"
        body = Body(head, self.interface.sizes, self.interface.open_dims)
        body.text.declarations = self.declarations
        return body

    def _exported(self, name: str, parameters: str, result: str, *, often: bool = False) -> Body:
        """A function for callers. Little effort goes into one that is not called `often`."""
        words = "" if often else " noinline optnone"
        return self._body(f"{self.interface.stem}_{name}", parameters, result, self.exported, words)

    # ── what entries share ───────────────────────────────────────────────────────────────────

    def _sizes(self) -> str:
        """`sizes(data)`: whether the sizes can be."""
        body = self._body("sizes", "ptr %data", "i32")
        body.fail_if(body.is_null("%data"), Status.NULL)
        for value in body.load_dims():
            negative = body.text.compare("icmp slt", value, body.text.integer(0))
            body.fail_if(negative, Status.NEGATIVE)
        shapes = [one.shape for one in self.interface.fields]
        shapes += [param.stored_shape for param in self.interface.program.params.values()]
        body.fail_if(body.too_large(shapes), Status.TOO_LARGE)
        return body.finished("i32 0")

    def _data(self) -> str:
        """`data(data, slots, lenient)`: where all data is, once it has passed the checks.

        Where that is `lenient`, null may stand for data that is still to come.
        """
        interface = self.interface
        body = self._body("data", "ptr %data, ptr %slots, i1 %lenient", "i32")
        body.pass_on("call i32 @sizes(ptr %data)")
        body.load_dims()
        strict = body.text.assign("xor i1 %lenient, true", "i1", False)
        for number, one in enumerate(interface.fields):
            given = body.pointer("%data", len(interface.open_dims) + number)
            missing = body.is_null(given)
            if one.default is not None:
                given = body.chosen(missing, f"@default{number}", given)
            else:
                if body.may_be_empty(one.shape):
                    filled = body.text.compare(
                        "icmp sgt", body.extent(one.shape), body.text.integer(0)
                    )
                    missing = body.text.operate("and", missing, filled)
                body.fail_if(body.text.operate("and", missing, strict), Status.NULL)
            body.put(given, "%slots", number)
        checked = body.word("%data", len(interface.open_dims) + len(interface.fields))
        trusted = body.text.compare("icmp ne", checked, body.text.integer(0))
        body.leave_if(trusted, "i32 0")
        body.leave_if(Value("%lenient", "i1"), "i32 0")
        for number, kernel in enumerate(interface.checks):
            self._run_checks(body, check_name(number), kernel)
        return body.finished("i32 0")

    def _run_checks(self, body: Body, name: str, kernel: Kernel) -> None:
        """Run a kernel that counts mistakes; leave with the first kind that there is."""
        counts = {mistake: body.words(1) for mistake in kernel.outputs}
        addresses: list[str] = []
        for argument in kernel.arguments:
            assert kernel.buffers[argument].storage in (Storage.GIVEN, Storage.OUTPUT)
            if argument in counts:
                addresses.append(counts[argument])
            else:
                addresses.append(body.pointer("%slots", self._field(argument)))
        self._call(body, name, kernel, addresses)
        for mistake, count in counts.items():
            found = body.text.load(count, "double", False)
            some = body.text.compare("fcmp une", found, body.text.number(0.0))
            body.fail_if(some, _OF_MISTAKE[mistake])

    def _count(self, name: str, shapes: list[Shape]) -> str:
        """`loss_n(data)`: a number of elements, or minus a status."""
        body = self._exported(name, "ptr %data", "i64")
        body.pass_on("call i32 @sizes(ptr %data)", negated=True)
        body.load_dims()
        return body.finished(f"i64 {body.total(shapes).text}")

    def _message(self) -> str:
        """`loss_message(status)`: a status in words."""
        texts = [*MESSAGES.values(), "an unknown status"]
        lines = [
            f'@message{number} = private constant [{len(message) + 1} x i8] c"{message}\\00"'
            for number, message in enumerate(texts)
        ]
        body = self._exported("message", "i32 %status", "ptr")
        found = f"@message{len(MESSAGES)}"
        for status in MESSAGES:
            here = body.text.compare(
                "icmp eq", Value("%status", "i32"), Value(str(int(status)), "i32")
            )
            found = body.chosen(here, f"@message{int(status)}", found)
        return "\n".join([*lines, body.finished(f"ptr {found}")])

    def _check(self) -> str:
        """`loss_check(data)`: all that is asked of data, whatever it says of itself."""
        interface = self.interface
        body = self._exported("check", "ptr %data", "i32")
        body.pass_on("call i32 @sizes(ptr %data)")
        claim = len(interface.open_dims) + len(interface.fields)
        copy = body.words(claim + 2)
        for number in range(claim):
            body.text.store(body.word("%data", number), body.slot(copy, number))
        for number in (claim, claim + 1):
            body.text.store(body.text.integer(0), body.slot(copy, number))
        slots = body.words(len(interface.fields))
        body.pass_on(f"call i32 @data(ptr {copy}, ptr {slots}, i1 false)")
        return body.finished("i32 0")

    # ── entries ──────────────────────────────────────────────────────────────────────────────

    def _workspace(self, entry: Entry) -> str:
        """How many bytes an entry needs, or minus a status."""
        body = self._exported(f"{entry.name}_workspace", "ptr %data", "i64")
        body.pass_on("call i32 @sizes(ptr %data)", negated=True)
        body.load_dims()
        body.fail_if(self._too_large(body, entry), Status.TOO_LARGE, negated=True)
        return body.finished(f"i64 {self._room(body, entry).total.text}")

    def _too_large(self, body: Body, entry: Entry) -> Value:
        arrays = (*entry.inputs, *entry.outputs)
        shapes = [part.shape for one in arrays for part in one.parts]
        copies = 1
        if entry.kernel is not None:
            scratch = [b for b in entry.kernel.buffers.values() if b.passed and _is_scratch(b)]
            shapes += [buffer.shape for buffer in scratch]
            copies = max((entry.kernel.copies(b.name) for b in scratch), default=1)
        return body.too_large(shapes, copies)

    def _entry(self, entry: Entry) -> str:
        arrays = (*entry.inputs, *entry.outputs)
        pointers = (f"ptr %{one.name}" for one in arrays)
        parameters = ", ".join(["ptr %data", *pointers, "ptr %work", "i64 %work_size"])
        body = self._exported(entry.name, parameters, "i32", often=entry.kind == "loss")
        slots = body.words(len(self.interface.fields))
        lenient = "true" if entry.lenient else "false"
        body.pass_on(f"call i32 @data(ptr %data, ptr {slots}, i1 {lenient})")
        body.load_dims()
        body.fail_if(self._too_large(body, entry), Status.TOO_LARGE)
        for one in arrays:
            missing = body.is_null(f"%{one.name}")
            if any(body.may_be_empty(part.shape) for part in one.parts):
                filled = body.text.compare("icmp sgt", self._size(body, one), body.text.integer(0))
                missing = body.text.operate("and", missing, filled)
            body.fail_if(missing, Status.NULL)
        self._refuse_overlaps(body, entry, slots)
        self._compute(body, entry, slots)
        self._refuse_nonfinite(body, entry)
        return body.finished("i32 0")

    def _size(self, body: Body, operand: Operand) -> Value:
        """How many elements an array has."""
        return body.total(part.shape for part in operand.parts)

    def _bytes(self, body: Body, operand: Operand) -> Value:
        return body.times(self._size(body, operand), 8 if operand.number else self._width)

    @property
    def _width(self) -> int:
        """The bytes of a real number in an array."""
        return 4 if self.interface.precision == "float32" else 8

    def _field(self, name: str) -> int:
        names = [one.name for one in self.interface.fields]
        return names.index(name)

    def _refuse_overlaps(self, body: Body, entry: Entry, slots: str) -> None:
        ranges = [
            (f"%{one.name}", self._bytes(body, one)) for one in (*entry.outputs, *entry.inputs)
        ]
        for number, one in enumerate(self.interface.fields):
            width = 8 if one.integers else self._width
            where = body.pointer(slots, number)
            ranges.append((where, body.times(body.extent(one.shape), width)))
        found = Value("false", "i1")
        for number, (a, a_bytes) in enumerate(ranges[: len(entry.outputs)]):
            for b, b_bytes in ranges[number + 1 :]:
                call = f"call i1 @overlap(ptr {a}, i64 {a_bytes.text}, ptr {b}, i64 {b_bytes.text})"
                found = body.text.operate("or", found, body.text.assign(call, "i1", False))
        body.fail_if(found, Status.OVERLAP)

    def _refuse_nonfinite(self, body: Body, entry: Entry) -> None:
        """Where the caller asks: after all, results of a loss are numbers."""
        if entry.kind != "loss":
            return
        interface = self.interface
        asked = body.word("%data", len(interface.open_dims) + len(interface.fields) + 1)
        body.leave_if(body.text.compare("icmp eq", asked, body.text.integer(0)), "i32 0")
        for one in entry.outputs:
            if one.number:
                value = body.text.load(f"%{one.name}", "double", False)
                nothing = body.text.operate("fsub", value, value)
                bad = body.text.compare("fcmp une", nothing, body.text.number(0.0))
            else:
                count = self._size(body, one).text
                call = f"call i1 @finite(ptr %{one.name}, i64 {count})"
                good = body.text.assign(call, "i1", False, pure=False)
                bad = body.text.assign(f"xor i1 {good.text}, true", "i1", False)
            body.fail_if(bad, Status.NONFINITE)

    # ── running a kernel ─────────────────────────────────────────────────────────────────────

    def _compute(self, body: Body, entry: Entry, slots: str) -> None:
        if entry.kernel is not None:
            room = self._room(body, entry)
            small = body.text.compare("icmp slt", Value("%work_size", "i64"), room.total)
            body.fail_if(small, Status.WORKSPACE)
            if room.total.text != "0":
                needed = body.text.compare("icmp sgt", room.total, body.text.integer(0))
                absent = body.text.operate("and", body.is_null("%work"), needed)
                body.fail_if(absent, Status.WORKSPACE)
                room.start = self._aligned(body, "%work")
            places = self._places(body, entry, room, slots)
            addresses = [places[name] for name in entry.kernel.arguments]
            self._call(body, entry.name, entry.kernel, addresses)
            self._pack(body, entry, room)
        for one in entry.outputs:
            self._fill(body, one)
        if entry.symmetric:
            (order, _) = entry.outputs[0].matrix
            body.text.line(
                f"call void @mirror(ptr %{entry.outputs[0].name}, i64 {body.number(order).text})"
            )

    def _aligned(self, body: Body, pointer: str) -> str:
        """A pointer moved to the next cache line."""
        number = body.text.assign(f"ptrtoint ptr {pointer} to i64", "i64", False)
        back = body.text.operate("sub", body.text.integer(0), number)
        ahead = body.text.operate("and", back, body.text.integer(_ALIGNMENT - 1))
        return body.moved(pointer, ahead)

    def _call(self, body: Body, name: str, kernel: Kernel, addresses: list[str]) -> None:
        """Run the variant of a kernel that suits the processor."""
        code = self._variant(body, name)
        table = body.words(len(addresses) + len(kernel.dims))
        for number, address in enumerate(addresses):
            body.put(address, table, number)
        for number, dim in enumerate(kernel.dims, len(addresses)):
            size = self.interface.sizes.get(dim)
            value = body.integers.dims[dim] if size is None else body.text.integer(size)
            body.text.store(value, body.slot(table, number))
        body.text.line(f"call void {code}(ptr {table})")

    def _variant(self, body: Body, name: str) -> str:
        symbols = [f"@{kernel_symbol(self.interface, name, one)}" for one in self.variants]
        if self.variants[-1].level <= 1:
            return symbols[-1]
        level = body.text.assign("call i32 @processor()", "i32", False)
        found = symbols[0]
        for one, symbol in zip(self.variants, symbols, strict=True):
            least = Value(str(one.level), "i32")
            if one == self.variants[0]:
                body.fail_if(body.text.compare("icmp slt", level, least), Status.PROCESSOR)
                continue
            found = body.chosen(body.text.compare("icmp sge", level, least), symbol, found)
        return found

    def _room(self, body: Body, entry: Entry) -> _Room:
        """Where in the workspace everything is that needs room."""
        if entry.kernel is None:
            return _Room({}, None, body.text.integer(0))
        kernel, used = entry.kernel, body.text.integer(0)
        offsets: dict[str, Value] = {}
        for name in kernel.arguments:
            if self._needs_room(entry, name):
                buffer, offsets[name] = kernel.buffers[name], used
                width = 4 if kernel.is_single(name) else 8
                size = body.times(body.room_for(buffer.shape), kernel.copies(name) * width)
                used = body.sum(used, _rounded(body, size))
        nothing, empty = used, body.text.integer(0)
        for name in kernel.arguments:
            shape = kernel.buffers[name].shape
            if not self._needs_room(entry, name) and body.may_be_empty(shape):
                size = body.times(body.room_for(shape), 8)
                size = body.text.select(body.is_empty(shape), size, body.text.integer(0))
                empty = body.text.intrinsic("llvm.smax", empty, size)
        used = body.sum(used, empty)
        if used.text == "0":
            return _Room(offsets, None, used)
        some = body.text.compare("icmp sgt", used, body.text.integer(0))
        slack = body.text.select(some, body.text.integer(_ALIGNMENT), body.text.integer(0))
        return _Room(offsets, (nothing, empty), body.sum(used, slack))

    def _needs_room(self, entry: Entry, name: str) -> bool:
        """Whether a buffer of a kernel is neither the caller's nor a part of anything that is."""
        assert entry.kernel is not None
        packed = any(part.tensor == name and part.packing for _, part in _parts(entry))
        return _is_scratch(entry.kernel.buffers[name]) or packed or name in self._positions

    @property
    def _positions(self) -> dict[str, Param]:
        """The arrays that say where packed parameters are stored, by name."""
        params = self.interface.program.params.values()
        return {positions_name(param.name): param for param in params if param.packing is not None}

    def _places(self, body: Body, entry: Entry, room: _Room, slots: str) -> dict[str, str]:
        """The address of every argument of a kernel."""
        assert entry.kernel is not None
        places = {name: body.moved(room.start, offset) for name, offset in room.offsets.items()}
        for name, param in self._positions.items():
            if name in places:
                side = body.number(param.shape[-1]).text
                diagonal, symmetric = _pattern(param.packing)
                arguments = f"ptr {places[name]}, i64 {side}, i64 {diagonal}, i1 {symmetric}"
                body.text.line(f"call void @positions({arguments})")
        for operand, part in _parts(entry):
            if part.tensor is not None and part.tensor not in places:
                before = operand.parts[: operand.parts.index(part)]
                offset = body.total(one.shape for one in before)
                width = 8 if operand.number else self._width
                where = body.moved(f"%{operand.name}", body.times(offset, width))
                places[part.tensor] = where
        for number, one in enumerate(self.interface.fields):
            places.setdefault(one.name, body.pointer(slots, number))
        return self._readable(body, entry, room, places)

    def _readable(
        self, body: Body, entry: Entry, room: _Room, places: dict[str, str]
    ) -> dict[str, str]:
        """The places, with room to read where there are no elements: guards read the first."""
        assert entry.kernel is not None
        found = dict(places)
        given = {one.name for one in self.interface.fields}
        for name in entry.kernel.arguments:
            shape = entry.kernel.buffers[name].shape
            if name in room.offsets:
                continue
            if entry.lenient and name in given:
                missing = body.is_null(places[name])
                if body.may_be_empty(shape):
                    filled = body.text.compare("icmp sgt", body.extent(shape), body.text.integer(0))
                    missing = body.text.operate("and", missing, filled)
                body.fail_if(missing, Status.NULL)
            if body.may_be_empty(shape):
                assert room.nothing is not None
                start = body.moved(room.start, room.nothing[0])
                found[name] = body.chosen(body.is_empty(shape), start, places[name])
        if room.nothing is not None and room.nothing[1].text != "0":
            start = body.moved(room.start, room.nothing[0])
            words = body.text.operate("sdiv", room.nothing[1], body.text.integer(self._width))
            zero = _real(0.0, single=self._width == 4)
            body.text.line(f"call void @fill(ptr {start}, i64 {words.text}, {zero})")
        return found

    def _pack(self, body: Body, entry: Entry, room: _Room) -> None:
        """The unknowns of arrays that a kernel computed in full."""
        for operand, part in _parts(entry):
            if part.tensor is None or not part.packing:
                continue
            before = operand.parts[: operand.parts.index(part)]
            offset = body.times(body.total(one.shape for one in before), self._width)
            target = body.moved(f"%{operand.name}", offset)
            source = body.moved(room.start, room.offsets[part.tensor])
            count = body.extent(part.full_shape[:-2]).text
            side = body.number(part.full_shape[-1]).text
            diagonal, _ = _pattern(part.packing)
            arguments = f"ptr {source}, ptr {target}, i64 {count}, i64 {side}, i64 {diagonal}"
            body.text.line(f"call void @pack({arguments})")

    def _fill(self, body: Body, operand: Operand) -> None:
        """The parts of an array that are a number throughout."""
        for number, part in enumerate(operand.parts):
            if part.tensor is None:
                offset = body.total(one.shape for one in operand.parts[:number])
                target = body.moved(f"%{operand.name}", body.times(offset, self._width))
                count = body.extent(part.shape).text
                value = _real(part.fill, single=self._width == 4)
                body.text.line(f"call void @fill(ptr {target}, i64 {count}, {value})")


@dataclass(slots=True)
class _Room:
    """Offsets of buffers in a workspace, then room that is read where an array is empty."""

    offsets: dict[str, Value]
    nothing: tuple[Value, Value] | None  # where that is, and how many bytes
    total: Value
    start: str = "%work"


def _parts(entry: Entry) -> Iterator[tuple[Operand, Part]]:
    for operand in (*entry.inputs, *entry.outputs):
        for part in operand.parts:
            yield operand, part


def _is_scratch(buffer: Buffer) -> bool:
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


def _real(value: float, *, single: bool) -> str:
    """A constant of what arrays are of."""
    if not single:
        return double(value)
    import ctypes

    # A float is written as the double that it is.
    return f"float {double_text(ctypes.c_float(value).value)}"


def _template(name: str, **places: object) -> str:
    text = files("symopt.artifacts.entries").joinpath(name).read_text(encoding="utf-8")
    return Template(text).substitute(places)
