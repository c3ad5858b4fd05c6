"""What there is to know of a compiled loss: its sizes, data, parameters and functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Packing = Literal["lower", "strict lower", "symmetric"]


@dataclass(frozen=True, slots=True)
class Place:
    """A declaration in the program: `file:line:column`, and its line, underlined."""

    file: str
    start: int  # the number of its first character
    position: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Size:
    """A size as written, the dims in it, and what computes it from these."""

    text: str
    dims: tuple[str, ...]
    of: Callable[[Mapping[str, int]], int]


Sizes = tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Dim:
    """A named size. One that is `compiled` in cannot have another value."""

    name: str
    default: int | None
    compiled: int | None
    description: str | None
    place: Place = field(repr=False)


@dataclass(frozen=True, slots=True)
class Data:
    """An array to be given; `below` is the size that it indexes.

    What it is otherwise: a number that fills it, an array written out, or what a function computes.
    """

    name: str
    shape: Sizes
    below: Size | None
    default: float | tuple[Any, ...] | str | None
    description: str | None
    place: Place = field(repr=False)


@dataclass(frozen=True, slots=True)
class Param:
    """An array of unknowns. With a packing, those are `stored`, one after another."""

    name: str
    shape: Sizes
    stored: Sizes
    packing: Packing | None
    open_lower: bool
    open_upper: bool
    description: str | None
    place: Place = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """An array that a function writes, or a number, which is a double whatever arrays are of."""

    shape: Sizes
    number: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A function in the library: its vectors by name, and what it writes.

    One that has the value of a definition is `of` that.
    """

    name: str
    inputs: tuple[tuple[str, Size], ...]
    results: tuple[Result, ...]
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """Random numbers that starts are made of."""

    shape: Sizes
    distribution: Literal["normal", "uniform"]


# Of dims, of loop indices as arrays with an element for each point, and of integer arrays.
Computed = Callable[[Mapping[str, int], Mapping[str, Any], Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Lookup:
    """What only data can tell: at each point of some loops, a value is right beside a limit.

    An index of `tensor` is inside its axis, or does not divide by 0; or a step of a recurrence
    comes before another one, or after it. Loops have an index, a lower and an upper edge; some
    indices are `shown`, as written.
    """

    statement: int  # several belong to one
    relation: Literal["inside", "defined", "before", "after"]
    loops: tuple[tuple[str, Computed, Computed], ...]
    value: Computed
    limit: Computed
    text: str
    tensor: str
    shown: tuple[tuple[str, str], ...]
    place: Place | None


@dataclass(frozen=True, slots=True)
class Specification:
    """All that there is to know of a compiled loss."""

    stem: str  # of its files, and what its functions begin with
    program: str
    version: str
    build: str  # what the library says that it is
    dtype: Literal["float64", "float32"]
    dims: tuple[Dim, ...]
    data: tuple[Data, ...]
    params: tuple[Param, ...]
    functions: tuple[Entry, ...]
    setups: tuple[Entry, ...]
    draws: tuple[Draw, ...]
    definitions: tuple[str, ...]
    cut: tuple[tuple[str, Sizes], ...]  # what residuals are, one after another
    lookups: tuple[Lookup, ...]
    maximize: bool
    least_squares: bool


def quotient(numerator: Any, denominator: Any, text: str) -> Any:
    """A number `//` another, or arrays of them."""
    if not np.all(denominator):
        raise ZeroDivisionError(f"division by zero in {text}")
    return numerator // denominator


def remainder(numerator: Any, denominator: Any, text: str) -> Any:
    """A number `%` another, or arrays of them."""
    if not np.all(denominator):
        raise ZeroDivisionError(f"division by zero in {text}")
    return numerator % denominator


def clamp(value: Any, extent: Any) -> Any:
    """An index moved into its axis."""
    return np.maximum(np.minimum(value, extent - 1), 0)
