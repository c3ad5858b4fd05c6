"""Floating-point operations of a kernel, counted from its loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import sympy

from symopt.explain.formula import ONE, ZERO, Formula, number, points, size
from symopt.loops.program import Collect, Fill, Kernel, Pass, Phase, Rows, Steps, Update
from symopt.loops.registers import in_registers
from symopt.primitives.record import Builtin, Expand, Intrinsic, Libm, Primitive
from symopt.statements.expression import postorder
from symopt.statements.program import MATRIX_LOOPS
from symopt.types import Integer, Range, constant, index

ADDITIONS, MULTIPLICATIONS = "additions", "multiplications"
DIVISIONS, ROOTS, CHOICES = "divisions", "square roots", "choices"
_ARITHMETIC = (ADDITIONS, MULTIPLICATIONS, DIVISIONS, ROOTS)
# Intrinsics that are one cheap instruction and no arithmetic.
_BITS = frozenset({"llvm.fabs", "llvm.floor", "llvm.ceil"})


@dataclass(frozen=True, slots=True)
class Operations:
    """How many operations there are of each kind: of arithmetic, functions by name, choices."""

    kinds: Mapping[str, Formula] = field(default_factory=dict)

    @property
    def total(self) -> Formula:
        """All operations; a function counts 1, a choice nothing."""
        return sum((n for kind, n in self.kinds.items() if kind != CHOICES), ZERO)

    def __add__(self, other: Operations) -> Operations:
        kinds = dict(self.kinds)
        for kind, count in other.kinds.items():
            kinds[kind] = kinds.get(kind, ZERO) + count
        return _sorted(kinds)

    def times(self, factor: Formula) -> Operations:
        """The operations of so many points."""
        return _sorted({kind: count * factor for kind, count in self.kinds.items()})


@dataclass(frozen=True, slots=True)
class Counts:
    """The operations of a kernel: of its passes, outside them, in all."""

    passes: tuple[Operations, ...]
    once: Operations

    @property
    def total(self) -> Operations:
        return sum(self.passes, self.once)


def operation_counts(kernel: Kernel) -> Counts:
    """The floating-point operations of one call of a kernel, as formulas in its open sizes.

    Counted are, for every update of the kernel, the operations of its expression at every point of
    all loops around it, a part that occurs several times in one expression once, and the addition
    (multiplication) of each term of a sum (product), without the first where the update sets its
    target or adds to registers that were just filled with 0. A fused multiply-add counts as 2
    operations; division, square root and each elementary function as 1; a power by a constant
    integer as its multiplications; a function of a matrix as the loops that compute it, without the
    search for pivots. Functions that are expanded into others (`sigmoid` into an exponential and a
    division) count as these. Bringing the lanes' sums together counts one addition per lane and
    element.

    Counted apart, as choices, and no part of the total: comparisons, selections, max and min, truth
    values, abs and rounding. Not counted: changes of sign, index arithmetic, moving values, samples
    that fill up the last vector, and adding up registers after each tile. What several updates
    have in common counts for each of them. No range is taken to be empty.
    """
    passes: list[Operations] = []
    once = Operations()
    for node in kernel.nodes:
        match node:
            case Fill():
                pass
            case Update():
                once = once + update_operations(node)
            case Steps():
                once = once + steps_operations(node)
            case Collect(partial):
                elements = ONE
                for extent in kernel.buffers[partial].shape:
                    elements = elements * size(extent)
                once = once + Operations({ADDITIONS: elements * number(kernel.lanes)})
            case Pass():
                found = (phase_operations(phase, node, kernel) for phase in node.phases)
                passes.append(sum(found, Operations()))
            case _:
                assert_never(node)
    return Counts(tuple(passes), once)


def phase_operations(
    phase: Phase, node: Pass, kernel: Kernel, *, sample: bool = False
) -> Operations:
    """The operations of a phase of a pass: of all samples, or of one, as a mean if they differ."""
    registers = in_registers(phase, kernel, node.written_out)
    outside = phase.loops if sample else (node.loop, *phase.loops)
    around = (node.loop,) if sample else ()
    found = Operations()
    zeros: dict[str, list[tuple[Integer, ...]]] = {}  # what was filled, and written since
    for part in (*phase.body, *phase.sums):
        match part:
            case Fill(buffer, value):
                if value == 0 and buffer in registers:
                    zeros[buffer] = []
            case Rows():
                pass
            case Update():
                before = zeros.get(part.target)
                first = part.first or (before is not None and _is_first(part, before))
                found = found + update_operations(part, outside, around, first=first)
                if before is not None:
                    before.append(part.place)
            case Steps():
                found = found + steps_operations(part, outside, around)
            case _:
                assert_never(part)
    return found


def _is_first(update: Update, before: Sequence[tuple[Integer, ...]]) -> bool:
    """Whether an update visits each element once, and no earlier one has been there."""
    if all(part.value is not None for place in (update.place, *before) for part in place):
        return update.place not in before
    indices = [part.index for part in update.place if part.value is None]
    return not before and None not in indices and len(set(indices)) == len(indices)


def steps_operations(
    steps: Steps, outside: tuple[Range, ...] = (), around: tuple[Range, ...] = ()
) -> Operations:
    """The operations of all updates of steps, at all points of these and of the loops outside."""
    outside = (*outside, steps.loop)
    found = (
        steps_operations(part, outside, around)
        if isinstance(part, Steps)
        else update_operations(part, outside, around)
        for part in steps.body
    )
    return sum(found, Operations())


def update_operations(
    update: Update,
    outside: tuple[Range, ...] = (),
    around: tuple[Range, ...] = (),
    *,
    first: bool | None = None,
) -> Operations:
    """The operations of an update at all points of its loops and of those outside it.

    It is for one point of the loops around these, as a mean. `first` says whether a sum (product)
    begins with its first term; if not given, the update does.
    """
    if update.of_matrix:
        return _matrix_operations(update, outside, around)
    count = points((*outside, *update.loops), around)
    found = expression_operations(update.expression).times(count)
    match update.reduction:
        case "=":
            return found
        case "max" | "min":
            return found + Operations({CHOICES: count})
        case _:
            seen = frozenset[str]().union(*(place.indices for place in update.place))
            kept = tuple(loop for loop in update.loops if loop.index in seen)
            begun = update.first if first is None else first
            terms = count - points((*outside, *kept), around) if begun else count
            kind = MULTIPLICATIONS if update.reduction == "prod" else ADDITIONS
            return found + Operations({kind: terms})


def _matrix_operations(
    update: Update, outside: tuple[Range, ...], around: tuple[Range, ...]
) -> Operations:
    """Those of a function of matrices: of the loops in which it is computed."""
    split = len(update.loops) - MATRIX_LOOPS[update.reduction]
    row, column, third, _ = update.loops[split:]
    outside = (*outside, *update.loops[:split])

    def count(*loops: Range) -> Formula:
        return points((*outside, *loops), around)

    def upto(loop: Range, end: Integer) -> Range:
        return Range(loop.index, constant(0), end)

    diagonal, square = count(row), count(row, column)
    triangle = count(row, upto(column, index(row.index) + 1))
    if update.reduction == "inverse":
        cube = count(row, column, third)
        kinds = {ADDITIONS: cube - square, MULTIPLICATIONS: cube, DIVISIONS: diagonal}
    elif update.reduction == "cholesky":
        inner = count(row, upto(column, index(row.index) + 1), upto(third, index(column.index)))
        both = inner + triangle
        kinds = {ADDITIONS: both, MULTIPLICATIONS: both, DIVISIONS: triangle - diagonal}
        kinds[ROOTS] = diagonal
    else:
        inner = count(row, upto(column, index(row.index)), upto(third, index(row.index)))
        kinds = {ADDITIONS: inner, MULTIPLICATIONS: inner + square, DIVISIONS: diagonal}
    return _sorted(kinds)


def expression_operations(expression: sympy.Expr) -> Operations:
    """The operations of an expression, shared parts once."""
    counter: Counter[str] = Counter()
    _count(expression, set(), counter)
    return _sorted({kind: number(count) for kind, count in counter.items()})


def _count(expression: sympy.Expr, seen: set[sympy.Basic], counter: Counter[str]) -> None:
    for node in postorder(expression):
        if node in seen:
            continue
        seen.add(node)
        match node:
            case sympy.Add():
                counter[ADDITIONS] += len(node.args) - 1
            case sympy.Mul():
                negated = node.args[0] is sympy.S.NegativeOne
                counter[MULTIPLICATIONS] += len(node.args) - 1 - int(negated)
            case sympy.Pow():
                _count_power(int(node.exp), counter)
            case Primitive():
                _count_primitive(node, seen, counter)
            case _:
                pass  # numbers and what was read


def _count_power(exponent: int, counter: Counter[str]) -> None:
    """By squaring: a multiplication for each bit but the first, another for each that is set."""
    bits = abs(exponent)
    counter[MULTIPLICATIONS] += max(bits.bit_length() + bits.bit_count() - 2, 0)
    counter[DIVISIONS] += int(exponent < 0)


def _count_primitive(node: Primitive, seen: set[sympy.Basic], counter: Counter[str]) -> None:
    match node.record.lower:
        case Expand(build):
            _count(sympy.sympify(build(*node.args)), seen, counter)
        case Builtin("integer_power"):
            exponent = node.args[1]
            assert isinstance(exponent, sympy.Integer)
            _count_power(int(exponent), counter)
        case Builtin("divide"):
            counter[DIVISIONS] += 1
        case Builtin("smul"):
            counter.update((MULTIPLICATIONS, CHOICES))
        case Builtin("floor_divide"):
            counter.update((DIVISIONS, CHOICES))
        case Builtin("remainder"):
            counter.update(("fmod", ADDITIONS, CHOICES))
        case Builtin():
            counter[CHOICES] += 1
        case Intrinsic("llvm.sqrt"):
            counter[ROOTS] += 1
        case Intrinsic(name) if name in _BITS:
            counter[CHOICES] += 1
        case Intrinsic(name) | Libm(name):
            counter[name.removeprefix("llvm.")] += 1


def _sorted(kinds: Mapping[str, Formula]) -> Operations:
    """Without kinds that there are none of: arithmetic, functions by name, choices."""

    def order(kind: str) -> tuple[int, str]:
        if kind in _ARITHMETIC:
            return _ARITHMETIC.index(kind), ""
        return (9, "") if kind == CHOICES else (8, kind)

    return Operations({kind: kinds[kind] for kind in sorted(kinds, key=order) if kinds[kind]})
