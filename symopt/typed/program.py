"""The typed program: every name resolved, every shape known, everything in index form.

Array notation is gone: a definition has axes, and its body is a scalar at one point of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from symopt.primitives.record import Elementwise
from symopt.source import Source, Span
from symopt.syntax.tree import DataFile, Packing
from symopt.typed.packing import stored_shape
from symopt.types import Integer, Range, Step


def _place() -> Span:
    return field(compare=False, repr=False)


# ── scalars ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Count:
    """An integer used as a number: a dim, a loop index, an entry of an index array."""

    value: Integer


@dataclass(frozen=True, slots=True)
class Read:
    """One element of a tensor of reals."""

    tensor: str
    indices: tuple[Integer, ...]
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Sum:
    terms: tuple[Scalar, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Product:
    factors: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class IntegerPower:
    base: Scalar
    exponent: int


@dataclass(frozen=True, slots=True)
class Apply:
    """A primitive function of scalars."""

    function: Elementwise
    arguments: tuple[Scalar, ...]
    span: Span = _place()


ReductionName = Literal[
    "sum", "prod", "max", "min", "logsumexp", "inverse", "cholesky", "determinant", "logdet"
]


@dataclass(frozen=True, slots=True)
class Reduce:
    """`body` reduced over loops of its own; a filter has already selected the identity.

    Where that makes a matrix of a matrix, this is its element `at` a row and a column.
    """

    reduction: ReductionName
    loops: tuple[Range, ...]
    body: Scalar
    span: Span = _place()
    at: tuple[Integer, ...] = field(default=(), kw_only=True)


Scalar = Number | Count | Read | Sum | Product | IntegerPower | Apply | Reduce

# ── declarations and definitions ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class DimInfo:
    """A named size and, where the file gives one, its default."""

    name: str
    default: int | None
    description: str | None
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Data:
    """An array given at run time: of reals, or, with `index_of`, of indices below that size."""

    name: str
    shape: tuple[Integer, ...]
    index_of: Integer | None
    default: str | None  # the setup definition that computes it
    description: str | None
    file: DataFile | None  # what it is read from, unless it is given
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a parameter's bounds, computed by a setup definition."""

    definition: str
    open: bool


@dataclass(frozen=True, slots=True)
class Param:
    """An array of unknowns; `init`, `lower` and `upper` name setup definitions.

    With a packing, only some entries of the last two axes are unknowns; starts and bounds are given
    for all of them.
    """

    name: str
    shape: tuple[Integer, ...]
    init: str | None
    lower: Side | None
    upper: Side | None
    description: str | None
    packing: Packing | None
    span: Span = field(kw_only=True, compare=False, repr=False)

    @property
    def stored_shape(self) -> tuple[Integer, ...]:
        """The shape of the unknowns, as they stand in the flat vector."""
        return self.shape if self.packing is None else stored_shape(self.packing, self.shape)


@dataclass(frozen=True, slots=True)
class RandomDraw:
    """Standard random numbers that a start value reads as if they were data."""

    name: str
    shape: tuple[Integer, ...]
    distribution: Literal["normal", "uniform"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What only data can tell: the state that a recurrence reads at `place` comes before `step`.

    That is over `loops`; with `backward`, it comes after.
    """

    place: Integer
    step: Integer
    loops: tuple[Range, ...]
    backward: bool
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Definition:
    """`name[target] = body` (or `+=`) for every point of `axes`; `shape` bounds the target.

    `origin` is the least index of each axis as written: a definition over `range(1, n)` has no
    element 0; `target` and `shape` count from the origin.
    `auxiliary` definitions were introduced to share a value and have no name in the file.
    A name may have several definitions, its cases. Definitions that need each other stand side by
    side and share `steps`, which the first of their axes take one after another.
    """

    name: str
    axes: tuple[Range, ...]
    target: tuple[Integer, ...]
    shape: tuple[Integer, ...]
    origin: tuple[Integer, ...]
    body: Scalar
    accumulate: bool
    auxiliary: bool
    mark: Literal["model", "residual", "report"] | None
    description: str | None
    steps: tuple[Step, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    span: Span = field(kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A stable form taken in place of what is written at `span`, as a rule in words.

    `through` are the definitions that had to be looked into, where the rest of it is written.
    """

    span: Span
    before: str
    after: str
    through: tuple[Span, ...] = ()


# ── expectations ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is looked at after a fit: the objective, or an element of a parameter or definition.

    `stderr` is that element's standard error. Indices are as written, and may mention dims.
    """

    kind: Literal["objective", "value", "stderr"]
    name: str
    place: tuple[Integer, ...]


@dataclass(frozen=True, slots=True)
class Expectation:
    """`quantity comparison value`; with `==`, up to `tolerance` times the value, or, of 0, that.

    `text` is the line.
    """

    quantity: Quantity
    comparison: Literal["<", "<=", ">", ">=", "=="]
    value: float
    tolerance: float
    text: str
    span: Span = _place()


@dataclass(frozen=True, slots=True)
class Finite:
    """Value and gradient are finite at the start."""

    text: str
    span: Span = _place()


@dataclass(frozen=True)
class Program:
    """What a file means. `definitions` are in an order in which each reads only earlier ones."""

    source: Source = field(repr=False)
    dims: Mapping[str, DimInfo]
    data: Mapping[str, Data]
    params: Mapping[str, Param]
    draws: tuple[RandomDraw, ...]
    setup: tuple[Definition, ...]
    definitions: tuple[Definition, ...]
    objective: str | None
    maximize: bool
    least_squares: bool  # the objective is the plain sum of squares of all residuals
    sample: str | None
    rewrites: tuple[Rewrite, ...] = ()
    expectations: tuple[Expectation | Finite, ...] = ()
    sources: tuple[Source, ...] = field(default=(), repr=False)  # this file, then those imported

    def marked(self, *marks: str) -> tuple[str, ...]:
        """Names of the definitions with one of these marks, in source order."""
        return tuple(dict.fromkeys(d.name for d in self.definitions if d.mark in marks))
