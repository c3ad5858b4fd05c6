"""Loops and buffers: what runs, in which order, and where every value is kept.

A kernel is a list of nodes. A `Pass` runs over the sample axis and carries everything that looks
only at its own sample, so memory does not grow with the number of samples. It goes tile by tile,
and through each tile in phases, each phase in blocks of `lanes` samples: `LOCAL` buffers hold what
one block of one phase needs, `TILE` buffers what is handed from phase to phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
import sympy
from numpy.typing import NDArray

from symopt.source import Span
from symopt.statements.program import MATRIX_LOOPS, Read, Reduction, Winner
from symopt.types import Integer, Range, constant

SAMPLE = "sample"  # the index of every pass


class Storage(Enum):
    """Who owns a buffer, and for how long."""

    GIVEN = "given"  # data, parameters, seeds: the caller's, only read
    OUTPUT = "output"  # the caller's, written
    WORKSPACE = "workspace"  # made once, reused by every call
    LOCAL = "local"  # a block's values, per lane
    TILE = "tile"  # a tile's values, per block and lane
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
        return self.storage in (Storage.LOCAL, Storage.TILE, Storage.PARTIAL)

    @property
    def of_samples(self) -> bool:
        """Whether its values are those of the samples at hand, and gone with them."""
        return self.storage in (Storage.LOCAL, Storage.TILE)

    @property
    def small(self) -> bool:
        """Whether it can live on the stack of a call: by lane, of a few elements for all sizes."""
        count = constant(1)
        for size in self.shape:
            count = count * size
        number = count.value
        most = 0 if self.storage is Storage.TILE else _MOST_ON_STACK
        return self.by_lane and number is not None and number <= most

    @property
    def passed(self) -> bool:
        """Whether the caller passes its address."""
        if self.shape:
            return not self.small
        return self.storage in (Storage.GIVEN, Storage.OUTPUT, Storage.TILE)


_MOST_ON_STACK = 64  # elements
_MOST_COLUMNS_WRITTEN_OUT = 64


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

    @property
    def of_matrix(self) -> bool:
        """Whether all points of the last loops are one function of a whole matrix."""
        return self.reduction in MATRIX_LOOPS

    @property
    def seen(self) -> frozenset[str]:
        """The indices that the target sees: those of all other loops are reduced over."""
        return frozenset().union(*(part.indices for part in self.place))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a row-major array that belong to the samples at hand, one vector per column.

    Elements `first` and on, of the part of `array` that the axes after `place` span, go to
    `columns`, or where they are written come from there.
    """

    array: str
    place: tuple[Integer, ...]  # of the leading axes; depends on the sample
    first: int
    columns: str  # a buffer of one axis
    write: bool = False

    @staticmethod
    def written_out(width: int) -> bool:
        """Whether so many columns are moved without a loop."""
        return width <= _MOST_COLUMNS_WRITTEN_OUT


@dataclass(frozen=True, slots=True)
class Steps:
    """The body at every point of a loop, one after another; from the last point if `backward`."""

    loop: Range
    backward: bool
    body: tuple[Update | Steps, ...]

    @property
    def updates(self) -> tuple[Update, ...]:
        """All updates, also those of steps inside."""
        found = ((part,) if isinstance(part, Update) else part.updates for part in self.body)
        return tuple(update for some in found for update in some)

    @property
    def loops(self) -> tuple[Range, ...]:
        """This loop and those of all steps inside."""
        inner = (part.loops for part in self.body if isinstance(part, Steps))
        return (self.loop, *(loop for some in inner for loop in some))

    @property
    def written(self) -> frozenset[str]:
        """The buffers that the body writes."""
        winners = (update.winner.tensor for update in self.updates if update.winner)
        return frozenset(update.target for update in self.updates).union(winners)


Part = Fill | Update | Rows | Steps


def updates_of(part: Part) -> tuple[Update, ...]:
    """The updates of a part."""
    match part:
        case Update():
            return (part,)
        case Steps():
            return part.updates
        case Fill() | Rows():
            return ()


