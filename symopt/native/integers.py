"""Index arithmetic: integer polynomials as i64 instructions, wide where they depend on the lane."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from symopt.native.text import FunctionText, Value
from symopt.types import Atom, Clamp, Dim, Entry, Index, Integer, Quotient, Remainder


@dataclass(slots=True)
class IntegerEmitter:
    """Emits integers in one function; `indices` holds the loops that are open."""

    text: FunctionText
    dims: Mapping[str, Value]
    bases: Mapping[str, str]  # addresses of integer arrays
    shapes: Mapping[str, tuple[Integer, ...]]
    indices: dict[str, Value] = field(default_factory=dict)
    fixed: dict[str, Integer] = field(default_factory=dict)  # indices of unrolled loops
    entries: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)  # arrays compiled in
    # The entries of all lanes at once, where they lie one after another.
    in_a_row: Callable[[str, tuple[Integer, ...]], Value | None] = lambda tensor, places: None

    def closed(self, value: Integer) -> Integer:
        """The polynomial with what is known now as numbers."""
        value = value.substitute(self.fixed)
        return value.with_entries(self.entries) if value.tensors & self.entries.keys() else value

    def emit(self, value: Integer) -> Value:
        """The value of a polynomial."""
        value = self.closed(value)
        total: Value | None = None
        for monomial, coefficient in value.terms:
            product: Value | None = None
            for item in monomial:
                factor = self._atom(item)
                product = factor if product is None else self._operate("mul", product, factor)
            if product is None:
                product = self.text.integer(coefficient)
            elif coefficient != 1:
                product = self._operate("mul", product, self.text.integer(coefficient))
            total = product if total is None else self._operate("add", total, product)
        return total or self.text.integer(0)

    def flat(self, place: tuple[Integer, ...], shape: tuple[Integer, ...]) -> Value:
        """The row-major position of an element."""
        total: Value | None = None
        for part, size in zip(place, shape, strict=True):
            here = self.emit(part)
            if total is None:
                total = here
            else:
                total = self._operate("add", self._operate("mul", total, self.emit(size)), here)
        return total or self.text.integer(0)

    def _operate(self, operation: str, a: Value, b: Value) -> Value:
        return self.text.operate(operation, a, b, flags="nsw")

    def _atom(self, item: Atom) -> Value:
        match item:
            case Dim(name):
                return self.dims[name]
            case Index(name):
                return self.indices[name]
            case Entry(tensor, places):
                return self._entry(tensor, places)
            case Quotient(a, b):
                return self._floored(self.emit(a), self.emit(b))[0]
            case Remainder(a, b):
                return self._floored(self.emit(a), self.emit(b))[1]
            case Clamp(value, extent):
                top = self._operate("sub", self.emit(extent), self.text.integer(1))
                low = self.text.intrinsic("llvm.smin", self.emit(value), top)
                return self.text.intrinsic("llvm.smax", low, self.text.integer(0))
            case _:
                assert_never(item)

    def _entry(self, tensor: str, places: tuple[Integer, ...]) -> Value:
        text = self.text
        block = self.in_a_row(tensor, places)
        if block is not None:
            return block
        position = self.flat(places, self.shapes[tensor])
        if not position.wide:
            return text.load(
                text.element(self.bases[tensor], position), "i64", False, constant=True
            )
        parts = [
            text.load(
                text.element(self.bases[tensor], text.lane(position, lane)),
                "i64",
                False,
                constant=True,
            )
            for lane in range(text.lanes)
        ]
        return text.from_lanes(parts)

    def _floored(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Quotient and remainder rounded to minus infinity, as in Python; 0 where b is 0."""
        text, zero, one = self.text, self.text.integer(0), self.text.integer(1)
        if b.text.lstrip("-").isdigit() and int(b.text):
            return self._floored_safely(a, b)
        # The processor traps on a division by zero.
        vanishes = text.compare("icmp eq", b, zero)
        quotient, remainder = self._floored_safely(a, text.select(vanishes, one, b))
        return text.select(vanishes, zero, quotient), text.select(vanishes, zero, remainder)

    def _floored_safely(self, a: Value, b: Value) -> tuple[Value, Value]:
        text, zero, one = self.text, self.text.integer(0), self.text.integer(1)
        quotient, remainder = text.operate("sdiv", a, b), text.operate("srem", a, b)
        inexact = text.compare("icmp ne", remainder, zero)
        signs = text.compare("icmp slt", text.operate("xor", remainder, b), zero)
        adjust = text.operate("and", inexact, signs)
        lower = text.select(adjust, text.operate("sub", quotient, one), quotient)
        return lower, text.select(adjust, text.operate("add", remainder, b), remainder)
