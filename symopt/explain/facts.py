"""The facts about what was compiled: of a program, its functions, their passes and phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from symopt.calls import SIGNATURES
from symopt.compiler import Compiled, Stages
from symopt.diagnostics import DataError, DerivativeUnavailable, Diagnostic, Kind
from symopt.explain.counts import Counts, Operations, operation_counts, phase_operations
from symopt.explain.formula import ONE, ZERO, Formula, number, points, size
from symopt.explain.places import IndexPlaces, index_places
from symopt.loops.program import (
    Buffer,
    Kernel,
    Pass,
    Phase,
    Rows,
    Steps,
    Storage,
    Update,
    touched,
    updates_of,
)
from symopt.loops.registers import in_registers
from symopt.loops.sizes import Fixed
from symopt.loops.work import written_out
from symopt.native.maths import Cpu
from symopt.native.targets import host
from symopt.precision import Precision
from symopt.statements.hoist import Hoisted
from symopt.typed.program import Rewrite
from symopt.types import Range

_DOUBLE, _SINGLE = 8, 4  # bytes


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is known of sizes and index arrays, to turn formulas into numbers."""

    dims: Mapping[str, int]
    arrays: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def number(self, formula: Formula) -> float | None:
        """The number that a formula is at these sizes, if all are known."""
        return formula.at(self.dims, self.arrays)


@dataclass(frozen=True, slots=True)
class Moved:
    """Rows of a row-major array that are moved whole, one vector per column."""

    array: str
    columns: int
    written: bool


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """A phase: the loops around its blocks, and where it keeps sums over samples and values.

    Sums over samples, counted by element, stay in registers over a tile, are taken in lots of
    registers that go through the tile once more, or stay in memory.
    """

    loops: tuple[str, ...]
    updates: int
    operations: Operations  # of one sample
    moved: tuple[Moved, ...]
    sums_in_registers: Formula
    sums_in_lots: Formula
    sums_in_memory: Formula
    in_registers: tuple[str, ...]  # buffers


@dataclass(frozen=True, slots=True)
class PassFacts:
    """A pass over samples: `tile` samples at a time, all of them where it is None."""

    loop: str
    lanes: int
    tile: int | None
    operations: Operations
    phases: tuple[PhaseFacts, ...]

    @property
    def sample(self) -> Operations:
        """The operations of one sample."""
        return sum((phase.operations for phase in self.phases), Operations())


