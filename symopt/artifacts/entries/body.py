"""The body of one entry as it is written: sizes, addresses, checks that leave early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod

from symopt.artifacts.entries.status import Status
from symopt.artifacts.interface import Shape, in_numbers
from symopt.native.integers import IntegerEmitter
from symopt.native.text import FunctionText, Value, double_text
from symopt.types import Dim, Integer, Quotient, atom

_MOST_BYTES = 2.0**62


@dataclass(slots=True)
class Body:
    """Instructions of a function that gets sizes in the first words of `%data`.

    `sizes` are those that are compiled in, `dims` the others, in the order in which they are given.
    """

    head: str
    sizes: Mapping[str, int]
    dims: tuple[str, ...]
    text: FunctionText = field(default_factory=lambda: FunctionText(1))
    integers: IntegerEmitter = field(init=False)
    _exits: dict[str, str] = field(default_factory=dict)  # labels, by what is returned there

    def __post_init__(self) -> None:
        self.integers = IntegerEmitter(self.text, {}, {}, {})

    def finished(self, returned: str) -> str:
        """The function, which at its end returns a value."""
        ends = (line for value, to in self._exits.items() for line in (f"{to}:", f"  ret {value}"))
        lines = (f"{self.head} {{", "entry:", *self.text.head, *self.text.lines)
        return "\n".join([*lines, f"  ret {returned}", *ends, "}"])

    # ── leaving early ────────────────────────────────────────────────────────────────────────

    def leave_if(self, condition: Value, returned: str) -> None:
        """Return a value where a condition holds."""
        to = self._exits.setdefault(returned, f"exit{len(self._exits)}")
        on = self.text.name("go")[1:]
        self.text.line(f"br i1 {condition.text}, label %{to}, label %{on}")
        self.text.start_block(on)

    def fail_if(self, condition: Value, status: Status, *, negated: bool = False) -> None:
        """Return a status, or minus that as a size, where a condition holds."""
        self.leave_if(condition, f"i64 {-status}" if negated else f"i32 {int(status)}")

    def pass_on(self, call: str, *, negated: bool = False) -> None:
        """Return the status of a call, if that is not fine."""
        status = self.text.assign(call, "i32", False, pure=False)
        bad = self.text.compare("icmp ne", status, Value("0", "i32"))
        if not negated:
            self.leave_if(bad, f"i32 {status.text}")
            return
        wide = self.text.assign(f"sext i32 {status.text} to i64", "i64", False)
        minus = self.text.operate("sub", self.text.integer(0), wide)
        self.leave_if(bad, f"i64 {minus.text}")

    # ── memory ───────────────────────────────────────────────────────────────────────────────

    def slot(self, base: str, number: int) -> str:
        """The address of a word."""
        return self.text.element(base, self.text.integer(number), kind="i64")

    def word(self, base: str, number: int) -> Value:
        """A word of a record."""
        return self.text.load(self.slot(base, number), "i64", False)

    def pointer(self, base: str, number: int) -> str:
        """A pointer of a record."""
        return self.text.assign(f"load ptr, ptr {self.slot(base, number)}", "i64", False).text

    def put(self, pointer: str, base: str, number: int) -> None:
        """Store a pointer in a record."""
        self.text.line(f"store ptr {pointer}, ptr {self.slot(base, number)}")

    def words(self, count: int) -> str:
        """Room for some words on the stack."""
        name = self.text.name("a")
        self.text.head.append(f"  {name} = alloca [{max(count, 1)} x i64], align 8")
        return name

    def moved(self, pointer: str, by: Value) -> str:
        """A pointer, some bytes on."""
        if by.text == "0":
            return pointer
        return self.text.assign(
            f"getelementptr i8, ptr {pointer}, i64 {by.text}", "i64", False
        ).text

    def chosen(self, condition: Value, a: str, b: str) -> str:
        """One of two pointers."""
        text = f"select i1 {condition.text}, ptr {a}, ptr {b}"
        return self.text.assign(text, "i64", False).text

    def is_null(self, pointer: str) -> Value:
        return self.text.assign(f"icmp eq ptr {pointer}, null", "i1", False)

    # ── sizes ────────────────────────────────────────────────────────────────────────────────

    def load_dims(self) -> list[Value]:
        """Make the sizes known that are given, which have been looked at."""
        found = {name: self.word("%data", number) for number, name in enumerate(self.dims)}
        self.integers.dims = found
        return list(found.values())

    def number(self, size: Integer) -> Value:
        """A size as it is computed, which may be negative."""
        return self.integers.emit(in_numbers(size, self.sizes))

    def extent(self, shape: Shape) -> Value:
        """How many elements a shape has."""
        return self._product(shape, 0)

    def room_for(self, shape: Shape) -> Value:
        """How many elements a shape has if every axis has at least one."""
        return self._product(shape, 1)

    def total(self, shapes: Iterable[Shape]) -> Value:
        """How many elements some shapes have together."""
        found = self.text.integer(0)
        for shape in shapes:
            found = self.sum(found, self.extent(shape))
        return found

    def may_be_empty(self, shape: Shape) -> bool:
        """Whether that depends on sizes that are given."""
        numbers = (in_numbers(size, self.sizes).value for size in shape)
        return any(number is None or number <= 0 for number in numbers)

    def is_empty(self, shape: Shape) -> Value:
        return self.text.compare("icmp eq", self.extent(shape), self.text.integer(0))

    def is_missing(self, pointer: str, *shapes: Shape) -> Value:
        """Whether a pointer is null, although what it points to has elements."""
        missing = self.is_null(pointer)
        if not any(map(self.may_be_empty, shapes)):
            return missing
        filled = self.text.compare("icmp sgt", self.total(shapes), self.text.integer(0))
        return self.text.operate("and", missing, filled)

    def sum(self, a: Value, b: Value) -> Value:
        if "0" in (a.text, b.text):
            return b if a.text == "0" else a
        if a.text.isdigit() and b.text.isdigit():
            return self.text.integer(int(a.text) + int(b.text))
        return self.text.operate("add", a, b)

    def times(self, a: Value, number: int) -> Value:
        if a.text.isdigit():
            return self.text.integer(int(a.text) * number)
        return a if number == 1 else self.text.operate("mul", a, self.text.integer(number))

    def _product(self, shape: Shape, least: int) -> Value:
        sizes = [in_numbers(size, self.sizes) for size in shape]
        known = prod(max(size.value, least) for size in sizes if size.value is not None)
        found: Value | None = None
        for size in sizes:
            if size.value is None:
                here = self.integers.emit(size)
                here = self.text.intrinsic("llvm.smax", here, self.text.integer(least))
                found = here if found is None else self.text.operate("mul", found, here)
        return self.text.integer(known) if found is None else self.times(found, known)

    def too_large(self, shapes: Iterable[Shape], copies: int = 1) -> Value:
        """Whether arrays of these shapes cannot be: their bytes have more digits than an address.

        In doubles, which do not overflow where whole numbers do.
        """
        text, total = self.text, self.text.number(0.0)
        for shape in shapes:
            if any(in_numbers(size, self.sizes).value is None for size in shape):
                product = text.number(8.0 * copies)
                for size in shape:
                    # An axis without elements has room for one, and none is 0 / 0.
                    least = text.intrinsic("llvm.maxnum", self._estimate(size), text.number(1.0))
                    product = text.operate("fmul", product, least)
                total = text.operate("fadd", total, product)
        return text.compare("fcmp ogt", total, text.number(_MOST_BYTES))

    def _estimate(self, size: Integer) -> Value:
        text, total = self.text, self.text.number(0.0)
        for monomial, coefficient in in_numbers(size, self.sizes).terms:
            product = text.number(float(coefficient))
            for item in monomial:
                match item:
                    case Dim(name):
                        factor = text.converted(self.integers.dims[name], "double")
                    case Quotient(numerator, denominator):
                        above, below = self._estimate(numerator), self._estimate(denominator)
                        factor = text.operate("fdiv", above, below)
                    case _:
                        factor = text.converted(self.integers.emit(atom(item)), "double")
                product = text.operate("fmul", product, factor)
            total = text.operate("fadd", total, product)
        return total


def double(value: float) -> str:
    """A constant of doubles."""
    return f"double {double_text(value)}"
