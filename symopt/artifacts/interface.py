"""What compiled code offers to its callers: sizes, arrays, functions, and their names in C.

This is the contract between the native entries (`entries.py`) and everything that describes or
calls them: the C header, the Python module, the manifest, the generated tests.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from symopt.loops.program import Kernel
from symopt.precision import Precision
from symopt.syntax.tree import Packing
from symopt.typed import program as typed
from symopt.types import Integer, constant

Shape = tuple[Integer, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One tensor's share of a flat array.

    Without a `tensor`, all elements are `fill`. With a `packing`, the tensor is the full array, and
    the share are its unknowns.
    """

    tensor: str | None
    shape: Shape
    fill: float = 0.0
    packing: Packing | None = None
    full_shape: Shape = ()


@dataclass(frozen=True, slots=True)
class Operand:
    """An array that an entry reads or writes, and the tensors that lie in it one after another.

    A `number` is one double, whatever arrays are of; `matrix` is how people see the elements.
    """

    name: str
    parts: tuple[Part, ...]
    matrix: Shape
    number: bool = False

    @property
    def size(self) -> Integer:
        """How many elements it has."""
        return product(self.matrix)


@dataclass(frozen=True, slots=True)
class Entry:
    """One exported function: a kernel, the arrays that it is called with, and words for people.

    Without a kernel, all of its outputs are numbers that are known. A `lenient` one may be called
    before all data is there, and has `checks` of its own then. One that has the value of a
    definition is `of` that.
    """

    name: str
    kernel: Kernel | None
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    summary: str
    kind: Literal["loss", "setup"] = "loss"
    symmetric: bool = False  # of the first output, only the lower triangle is computed
    lenient: bool = False
    checks: tuple[Kernel, ...] = ()
    of: str | None = None

    @property
    def asked_for(self) -> str:
        """What people call it: a function of the loss, or a definition."""
        return self.of or self.name


@dataclass(frozen=True, slots=True)
class Field:
    """Data that a caller points to. `default` is the number that null stands for, if any."""

    name: str
    shape: Shape
    below: Integer | None
    default: float | None
    description: str | None

    @property
    def integers(self) -> bool:
        """Whether the elements are indices."""
        return self.below is not None


@dataclass(frozen=True)
class Interface:
    """All that compiled code offers. `sizes` are compiled in, all other dims are open."""

    stem: str
    program: typed.Program
    sizes: Mapping[str, int]
    precision: Precision
    fields: tuple[Field, ...]
    entries: tuple[Entry, ...]
    checks: tuple[Kernel, ...]  # of indices and places, each run after those before it
    cut: Mapping[str, Shape]  # what residuals are, by name
    draws: Operand | None  # random numbers that starts are made of

    @property
    def open_dims(self) -> tuple[str, ...]:
        """The sizes that a caller names, in the order of the program."""
        return tuple(name for name in self.program.dims if name not in self.sizes)

    @property
    def parameter_count(self) -> Integer:
        """The length of the flat vector of unknowns."""
        return sum((product(p.stored_shape) for p in self.program.params.values()), constant(0))

    @property
    def residual_count(self) -> Integer:
        """How many residuals there are."""
        return sum(map(product, self.cut.values()), constant(0))

    @property
    def functions(self) -> tuple[Entry, ...]:
        """The functions of the loss."""
        return tuple(entry for entry in self.entries if entry.kind == "loss")

    @property
    def setups(self) -> tuple[Entry, ...]:
        """The functions that compute starts, bounds and defaults."""
        return tuple(entry for entry in self.entries if entry.kind == "setup")

    @property
    def kernels(self) -> Mapping[str, Kernel]:
        """All kernels, by the names that they have in the module."""
        found = {one.name: one.kernel for one in self.entries if one.kernel is not None}
        found |= {check_name(number): one for number, one in enumerate(self.checks)}
        for entry in self.entries:
            found |= {check_name(k, entry.name): one for k, one in enumerate(entry.checks)}
        return found

    @cached_property
    def fingerprint(self) -> str:
        """What tells this interface from others: a library and its Python module have the same."""
        fields = [(one.name, str(one.shape), str(one.below)) for one in self.fields]
        entries = [(one.name, str(one.inputs), str(one.outputs)) for one in self.entries]
        facts = (self.stem, self.precision, sorted(self.sizes.items()), fields, entries)
        return hashlib.sha256(repr((*facts, self.program.source.text)).encode()).hexdigest()[:16]

    @property
    def real(self) -> str:
        """The C type of real numbers in arrays."""
        return "double" if self.precision == "float64" else "float"

    @cached_property
    def identifiers(self) -> Mapping[str, str]:
        """What sizes and data are called in C, by their names in the program."""
        names = (*self.open_dims, *(field.name for field in self.fields))
        return identifiers(names, taken=("checked", "finite"))


def check_name(number: int, entry: str = "") -> str:
    """What the kernel of some checks is called, of an entry or of all."""
    return f"{entry}_check{number}" if entry else f"check{number}"


def product(shape: Iterable[Integer]) -> Integer:
    """How many elements a shape has."""
    total = constant(1)
    for size in shape:
        total = total * size
    return total


def in_numbers(size: Integer, sizes: Mapping[str, int]) -> Integer:
    """A size with the dims that are compiled in as numbers."""
    return size.with_sizes({name: constant(value) for name, value in sizes.items()})


# ── names in C ───────────────────────────────────────────────────────────────────────────────────

# Of C99, of C++20, and what headers and compilers define that data may well be called.
_RESERVED = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t
    char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr
    constinit continue decltype default delete do double dynamic_cast else enum explicit export
    extern false float for friend goto if inline int int64_t long mutable namespace new noexcept not
    not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires
    restrict return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename typeof union unsigned using virtual void
    volatile wchar_t while xor xor_eq EOF I INFINITY NAN NULL complex errno far imaginary linux near
    small stderr stdin stdout unix CONST DELETE ERROR IN OPTIONAL OUT VOID interface
    """.split()  # noqa: SIM905 - as a list it would fill a page
)


def identifier(name: str) -> str:
    """The name in letters, digits and `_` of ASCII, and no keyword of C or C++."""
    found = "".join(_spelled(c) for c in unicodedata.normalize("NFKC", name))
    found = f"_{found}" if not found or found[0].isdigit() else found
    # Names like _Bool and __LINE__ are the compiler's.
    reserved = found in _RESERVED or re.match("_[_A-Z]", found)
    return f"{found}_" if reserved else found


def identifiers(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Identifiers for some names, all different."""
    used, found = set(taken), {}
    for name in names:
        spelled = identifier(name)
        while spelled in used:
            spelled += "_"
        used.add(spelled)
        found[name] = spelled
    return found


def _spelled(character: str) -> str:
    """A character in ASCII: `σ` is `sigma`."""
    if character.isascii():
        return character if character.isalnum() else "_"
    words = unicodedata.name(character, f"u{ord(character):x}").split(" WITH ")[0].split()
    spelled = words[-1].lower().replace("lamda", "lambda").replace("-", "_")
    return spelled.upper() if character.isupper() else spelled