@dataclass(frozen=True, slots=True)
class BufferFacts:
    """An array of a kernel, how long its values live, where, and how much room they take."""

    name: str
    shape: tuple[str, ...]
    storage: str
    kept: str  # registers, stack, memory; of the caller
    bytes: Formula


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """One function: what it computes how often, and how long it took to compile."""

    name: str
    counts: Counts
    value: Formula  # the operations of the objective's value
    nests: int  # loops and scalar updates outside the passes
    passes: tuple[PassFacts, ...]
    buffers: tuple[BufferFacts, ...]
    workspace: Formula  # bytes
    indices: tuple[IndexPlaces, ...]
    hoisted: tuple[Hoisted, ...]
    open_sizes: tuple[str, ...]
    seconds: Mapping[str, float] = field(compare=False)

    def times_value(self, sizes: Sizes) -> float | None:
        """Its operations, divided by those of the value.

        Where not all sizes are known, the limit for large ones, if it is the same for all.
        """
        own, value = sizes.number(self.counts.total.total), sizes.number(self.value)
        if own is None or value is None:
            return self.counts.total.total.over(self.value)
        return own / value if value else None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was compiled of a program. `str` of it is a text with all the facts."""

    program: str
    fixed: Fixed
    sizes: Sizes
    cpu: Cpu
    precision: Precision  # of arrays
    rewrites: tuple[Rewrite, ...]
    functions: tuple[FunctionFacts, ...]
    seconds: Mapping[str, float] = field(compare=False)  # of the stages that all functions share

    def __str__(self) -> str:
        from symopt.explain.text import explanation_text

        return explanation_text(self)


class Compiler(Protocol):
    """What a model knows and can do for an explanation."""

    @property
    def stages(self) -> Stages: ...
    @property
    def seconds(self) -> Mapping[str, float]: ...
    def compiled(
        self,
        name: str,
        of: str | None = None,
        fixed: Fixed = ...,
        *,
        precision: Precision = ...,
    ) -> Compiled: ...


def explain(
    model: Compiler,
    names: Sequence[str],
    fixed: Fixed,
    sizes: Sizes,
    precision: Precision = "float64",
) -> Explanation:
    """The facts about some functions; without names, about those that most methods use."""
    stages = model.stages
    names = names or default_functions(stages)
    for name in names:
        _check(name, stages)
    cpu = host()  # looked at first, so that the first function compiled does not pay for it

    def compiled(name: str) -> Compiled:
        return model.compiled(name, None, fixed, precision=precision)

    value = operation_counts(compiled("value").kernel).total.total
    functions = tuple(
        _function(name, compiled(name), stages, fixed, value) for name in dict.fromkeys(names)
    )
    name, rewrites = stages.source.name, stages.program.rewrites
    return Explanation(name, fixed, sizes, cpu, precision, rewrites, functions, model.seconds)


def default_functions(stages: Stages) -> tuple[str, ...]:
    """The value, the gradient, and the second derivative that methods prefer."""
    second = "gauss_newton" if stages.task.cut else "hvp"
    return "value", "value_and_grad", second


def _check(name: str, stages: Stages) -> None:
    if name not in SIGNATURES:
        raise DataError(
            Diagnostic(
                Kind.DATA,
                "unknown-function",
                f"there is no function `{name}`",
                help=f"the functions are {', '.join(SIGNATURES)}",
            )
        )
    if SIGNATURES[name].through_cut and not stages.task.cut:
        raise DerivativeUnavailable(
            Diagnostic(
                Kind.DERIVATIVE,
                "no-cut",
                f"`{name}` needs the model's outputs, and the program does not say what they are",
                help="mark them: `model z = ...`, or `residual r[i] = ...`",
            )
        )


def _function(
    name: str, compiled: Compiled, stages: Stages, fixed: Fixed, value: Formula
) -> FunctionFacts:
    kernel = compiled.kernel
    counts = operation_counts(kernel)
    passes = [node for node in kernel.nodes if isinstance(node, Pass)]
    return FunctionFacts(
        name=name,
        counts=counts,
        value=value,
        nests=sum(isinstance(node, Update | Steps) for node in kernel.nodes),
        passes=tuple(
            _pass(node, operations, kernel)
            for node, operations in zip(passes, counts.passes, strict=True)
        ),
        buffers=tuple(_buffer(buffer, kernel) for buffer in kernel.buffers.values()),
        workspace=sum((_bytes(b, kernel) for b in kernel.buffers.values() if _made(b)), ZERO),
        indices=index_places(compiled.statements, kernel, stages.program.sample, fixed),
        hoisted=compiled.hoisted,
        open_sizes=kernel.dims,
        seconds=compiled.seconds,
    )


# ── passes ───────────────────────────────────────────────────────────────────────────────────


def _pass(node: Pass, operations: Operations, kernel: Kernel) -> PassFacts:
    return PassFacts(
        loop=str(node.loop),
        lanes=node.lanes,
        tile=node.lanes * node.blocks if node.blocks else None,
        operations=operations,
        phases=tuple(_phase(phase, node, kernel) for phase in node.phases),
    )


def _phase(phase: Phase, node: Pass, kernel: Kernel) -> PhaseFacts:
    registers, memory = _accumulators(phase, node, kernel)
    return PhaseFacts(
        loops=tuple(map(str, phase.loops)),
        updates=sum(len(updates_of(part)) for part in (*phase.body, *phase.sums)),
        operations=phase_operations(phase, node, kernel, sample=True),
        moved=tuple(_moved(part, kernel) for part in phase.body if isinstance(part, Rows)),
        sums_in_registers=registers,
        sums_in_lots=sum((_elements(update, phase) for update in phase.sums), ZERO),
        sums_in_memory=memory,
        in_registers=tuple(sorted(in_registers(phase, kernel, node.written_out))),
    )


def _accumulators(phase: Phase, node: Pass, kernel: Kernel) -> tuple[Formula, Formula]:
    """How many elements the body's sums over samples have: in registers, and in memory.

    A loop that is not written out goes from element to element of its sum, in memory.
    """
    registers: dict[object, Formula] = {}
    memory: dict[object, Formula] = {}
    for part in phase.body:
        if isinstance(part, Update) and kernel.buffers[part.target].storage is Storage.PARTIAL:
            seen = _seen(part)
            fixed = not seen or written_out(part, node.written_out)
            bounds = tuple((loop.index, loop.lower, loop.upper) for loop in seen)
            found = registers if fixed else memory
            found[part.target, part.place, bounds] = _elements(part, phase)
    return sum(registers.values(), ZERO), sum(memory.values(), ZERO)


def _seen(update: Update) -> list[Range]:
    """The loops of an update that its target sees."""
    indices = frozenset[str]().union(*(place.indices for place in update.place))
    return [loop for loop in update.loops if loop.index in indices]


def _elements(update: Update, phase: Phase) -> Formula:
    """How many elements an update adds to at a point of the phase, as a mean."""
    return points(_seen(update), phase.loops)


def _moved(rows: Rows, kernel: Kernel) -> Moved:
    (columns,) = kernel.buffers[rows.columns].shape
    return Moved(rows.array, columns.value or 0, rows.write)


# ── memory ───────────────────────────────────────────────────────────────────────────────────


def _buffer(buffer: Buffer, kernel: Kernel) -> BufferFacts:
    return BufferFacts(
        name=buffer.name,
        shape=tuple(map(str, buffer.shape)),
        storage=buffer.storage.value,
        kept=_kept(buffer, kernel),
        bytes=_bytes(buffer, kernel),
    )


def _kept(buffer: Buffer, kernel: Kernel) -> str:
    if buffer.storage in (Storage.GIVEN, Storage.OUTPUT):
        return "memory of the caller"
    phases = [
        (phase, node.written_out)
        for node in kernel.nodes
        if isinstance(node, Pass)
        for phase in node.phases
        if any(buffer.name in touched(part) for part in (*phase.body, *phase.sums))
    ]
    local = buffer.storage is Storage.LOCAL
    if local and all(buffer.name in in_registers(phase, kernel, n) for phase, n in phases):
        return "registers"
    return "memory" if buffer.passed else "stack"


def _made(buffer: Buffer) -> bool:
    """Whether a compiled function makes room for a buffer, once."""
    return buffer.passed and buffer.storage not in (Storage.GIVEN, Storage.OUTPUT)


def _bytes(buffer: Buffer, kernel: Kernel) -> Formula:
    room = ONE
    for extent in buffer.shape:
        room = room * size(extent)
    each = _SINGLE if kernel.is_single(buffer.name) else _DOUBLE
    return room * number(each * kernel.copies(buffer.name))
