"""Loops and buffers: what runs, in which order, and where every value is kept.

A kernel is a list of nodes. A `Pass` runs over the sample axis and carries everything that looks
only at its own sample; inside it, `LOCAL` buffers hold one value per lane and sample, so memory
does not grow with the number of samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import sympy

from symopt.source import Span
from symopt.statements.program import Read, Reduction, Winner
from symopt.types import Integer, Range, constant


class Storage(Enum):
    """Who owns a buffer, and for how long."""

    GIVEN = "given"  # data, parameters, seeds: the caller's, only read
    OUTPUT = "output"  # the caller's, written
    WORKSPACE = "workspace"  # made once, reused by every call
    LOCAL = "local"  # one sample's values, per lane
    PARTIAL = "partial"  # a sum per lane while a pass runs, brought together after it


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array in memory; one of shape () lives in a register while the kernel runs."""

    name: str
    shape: tuple[Integer, ...]
    storage: Storage
    integers: bool = False

    @property
    def by_lane(self) -> bool:
        """Whether every lane has elements of its own."""
        return self.storage in (Storage.LOCAL, Storage.PARTIAL)

    @property
    def small(self) -> bool:
        """Whether it can live on the stack of a call: by lane, of a few elements for all sizes."""
        count = constant(1)
        for size in self.shape:
            count = count * size
        number = count.value
        return self.by_lane and number is not None and number <= _MOST_ON_STACK

    @property
    def passed(self) -> bool:
        """Whether the caller passes its address."""
        if self.shape:
            return not self.small
        return self.storage in (Storage.GIVEN, Storage.OUTPUT)


_MOST_ON_STACK = 64


@dataclass(frozen=True, slots=True)
class Fill:
    """Every element of a buffer becomes `value`."""

    buffer: str
    value: float


@dataclass(frozen=True, slots=True)
class Update:
    """A loop nest: `target[place] ⊕= expression` at every point.

    `first` promises that each element is visited once and not written before: no need to fill.
    """

    target: str
    place: tuple[Integer, ...]
    loops: tuple[Range, ...]
    reduction: Reduction
    expression: sympy.Expr
    reads: tuple[Read, ...]
    first: bool
    winner: Winner | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Pass:
    """The sample axis: the body runs for `lanes` samples at a time."""

    loop: Range
    lanes: int
    body: tuple[Fill | Update, ...]


@dataclass(frozen=True, slots=True)
class Collect:
    """Every element of `target` gains the lanes' sums in `partial`."""

    partial: str
    target: str


Node = Fill | Update | Pass | Collect


@dataclass(frozen=True, slots=True)
class Kernel:
    """One native function to be: its nodes in order, its buffers, the dims it needs at run time."""

    name: str
    nodes: tuple[Node, ...]
    buffers: Mapping[str, Buffer]
    outputs: tuple[str, ...]
    dims: tuple[str, ...]

    @property
    def lanes(self) -> int:
        """The widest pass."""
        return max((node.lanes for node in self.nodes if isinstance(node, Pass)), default=1)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Buffers that are passed by address, in order: all but registers and small arrays."""
        return tuple(name for name, buffer in self.buffers.items() if buffer.passed)
