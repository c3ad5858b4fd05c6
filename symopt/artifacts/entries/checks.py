"""What data has to satisfy before compiled code may trust it, as statements that count mistakes.

Binding does the same in NumPy, for data at hand (`binding.py`). Here the data is not there yet:
what holds for all sizes is proven, the rest becomes kernels that run where the code does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import sympy

from symopt.compiler import Stages
from symopt.derive.simplify import drop_dead
from symopt.loops.options import Options
from symopt.loops.program import Kernel
from symopt.loops.schedule import schedule
from symopt.loops.sizes import Fixed
from symopt.primitives.operators import both, either, equal, greater_equal, less, less_equal
from symopt.primitives.record import Constant
from symopt.statements.cases import uncertain_cases
from symopt.statements.expression import symbols_of
from symopt.statements.program import Program, Role, Statement, Tensor, count_of
from symopt.typed import program as typed
from symopt.typed.ranges import inside
from symopt.types import (
    Clamp,
    Entry,
    Integer,
    Quotient,
    Range,
    Remainder,
    atom,
    constant,
    depends_on,
    dim,
    flat_place,
    index,
)

Mistake = Literal["index", "order", "divisor", "cases"]
MISTAKES: tuple[Mistake, ...] = ("index", "order", "divisor", "cases")


@dataclass(frozen=True, slots=True)
class Check:
    """`wrong(left, right)` at any point of the loops is a mistake."""

    mistake: Mistake
    loops: tuple[Range, ...]
    left: Integer
    right: Integer
    relation: Literal["outside", "not before", "not after", "zero", "same"]

    @property
    def depth(self) -> int:
        """How many entries of integer data have to be read to know where to read."""
        edges = (edge for loop in self.loops for edge in (loop.lower, loop.upper))
        around = max(map(_depth, edges), default=0)
        # A loop between unchecked entries may never end.
        return max(_depth(self.left), _depth(self.right), around + 1 if around else 0)

    @property
    def statement(self) -> Statement:
        """Counts the mistakes. Loops that nothing depends on are not gone through, if they run."""
        mentioned = self.left.indices | self.right.indices
        ranges = {loop.index: loop for loop in self.loops}
        kept = depends_on(mentioned, ranges)
        wrong = self._wrong
        for loop in self.loops:
            if loop.index not in kept and loop.lower.indices | loop.upper.indices:
                kept = frozenset(ranges)  # whether it runs differs from point to point
        for loop in self.loops:
            if loop.index not in kept:
                runs = less(count_of(loop.lower).symbol, count_of(loop.upper).symbol)
                wrong = both(wrong, runs)
        loops = tuple(loop for loop in self.loops if loop.index in kept)
        edges = [edge for loop in self.loops for edge in (loop.lower, loop.upper)]
        symbols = symbols_of(wrong)
        reads = dict.fromkeys(map(count_of, (self.left, self.right, *edges)))
        needed = tuple(read for read in reads if read.symbol in symbols)
        return Statement(self.mistake, (), loops, "sum", wrong, needed)

    @property
    def _wrong(self) -> sympy.Expr:
        """1 where there is a mistake, else 0."""
        left, right = count_of(self.left).symbol, count_of(self.right).symbol
        match self.relation:
            case "outside":
                return either(less(left, Constant(0.0)), greater_equal(left, right))
            case "not before":
                return greater_equal(left, right)
            case "not after":
                return less_equal(left, right)
            case "zero":
                return equal(left, Constant(0.0))
            case "same":
                return equal(left, right)


def check_kernels(stages: Stages, fixed: Fixed, options: Options) -> tuple[Kernel, ...]:
    """Kernels that count mistakes, each of which may run where those before it found none.

    They are of the loss and of its starts and bounds. Their outputs are among `MISTAKES`.
    """
    program, params = stages.task.program, stages.program.params.values()
    sides = (side.definition for p in params for side in (p.lower, p.upper) if side is not None)
    wanted = (*(p.init for p in params if p.init is not None), *sides)
    setup = drop_dead(replace(stages.setup, outputs=wanted))
    found = [
        *_entries(program),
        *_places(program, fixed),
        *_places(setup, fixed),
        *_order(stages.program),
        *_cases(program),
    ]
    return _kernels(program, found, fixed, options)


def checks_of_setup(program: Program, fixed: Fixed, options: Options) -> tuple[Kernel, ...]:
    """The same for setup statements that run before all data is there."""
    places = [part for one in program.statements for part, _ in _integers(one)]
    used = frozenset().union(*(part.tensors for part in places))
    given = {name: tensor for name, tensor in program.tensors.items() if name in used}
    needed = replace(program, tensors=given)
    return _kernels(program, [*_entries(needed), *_places(program, fixed)], fixed, options)


def _kernels(
    program: Program, checks: Iterable[Check], fixed: Fixed, options: Options
) -> tuple[Kernel, ...]:
    found = dict.fromkeys(checks)
    depths = sorted({check.depth for check in found})
    return tuple(
        _kernel(program, [check for check in found if check.depth == depth], fixed, options)
        for depth in depths
    )


def _kernel(program: Program, checks: list[Check], fixed: Fixed, options: Options) -> Kernel:
    statements = tuple(check.statement for check in checks)
    places = [part for one in statements for part, _ in _integers(one)]
    needed = frozenset().union(*(part.tensors for part in places))
    given = {name: tensor for name, tensor in program.tensors.items() if name in needed}
    used = tuple(name for name in MISTAKES if any(check.mistake == name for check in checks))
    counts = {name: Tensor(name, (), Role.COMPUTED) for name in used}
    return schedule(Program(statements, {**given, **counts}, used), "symopt_check", options, fixed)


# ── what has to hold ─────────────────────────────────────────────────────────────────────────────


def _entries(program: Program) -> Iterator[Check]:
    """The entries of integer data are below the size that they index."""
    for tensor in program.tensors.values():
        if tensor.role is Role.INDICES and tensor.below is not None and "." not in tensor.name:
            loops = tuple(
                Range(f"axis{k}", constant(0), size) for k, size in enumerate(tensor.shape)
            )
            entry = Entry(tensor.name, tuple(index(loop.index) for loop in loops))
            yield Check("index", loops, atom(entry), tensor.below, "outside")


def _places(program: Program, fixed: Fixed) -> Iterator[Check]:
    """What is read and written is inside its tensor, and no divisor among places is 0."""
    sizes = {t.name: t.below for t in program.tensors.values() if t.below is not None}
    known = fixed.known
    for statement in program.statements:
        places = [(statement.target, statement.map, statement.loops)]
        places += [(r.tensor, r.map, statement.loops) for r in statement.reads if r.tensor]
        for part, loops in _integers(statement):
            for item in part.atoms():
                match item:
                    case Entry(tensor, indices):
                        places.append((tensor, indices, loops))
                    case Quotient(_, divisor) | Remainder(_, divisor):
                        if not (divisor.with_sizes(known).value or 0):
                            yield Check("divisor", loops, divisor, constant(0), "zero")
                    case _:
                        pass
        for tensor, place, loops in places:
            shape = program.tensors[tensor].shape
            for part, extent in zip(place, shape, strict=True):
                if not _certain(part, extent, loops, sizes, fixed):
                    yield Check("index", loops, part, extent, "outside")


def _order(program: typed.Program) -> Iterator[Check]:
    """What recurrences read of themselves by index arrays is there by then."""
    for definition in program.definitions:
        for one in definition.earlier:
            relation = "not after" if one.backward else "not before"
            yield Check("order", one.loops, one.place, one.step, relation)


def _cases(program: Program) -> Iterator[Check]:
    """No two cases of a definition write the same element."""
    for one, other in uncertain_cases(program):
        names = {loop.index: index(f"{loop.index}.other") for loop in other.loops}
        loops = tuple(
            Range(f"{loop.index}.other", *(e.substitute(names) for e in (loop.lower, loop.upper)))
            for loop in other.loops
        )
        shape = program.tensors[one.target].shape
        left, right = flat_place(one.map, shape), flat_place(other.map, shape).substitute(names)
        yield Check("cases", one.loops + loops, left, right, "same")


def _integers(statement: Statement) -> Iterator[tuple[Integer, tuple[Range, ...]]]:
    """All places of a statement, and the loops that they are over."""
    for part in (*statement.map, *(part for read in statement.reads for part in read.map)):
        yield part, statement.loops
    for number, loop in enumerate(statement.loops):
        yield loop.lower, statement.loops[:number]
        yield loop.upper, statement.loops[:number]


def _certain(
    part: Integer,
    extent: Integer,
    loops: tuple[Range, ...],
    sizes: dict[str, Integer],
    fixed: Fixed,
) -> bool:
    """Whether a place is inside for all sizes for which the loops have any point.

    A dim that a loop from 0 runs over is at least 1 there: what is to be shown is shown for a
    number one greater.
    """
    known = fixed.known
    filled = {
        name: dim(name) + 1
        for loop in loops
        for name in loop.upper.dims
        if loop.lower.value == 0 and loop.upper == dim(name)
    }

    def of(value: Integer) -> Integer:
        return value.with_sizes(known).with_sizes(filled)

    ranges = {loop.index: Range(loop.index, of(loop.lower), of(loop.upper)) for loop in loops}
    below = {name: of(size) for name, size in sizes.items()}
    place, upper = of(part), of(extent)
    if any(isinstance(item, Clamp) for item in place.atoms()) and _is_clamp(place, upper):
        return True
    return inside(place, constant(0), upper, ranges, below)


def _is_clamp(place: Integer, extent: Integer) -> bool:
    """Whether a place was moved into its axis; where that is empty there is room to read."""
    only = place.terms[0][0] if len(place.terms) == 1 else ()
    return len(only) == 1 and isinstance(only[0], Clamp) and only[0].extent == extent


def _depth(value: Integer) -> int:
    entries = (item for item in value.atoms() if isinstance(item, Entry))
    return max((1 + max(map(_depth, item.indices), default=0) for item in entries), default=0)
