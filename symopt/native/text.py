"""LLVM IR as text: values with their kind, blocks, and the loops and arithmetic made of them."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["double", "float", "i64", "i32", "i1"]
REALS = ("double", "float")
FLAGS = "reassoc nsz arcp contract afn"  # on user arithmetic; measured, see docs/decisions


@dataclass(frozen=True, slots=True)
class Value:
    """An IR operand. `wide` values hold one element per lane."""

    text: str
    kind: Kind
    wide: bool = False


_SUFFIXES: dict[Kind, str] = {"double": "f64", "float": "f32", "i64": "i64", "i32": "i32"}


def double_text(value: float) -> str:
    """An exact double constant."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def width(kind: Kind) -> int:
    """The bytes that a value takes in memory."""
    return 8 if kind in ("double", "i64") else 4


@dataclass(slots=True)
class FunctionText:
    """The body of one function as it is written.

    Real numbers are doubles. With `single`, those of several lanes are floats; the rest stays in
    double precision, which costs nothing there.
    """

    lanes: int
    single: bool = False
    lines: list[str] = field(default_factory=list)
    head: list[str] = field(default_factory=list)  # allocas, at the entry
    declarations: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)  # our own, called
    block: str = "entry"
    at_hand: dict[tuple[str, bool], Value] = field(default_factory=dict)
    _count: int = 0
    _in_double: bool = False

    @property
    def real(self) -> Kind:
        """What real numbers are at this place."""
        return "float" if self.single and self.lanes > 1 and not self._in_double else "double"

    @contextmanager
    def in_double(self) -> Iterator[None]:
        """Code whose real numbers are doubles."""
        before, self._in_double = self._in_double, True
        yield
        self._in_double = before

    def name(self, stem: str = "v") -> str:
        self._count += 1
        return f"%{stem}{self._count}"

    def type_of(self, value: Value) -> str:
        return self.type_name(value.kind, value.wide)

    def type_name(self, kind: Kind, wide: bool) -> str:
        return f"<{self.lanes} x {kind}>" if wide and self.lanes > 1 else kind

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def reserve(self) -> int:
        """A place for lines that are only known later."""
        self.lines.append("")
        return len(self.lines) - 1

    def fill_in(self, place: int, lines: list[str]) -> None:
        self.lines[place] = "\n".join(lines)

    def assign(self, text: str, kind: Kind, wide: bool, *, pure: bool = True) -> Value:
        """The value of an instruction; of a pure one that is at hand already, that value."""
        key = text, wide
        if pure and key in self.at_hand:
            return self.at_hand[key]
        name = self.name()
        self.line(f"{name} = {text}")
        value = Value(name, kind, wide)
        if pure:
            self.at_hand[key] = value
        return value

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Code that may not run, or many times: what it computes is not at hand after it."""
        before, self.at_hand = self.at_hand, dict(self.at_hand)
        yield
        self.at_hand = before

    def start_block(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.block = label

    def declare(self, name: str, signature: str) -> None:
        self.declarations[name] = signature

    # ── constants and conversions ────────────────────────────────────────────────────────────

    def number(self, value: float) -> Value:
        """A constant, rounded to what real numbers are here."""
        if self.real == "float":
            value = ctypes.c_float(value).value
        return Value(double_text(value), self.real)

    def integer(self, value: int) -> Value:
        return Value(str(value), "i64")

    def widen(self, value: Value) -> Value:
        """The same in every lane."""
        if value.wide or self.lanes == 1:
            return Value(value.text, value.kind, True)
        kind, vector = value.kind, self.type_name(value.kind, True)
        one = self.assign(f"insertelement {vector} poison, {kind} {value.text}, i64 0", kind, True)
        mask = f"<{self.lanes} x i32> zeroinitializer"
        return self.assign(
            f"shufflevector {vector} {one.text}, {vector} poison, {mask}", kind, True
        )

    def matched(self, *values: Value) -> tuple[Value, ...]:
        """All wide if one is, and doubles if floats meet one."""
        if {"float", "double"} <= {v.kind for v in values}:
            values = tuple(self.converted(v, "double") if v.kind == "float" else v for v in values)
        return tuple(map(self.widen, values)) if any(v.wide for v in values) else values

    def converted(self, value: Value, kind: Kind) -> Value:
        """A float or double, or an integer, as a float or double."""
        if value.kind == kind:
            return value
        if value.kind not in REALS:
            return self.convert("uitofp" if value.kind == "i1" else "sitofp", value, kind)
        return self.convert("fpext" if kind == "double" else "fptrunc", value, kind)

    def as_real(self, value: Value) -> Value:
        """The value as what real numbers are here; a truth value as 0 or 1."""
        return self.converted(value, self.real)

    def lane(self, value: Value, lane: int) -> Value:
        """One lane of a wide value."""
        if not value.wide or self.lanes == 1:
            return Value(value.text, value.kind)
        text = f"extractelement {self.type_of(value)} {value.text}, i64 {lane}"
        return self.assign(text, value.kind, False)

    def from_lanes(self, values: list[Value]) -> Value:
        """A wide value of one scalar per lane."""
        if self.lanes == 1:
            return Value(values[0].text, values[0].kind, True)
        kind = values[0].kind
        vector = self.type_name(kind, True)
        result = Value("poison", kind, True)
        for lane, value in enumerate(values):
            result = self.assign(
                f"insertelement {vector} {result.text}, {kind} {value.text}, i64 {lane}", kind, True
            )
        return result

    # ── operations ───────────────────────────────────────────────────────────────────────────

    def operate(self, operation: str, *operands: Value, flags: str = "") -> Value:
        """An instruction of operands of one type, giving that type."""
        values = self.matched(*operands)
        kind, wide = values[0].kind, values[0].wide
        arguments = ", ".join(value.text for value in values)
        words = f"{operation} {flags}".strip()
        return self.assign(f"{words} {self.type_name(kind, wide)} {arguments}", kind, wide)

    def compare(self, operation: str, a: Value, b: Value) -> Value:
        """`icmp ...` or `fcmp ...`."""
        a, b = self.matched(a, b)
        return self.assign(f"{operation} {self.type_of(a)} {a.text}, {b.text}", "i1", a.wide)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        condition, a, b = self.matched(condition, a, b)
        text = (
            f"select {self.type_of(condition)} {condition.text}, "
            f"{self.type_of(a)} {a.text}, {self.type_of(b)} {b.text}"
        )
        return self.assign(text, a.kind, a.wide)

    def convert(self, operation: str, value: Value, kind: Kind) -> Value:
        target = self.type_name(kind, value.wide)
        text = f"{operation} {self.type_of(value)} {value.text} to {target}"
        return self.assign(text, kind, value.wide)

    def intrinsic(self, name: str, *operands: Value, flags: str = "") -> Value:
        """A call of an LLVM intrinsic overloaded on the operands' type."""
        values = self.matched(*operands)
        kind, wide = values[0].kind, values[0].wide
        element = _SUFFIXES[kind]
        suffix = f"v{self.lanes}{element}" if wide and self.lanes > 1 else element
        type_name = self.type_name(kind, wide)
        full = f"@{name}.{suffix}"
        self.declare(full, f"declare {type_name} {full}({', '.join([type_name] * len(values))})")
        arguments = ", ".join(f"{type_name} {value.text}" for value in values)
        words = f"call {flags}".strip()
        return self.assign(f"{words} {type_name} {full}({arguments})", kind, wide)

    def fills_register(self, value: Value) -> bool:
        """Whether the lanes of a value are as many as one register of AVX-512 has."""
        return value.wide and self.lanes * width(value.kind) == 64

    def scaled_by_power(self, value: Value, power: Value) -> Value:
        """value·2^power of a full register, by AVX-512."""
        name = f"@llvm.x86.avx512.mask.scalef.p{'d' if value.kind == 'double' else 's'}.512"
        vector, mask = self.type_of(value), f"i{self.lanes}"
        self.declare(name, f"declare {vector} {name}({vector}, {vector}, {vector}, {mask}, i32)")
        operands = f"{vector} {value.text}, {vector} {power.text}, {vector} zeroinitializer"
        # All lanes, rounded as everything else is.
        return self.assign(f"call {vector} {name}({operands}, {mask} -1, i32 4)", value.kind, True)

    def library_call(self, name: str, *operands: Value) -> Value:
        """A call of a C library function of doubles, lane by lane; of floats, in doubles."""
        values = self.matched(*(self.converted(value, "double") for value in operands))
        signature = ", ".join(["double"] * len(values))
        self.declare(f"@{name}", f"declare double @{name}({signature}) #1")
        results: list[Value] = []
        for lane in range(self.lanes if values[0].wide else 1):
            parts = [self.lane(value, lane) for value in values]
            arguments = ", ".join(f"double {part.text}" for part in parts)
            results.append(self.assign(f"call double @{name}({arguments}) #1", "double", False))
        return self.as_real(self.from_lanes(results) if values[0].wide else results[0])

    def call_own(self, name: str, x: Value, emit: Callable[[FunctionText, Value], Value]) -> Value:
        """A call of a function of one value, defined in the module on first use."""
        lanes = self.lanes if x.wide else 1
        full, type_name = f"@own_{name}_{lanes}", self.type_of(x)
        full += "_single" if x.kind == "float" else ""
        if full not in self.functions:
            inner = FunctionText(lanes, x.kind == "float")
            result = emit(inner, Value("%x", x.kind, x.wide))
            self.declarations.update(inner.declarations)
            self.functions[full] = "\n".join(
                [
                    f"define internal {type_name} {full}({type_name} %x) #2 {{",
                    "entry:",
                    *inner.head,
                    *inner.lines,
                    f"  ret {type_name} {result.text}",
                    "}",
                ]
            )
        return self.assign(f"call {type_name} {full}({type_name} {x.text}) #1", x.kind, x.wide)

    # ── memory ───────────────────────────────────────────────────────────────────────────────

    def alloca(self, kind: Kind, wide: bool, count: int = 1) -> str:
        """Room on the stack for some values, at the function's entry."""
        name = self.name("a")
        type_name = self.type_name(kind, wide)
        room = type_name if count == 1 else f"[{count} x {type_name}]"
        self.head.append(f"  {name} = alloca {room}, align 64")
        return name

    def load(self, pointer: str, kind: Kind, wide: bool, *, constant: bool = False) -> Value:
        """The value at an address; a constant one, which nothing writes, is read once."""
        text = f"load {self.type_name(kind, wide)}, ptr {pointer}, align {width(kind)}"
        return self.assign(text, kind, wide, pure=constant)

    def store(self, value: Value, pointer: str) -> None:
        align = width(value.kind)
        self.line(f"store {self.type_of(value)} {value.text}, ptr {pointer}, align {align}")

    def load_block(self, pointer: str, kind: Kind, mask: Value, otherwise: Value) -> Value:
        """As many elements in a row as there are lanes; `otherwise` where the mask is off."""
        vector = self.type_name(kind, True)
        name = f"@llvm.masked.load.{self._suffix(kind)}.p0"
        self.declare(name, f"declare {vector} {name}(ptr, i32, {self.type_of(mask)}, {vector})")
        otherwise = self.widen(otherwise)
        arguments = f"ptr {pointer}, i32 {width(kind)}, {self.type_of(mask)} {mask.text}"
        return self.assign(
            f"call {vector} {name}({arguments}, {vector} {otherwise.text})", kind, True, pure=False
        )

    def store_block(self, value: Value, pointer: str, mask: Value) -> None:
        """As many elements in a row as there are lanes, where the mask is on."""
        vector = self.type_of(value)
        name = f"@llvm.masked.store.{self._suffix(value.kind)}.p0"
        self.declare(name, f"declare void {name}({vector}, ptr, i32, {self.type_of(mask)})")
        arguments = f"{vector} {value.text}, ptr {pointer}, i32 {width(value.kind)}"
        self.line(f"call void {name}({arguments}, {self.type_of(mask)} {mask.text})")

    def prefetch(self, base: str, place: Value, kind: Kind, *, for_writing: bool) -> None:
        """Asks for the cache line of an element that may be needed, or not be there at all."""
        # Not `inbounds`: the address may be beyond the end.
        text = f"getelementptr {kind}, ptr {base}, i64 {place.text}"
        pointer = self.assign(text, "i64", False).text
        name = "@llvm.prefetch.p0"
        self.declare(name, f"declare void {name}(ptr, i32, i32, i32)")
        self.line(f"call void {name}(ptr {pointer}, i32 {int(for_writing)}, i32 3, i32 1)")

    def load_part(self, pointer: str, kind: Kind, count: int) -> Value:
        """Some elements in a row, as a vector of that many: for `joined` or `padded` only."""
        text = f"load <{count} x {kind}>, ptr {pointer}, align {width(kind)}"
        return self.assign(text, kind, True, pure=False)

    def padded(self, part: Value, count: int, size: int) -> Value:
        """A part with more elements, undefined ones, at its end."""
        order = [k if k < count else -1 for k in range(size)]
        return self._shuffle(part, part, count, order)

    def joined(self, low: Value, high: Value, count: int) -> Value:
        """Two parts of `count` elements as one vector."""
        return self._shuffle(low, high, count, list(range(2 * count)))

    def shuffled(self, a: Value, b: Value, order: list[int]) -> Value:
        """Elements of two wide values, counted through both."""
        return self._shuffle(a, b, self.lanes, order)

    def _shuffle(self, a: Value, b: Value, count: int, order: list[int]) -> Value:
        vector = f"<{count} x {a.kind}>"
        places = ", ".join("i32 poison" if k < 0 else f"i32 {k}" for k in order)
        mask = f"<{len(order)} x i32> <{places}>"
        text = f"shufflevector {vector} {a.text}, {vector} {b.text}, {mask}"
        return self.assign(text, a.kind, True)

    def store_part(self, value: Value, start: int, count: int, pointer: str) -> None:
        """Some elements of a wide value, to places in a row."""
        part = self._shuffle(value, value, self.lanes, list(range(start, start + count)))
        vector, align = f"<{count} x {value.kind}>", width(value.kind)
        self.line(f"store {vector} {part.text}, ptr {pointer}, align {align}")

    def total(self, value: Value) -> Value:
        """The sum over the lanes."""
        vector = self.type_of(value)
        name = f"@llvm.vector.reduce.fadd.{self._suffix(value.kind)}"
        kind = value.kind
        self.declare(name, f"declare {kind} {name}({kind}, {vector})")
        start = double_text(-0.0)
        return self.assign(
            f"call reassoc {kind} {name}({kind} {start}, {vector} {value.text})", kind, False
        )

    def _suffix(self, kind: Kind) -> str:
        return f"v{self.lanes}{_SUFFIXES[kind]}"

    def element(self, base: str, place: Value, *, kind: Kind = "double", stride: int = 1) -> str:
        """The address of an element; places count values of a kind, `stride` of them each."""
        offset = place
        if place.text.lstrip("-").isdigit():
            offset = self.integer(int(place.text) * stride)
        elif stride != 1:
            offset = self.operate("mul", place, self.integer(stride), flags="nsw")
        text = f"getelementptr inbounds {kind}, ptr {base}, i64 {offset.text}"
        return self.assign(text, "i64", False).text

    # ── control ──────────────────────────────────────────────────────────────────────────────

    def rarely(self, condition: Value, usual: Value, other: Callable[[], Value]) -> Value:
        """`usual`, or where any lane's condition holds what `other` emits, for all lanes."""
        hit = condition
        if condition.wide and self.lanes > 1:
            name = f"@llvm.vector.reduce.or.v{self.lanes}i1"
            self.declare(name, f"declare i1 {name}(<{self.lanes} x i1>)")
            hit = self.assign(
                f"call i1 {name}({self.type_of(condition)} {condition.text})", "i1", False
            )
        rare, after = self.name("b")[1:], self.name("b")[1:]
        before = self.block
        self.line(f"br i1 {hit.text}, label %{rare}, label %{after}")
        self.start_block(rare)
        with self.inside():
            value = other()
        source = self.block
        self.line(f"br label %{after}")
        self.start_block(after)
        return self.assign(
            f"phi {self.type_of(usual)} [ {usual.text}, %{before} ], [ {value.text}, %{source} ]",
            usual.kind,
            usual.wide,
            pure=False,
        )

    @contextmanager
    def loop(self, lower: Value, upper: Value, step: int = 1) -> Iterator[Value]:
        """A counted loop; the index is a scalar i64."""
        index, following = self.name("i"), self.name("n")
        labels = [self.name("b")[1:] for _ in range(3)]
        head, body, end = labels
        before = self.block
        self.line(f"br label %{head}")
        self.start_block(head)
        slot = len(self.lines)
        self.lines.append("")  # the phi, once the latch is known
        test = self.compare("icmp slt", Value(index, "i64"), upper)
        self.line(f"br i1 {test.text}, label %{body}, label %{end}")
        self.start_block(body)
        with self.inside():
            yield Value(index, "i64")
        self.line(f"{following} = add nsw i64 {index}, {step}")
        self.line(f"br label %{head}")
        self.lines[slot] = (
            f"  {index} = phi i64 [ {lower.text}, %{before} ], [ {following}, %{self.block} ]"
        )
        self.start_block(end)
