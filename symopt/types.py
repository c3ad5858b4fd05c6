"""Sizes and index maps: canonical integer polynomials over dims, loop indices and integer data.

Two sizes are equal exactly when their `Integer` values are, so `n - 1 + 1` and `n` agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, assert_never

import numpy as np


@dataclass(frozen=True, slots=True)
class Dim:
    """A named size, known once data is bound."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A loop index."""

    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of an integer array: `cam[k]`."""

    tensor: str
    indices: tuple[Integer, ...]


@dataclass(frozen=True, slots=True)
class Quotient:
    """`numerator // denominator`, floored."""

    numerator: Integer
    denominator: Integer


@dataclass(frozen=True, slots=True)
class Remainder:
    """`numerator % denominator`, floored."""

    numerator: Integer
    denominator: Integer


@dataclass(frozen=True, slots=True)
class Clamp:
    """`value` moved into `range(extent)`: the index of a read whose value may be selected away."""

    value: Integer
    extent: Integer


Atom = Dim | Index | Entry | Quotient | Remainder | Clamp
Monomial = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Integer:
    """A polynomial with integer coefficients, its terms sorted and without zeros."""

    terms: tuple[tuple[Monomial, int], ...]
    # What it mentions is asked for again and again: found once.
    _mentioned: _Mentioned | None = field(default=None, init=False, compare=False, repr=False)

    def __add__(self, other: Integer | int) -> Integer:
        total = dict(self.terms)
        for monomial, coefficient in as_integer(other).terms:
            total[monomial] = total.get(monomial, 0) + coefficient
        return _canonical(total)

    __radd__ = __add__

    def __neg__(self) -> Integer:
        return Integer(tuple((monomial, -coefficient) for monomial, coefficient in self.terms))

    def __sub__(self, other: Integer | int) -> Integer:
        return self + -as_integer(other)

    def __mul__(self, other: Integer | int) -> Integer:
        total: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in as_integer(other).terms:
                monomial = left + right
                if left and right:
                    monomial = tuple(sorted(monomial, key=_place))
                total[monomial] = total.get(monomial, 0) + a * b
        return _canonical(total)

    __rmul__ = __mul__

    def __floordiv__(self, other: Integer) -> Integer:
        if self.value is not None and other.value:
            return constant(self.value // other.value)
        return self if other.value == 1 else atom(Quotient(self, other))

    def __mod__(self, other: Integer) -> Integer:
        if self.value is not None and other.value:
            return constant(self.value % other.value)
        return atom(Remainder(self, other))

    @property
    def value(self) -> int | None:
        """The number this is, or None where it depends on anything."""
        if not self.terms:
            return 0
        (monomial, coefficient), *others = self.terms
        return coefficient if not monomial and not others else None

    @property
    def index(self) -> str | None:
        """The loop index this is (`i`, with nothing added), or None."""
        if len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1:
            only = self.terms[0][0][0]
            return only.name if isinstance(only, Index) else None
        return None

    def atoms(self) -> Iterator[Atom]:
        """Every atom, also those inside entries, quotients and clamps."""
        for monomial, _ in self.terms:
            for item in monomial:
                yield item
                for part in _parts(item):
                    yield from part.atoms()

    @property
    def indices(self) -> frozenset[str]:
        return self._mentions().indices

    @property
    def dims(self) -> frozenset[str]:
        return self._mentions().dims

    @property
    def tensors(self) -> frozenset[str]:
        """The integer arrays this reads."""
        return self._mentions().tensors

    def _mentions(self) -> _Mentioned:
        found = self._mentioned
        if found is None:
            atoms = list(self.atoms())
            found = _Mentioned(
                frozenset(item.name for item in atoms if isinstance(item, Index)),
                frozenset(item.name for item in atoms if isinstance(item, Dim)),
                frozenset(item.tensor for item in atoms if isinstance(item, Entry)),
            )
            object.__setattr__(self, "_mentioned", found)
        return found

    def substitute(self, indices: Mapping[str, Integer]) -> Integer:
        """The same with loop indices replaced."""
        if not self.indices & indices.keys():
            return self
        return self.replaced({Index(name): value for name, value in indices.items()})

    def with_sizes(self, dims: Mapping[str, Integer]) -> Integer:
        """The same with dims replaced."""
        if not self.dims & dims.keys():
            return self
        return self.replaced({Dim(name): value for name, value in dims.items()})

    def with_entries(self, arrays: Mapping[str, Any]) -> Integer:
        """The same with entries of these integer arrays, at places that are numbers, replaced."""
        found: dict[Atom, Integer] = {
            item: constant(arrays[item.tensor][tuple(place.value for place in item.indices)])
            for item in self.atoms()
            if isinstance(item, Entry)
            and item.tensor in arrays
            and all(place.value is not None for place in item.indices)
        }
        return self.replaced(found) if found else self

    def replaced(self, atoms: Mapping[Atom, Integer]) -> Integer:
        total = constant(0)
        for monomial, coefficient in self.terms:
            product = constant(coefficient)
            for item in monomial:
                product = product * _replaced_atom(item, atoms)
            total = total + product
        return total

    def __str__(self) -> str:
        return polynomial_text(self, atom_text, "*")


class _Mentioned(NamedTuple):
    indices: frozenset[str]
    dims: frozenset[str]
    tensors: frozenset[str]


def _canonical(total: Mapping[Monomial, int]) -> Integer:
    kept = [(monomial, coefficient) for monomial, coefficient in total.items() if coefficient]
    if len(kept) > 1:
        # The constant goes last, as people write it: n - 1.
        kept.sort(key=lambda term: (not term[0], tuple(map(_place, term[0]))))
    return Integer(tuple(kept))


@lru_cache(maxsize=4096)
def _place(item: Atom) -> str:
    """Where an atom comes among others."""
    return str(item)


def constant(value: int) -> Integer:
    return Integer((((), int(value)),) if value else ())


def atom(item: Atom) -> Integer:
    return Integer((((item,), 1),))


def dim(name: str) -> Integer:
    return atom(Dim(name))


def index(name: str) -> Integer:
    return atom(Index(name))


def flat_place(place: Iterable[Integer], shape: Iterable[Integer]) -> Integer:
    """The row-major position of an element."""
    total = constant(0)
    for part, size in zip(place, shape, strict=True):
        total = total * size + part
    return total


def as_integer(value: Integer | int) -> Integer:
    return value if isinstance(value, Integer) else constant(value)


def _parts(item: Atom) -> tuple[Integer, ...]:
    match item:
        case Dim() | Index():
            return ()
        case Entry(_, indices):
            return indices
        case Quotient(numerator, denominator) | Remainder(numerator, denominator):
            return numerator, denominator
        case Clamp(value, extent):
            return value, extent
        case _:
            assert_never(item)


def _replaced_atom(item: Atom, atoms: Mapping[Atom, Integer]) -> Integer:
    def inner(value: Integer) -> Integer:
        return value.replaced(atoms)

    match item:
        case Index() | Dim():
            return atoms.get(item) or atom(item)
        case Entry(tensor, places):
            return atoms.get(item) or atom(Entry(tensor, tuple(map(inner, places))))
        case Quotient(a, b):
            return inner(a) // inner(b)
        case Remainder(a, b):
            return inner(a) % inner(b)
        case Clamp(value, extent):
            return _clamped(inner(value), inner(extent))
        case _:
            assert_never(item)


def _clamped(value: Integer, extent: Integer) -> Integer:
    if value.value is not None and extent.value is not None:
        return constant(max(0, min(value.value, extent.value - 1)))
    return atom(Clamp(value, extent))


def polynomial_text(value: Integer, factor: Callable[[Atom], str], times: str) -> str:
    """The sum of products as text, from the text of each atom."""
    text = ""
    for monomial, coefficient in value.terms:
        factors = [factor(item) for item in monomial]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, str(abs(coefficient)))
        sign = "-" if coefficient < 0 else "+"
        body = times.join(factors)
        text += f" {sign} {body}" if text else (f"-{body}" if sign == "-" else body)
    return text or "0"


def atom_text(item: Atom) -> str:
    match item:
        case Dim(name) | Index(name):
            return name
        case Entry(tensor, indices):
            return f"{tensor}[{', '.join(map(str, indices))}]"
        case Quotient(a, b):
            return f"({a})//({b})"
        case Remainder(a, b):
            return f"({a})%({b})"
        case Clamp(value, extent):
            return f"clamp({value}, {extent})"
        case _:
            assert_never(item)


def evaluate(
    value: Integer,
    dims: Mapping[str, int],
    indices: Mapping[str, Any],
    tensors: Mapping[str, Any],
) -> Any:
    """The value as an int, or an int64 array where an index is one.

    Raises ZeroDivisionError, naming the quotient, where a divisor is 0.
    """
    total: Any = 0
    for monomial, coefficient in value.terms:
        product: Any = coefficient
        for item in monomial:
            product = product * _evaluate_atom(item, dims, indices, tensors)
        total = total + product
    return total


def _evaluate_atom(
    item: Atom,
    dims: Mapping[str, int],
    indices: Mapping[str, Any],
    tensors: Mapping[str, Any],
) -> Any:
    def inner(part: Integer) -> Any:
        return evaluate(part, dims, indices, tensors)

    match item:
        case Dim(name):
            return dims[name]
        case Index(name):
            return indices[name]
        case Entry(tensor, places):
            return tensors[tensor][tuple(inner(place) for place in places)]
        case Quotient(a, b):
            return inner(a) // _divisor(inner(b), item)
        case Remainder(a, b):
            return inner(a) % _divisor(inner(b), item)
        case Clamp(part, extent):
            return np.maximum(np.minimum(inner(part), inner(extent) - 1), 0)
        case _:
            assert_never(item)


def _divisor(value: Any, item: Atom) -> Any:
    if not np.all(value):
        raise ZeroDivisionError(f"division by zero in {atom_text(item)}")
    return value


Interval = tuple[int, int]


def interval(
    value: Integer,
    dims: Mapping[str, int],
    indices: Mapping[str, Interval],
    entries: Callable[[str], Interval],
) -> Interval:
    """Bounds (least, greatest) by interval arithmetic; `entries` bounds an integer array."""
    low = high = 0
    for monomial, coefficient in value.terms:
        a = b = coefficient
        for item in monomial:
            c, d = _atom_interval(item, dims, indices, entries)
            corners = (a * c, a * d, b * c, b * d)
            a, b = min(corners), max(corners)
        low, high = low + a, high + b
    return low, high


def _atom_interval(
    item: Atom,
    dims: Mapping[str, int],
    indices: Mapping[str, Interval],
    entries: Callable[[str], Interval],
) -> Interval:
    def inner(part: Integer) -> Interval:
        return interval(part, dims, indices, entries)

    match item:
        case Dim(name):
            return dims[name], dims[name]
        case Index(name):
            return indices[name]
        case Entry(tensor, _):
            return entries(tensor)
        case Quotient(a, b):
            (low, high), (least, greatest) = inner(a), inner(b)
            if least <= 0:
                return -max(abs(low), abs(high)), max(abs(low), abs(high))
            corners = (low // least, low // greatest, high // least, high // greatest)
            return min(corners), max(corners)
        case Remainder(a, b):
            (low, high), (_, greatest) = inner(a), inner(b)
            return (low, high) if low >= 0 and high < inner(b)[0] else (0, max(greatest - 1, 0))
        case Clamp(part, extent):
            (low, high), (_, size) = inner(part), inner(extent)
            top = max(size - 1, 0)
            return max(min(low, top), 0), max(min(high, top), 0)
        case _:
            assert_never(item)


@dataclass(frozen=True, slots=True)
class Range:
    """A loop: `index` runs from `lower` up to, not including, `upper`."""

    index: str
    lower: Integer
    upper: Integer

    def __str__(self) -> str:
        bounds = f"{self.upper}" if self.lower.value == 0 else f"{self.lower}, {self.upper}"
        return f"{self.index} in range({bounds})"


def depends_on(wanted: frozenset[str], ranges: Mapping[str, Range]) -> frozenset[str]:
    """`wanted` with every outer index that the ranges of these indices mention."""
    found: set[str] = set()
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(ranges[name].lower.indices | ranges[name].upper.indices)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Step:
    """A loop whose points run one after another: what shares the name runs point by point.

    `backward` begins at the last point.
    """

    name: str
    backward: bool = False
