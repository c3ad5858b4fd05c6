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
from symopt.types import Integer, Range


class Storage(Enum):
    """Who owns a buffer, and for how long."""

    GIVEN = "given"  # data, parameters, seeds: the caller's, only read
    OUTPUT = "output"  # the caller's, written
    WORKSPACE = "workspace"  # made once, reused by every call
    LOCAL = "local"  # one sample's values, per lane


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array in memory; one of shape () lives in a register while the kernel runs."""

    name: str
    shape: tuple[Integer, ...]
    storage: Storage
    integers: bool = False


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


Node = Fill | Update | Pass


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
        """Buffers that are passed by address, in order: all but registers."""
        return tuple(
            name
            for name, buffer in self.buffers.items()
            if buffer.shape or buffer.storage in (Storage.GIVEN, Storage.OUTPUT)
        )