def touched(part: Part) -> tuple[str, ...]:
    """The buffers that a part reads or writes."""
    match part:
        case Steps():
            return tuple(dict.fromkeys(name for inner in part.body for name in touched(inner)))
        case Fill(buffer):
            return (buffer,)
        case Rows():
            return part.array, part.columns
        case Update():
            reads = (read.tensor for read in part.reads if read.tensor)
            return (part.target, *((part.winner.tensor,) if part.winner else ()), *reads)


def with_names(part: Part, names: Mapping[str, str]) -> Part:
    """The part with some buffers by other names."""

    def of(name: str) -> str:
        return names.get(name, name)

    match part:
        case Steps():
            inner = (with_names(inner, names) for inner in part.body)
            body = tuple(inner for inner in inner if isinstance(inner, Update | Steps))
            return replace(part, body=body)
        case Fill():
            return replace(part, buffer=of(part.buffer))
        case Rows():
            return replace(part, array=of(part.array), columns=of(part.columns))
        case Update():
            winner = part.winner
            return replace(
                part,
                target=of(part.target),
                reads=tuple(
                    replace(read, tensor=of(read.tensor)) if read.tensor else read
                    for read in part.reads
                ),
                winner=replace(winner, tensor=of(winner.tensor)) if winner else None,
            )


@dataclass(frozen=True, slots=True)
class Phase:
    """Part of a pass: at every point of the loops, for every block of the tile, the body.

    Sums over samples are kept in registers over the blocks of a tile. Those that would need more
    registers than there are come in `sums`: they run after the body, so many of their elements at
    a time, through the blocks once more for each lot.
    """

    loops: tuple[Range, ...]
    body: tuple[Part, ...]
    sums: tuple[Update, ...] = ()


@dataclass(frozen=True, slots=True)
class Pass:
    """The sample axis, in tiles of `blocks` times `lanes` samples; None: all samples are one tile.

    An update of up to `written_out` operations is emitted once for each of its points; sums over
    samples are taken `registers` at a time.
    """

    loop: Range
    lanes: int
    blocks: int | None
    phases: tuple[Phase, ...]
    written_out: int = 64
    registers: int = 24

    @property
    def body(self) -> tuple[Part, ...]:
        """The parts of all phases."""
        return tuple(part for phase in self.phases for part in (*phase.body, *phase.sums))


@dataclass(frozen=True, slots=True)
class Collect:
    """Every element of `target` gains the lanes' sums in `partial`."""

    partial: str
    target: str


Node = Fill | Update | Steps | Pass | Collect


@dataclass(frozen=True, slots=True)
class Kernel:
    """One native function to be: its nodes in order, its buffers, the dims it needs at run time."""

    name: str
    nodes: tuple[Node, ...]
    buffers: Mapping[str, Buffer]
    outputs: tuple[str, ...]
    dims: tuple[str, ...]
    entries: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)  # compiled in
    single: bool = False  # whether its values are floats
    doubles: frozenset[str] = frozenset()  # buffers of doubles all the same
    positions: frozenset[str] = frozenset()  # those of them that hold positions
    numbers: frozenset[str] = frozenset()  # outputs that are handed out as numbers, not in arrays

    def is_single(self, name: str) -> bool:
        """Whether a buffer holds floats, rather than doubles or integers."""
        return self.single and name not in self.doubles and not self.buffers[name].integers

    @property
    def lanes(self) -> int:
        """The widest pass."""
        return max((node.lanes for node in self.nodes if isinstance(node, Pass)), default=1)

    @property
    def blocks(self) -> int:
        """The most blocks in a tile: how often a `TILE` buffer is repeated."""
        return max((node.blocks or 1 for node in self.nodes if isinstance(node, Pass)), default=1)

    def copies(self, name: str) -> int:
        """How many values an element of a buffer has room for."""
        match self.buffers[name].storage:
            case Storage.TILE:
                return self.lanes * self.blocks
            case Storage.LOCAL | Storage.PARTIAL:
                return self.lanes
            case _:
                return 1

    @property
    def arguments(self) -> tuple[str, ...]:
        """Buffers that are passed by address, in order: all but registers and small arrays."""
        return tuple(name for name, buffer in self.buffers.items() if buffer.passed)
