"""What every statement passes on: slopes by its reads, and the columns of its target.

One walk over a program finds both. Nothing is written yet: the columns of a sum are known only
after the last of its statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import sympy
from sympy import S

from symopt.derive.activity import (
    depending_on,
    finiteness_of,
    leading_to,
    real_reads,
    wild_tensors,
)
from symopt.derive.blocks import Block, Columns, Place
from symopt.derive.columns import Compact, Dense
from symopt.derive.exposure import unguarded
from symopt.derive.landing import Landing
from symopt.derive.reduction import Weight, weight_of
from symopt.derive.scalar import Finiteness, weights
from symopt.primitives.record import Primitive
from symopt.statements.expression import replaced, symbols_of
from symopt.statements.program import Program, Read, Statement, Tensor, read_of, sections
from symopt.types import Integer, constant, flat_place


@dataclass(frozen=True, slots=True)
class Part:
    """A block of what is read, and the block of the target's columns that it is part of.

    `start` is the first column of the change of what is read. Where that change is the same number
    everywhere, this is the `factor`, and nothing needs to be read: 1 for a parameter itself.
    """

    read: Read
    start: Integer
    factor: sympy.Expr | None
    reached: Block  # in terms of the statement's loops
    landing: Landing


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, the weight of its points, the slopes of its target, and what is reached."""

    statement: Statement
    weight: Weight
    finiteness: Finiteness
    slopes: Mapping[sympy.Symbol, sympy.Expr]
    parts: tuple[Part, ...]

    @property
    def reads(self) -> tuple[Read, ...]:
        """Everything that slopes may read."""
        known = read_of(self.statement.target, self.statement.map)
        return (*self.statement.reads, *self.weight.reads, known)


@dataclass(slots=True)
class Reach:
    """The steps of a program, by the number of the statement, and the columns of all tensors.

    `tensors` are the program's, and those that the weights of some reductions need.
    """

    program: Program
    params: frozenset[str]
    layout: Dense | Compact
    wild: set[str]
    unguarded: frozenset[int]  # statements whose changes need no strong zeros
    tensors: dict[str, Tensor]
    steps: dict[int, Step] = field(default_factory=dict)
    columns: dict[str, Columns] = field(default_factory=dict)
    still: set[str] = field(default_factory=set)  # tensors with columns that nothing changes so far
    _homes: dict[str, Mapping[Block, int]] = field(default_factory=dict)
    _fixed: dict[tuple[str, Integer], sympy.Expr] = field(default_factory=dict)

    def column_of(self, step: Step, part: Part) -> Integer:
        """The target's column, in terms of the statement's loops and of those of the part."""
        target = step.statement.target
        blocks = self.columns[target].blocks
        homes = self._homes.get(target)
        number = homes[part.landing.block] if homes else blocks.index(part.landing.block)
        block = blocks[number]
        place = part.landing.own
        if block != part.landing.block:
            place = _place_in(block, part.reached.place, step.statement.map)
        return self.columns[target].starts[number] + flat_place(place, block.extents)

    def take(self, number: int, statement: Statement, *, whole: bool, complete: bool) -> None:
        """Find what a statement passes on, to a target that has `whole` parameters as columns.

        If its target is `complete` when the change follows, its value can be read back.
        """
        wanted = real_reads(self.program, statement, {*self.params, *self.columns} - self.still)
        weight = weight_of(statement, self.tensors, "dot")
        finiteness = finiteness_of(statement, self.wild, {})
        if number in self.unguarded:
            finiteness = replace(finiteness, unguarded=True)
        root = weight.applied(S.One, finiteness.times)
        slopes = weights(statement.expression, root, wanted, finiteness)
        landings = self.layout.landing_in_all if whole else self.layout.landings(statement)
        parts = tuple(
            Part(read, start, factor, reached, landings(reached))
            for read in statement.reads
            if read.symbol in slopes
            for start, factor, reached in self.blocks_of(read)
        )
        own = statement.reduction == "=" and isinstance(statement.expression, Primitive)
        if own and complete:
            # The statement's own value is read back instead of computed again.
            known = read_of(statement.target, statement.map).symbol
            same = {statement.expression: known}
            slopes = {symbol: replaced(slope, same) for symbol, slope in slopes.items()}
            if statement.target in self.wild:
                finiteness = replace(finiteness, wild=finiteness.wild | {known})
        if parts:
            self.tensors.update({tensor.name: tensor for tensor in weight.tensors})
            self.steps[number] = Step(statement, weight, finiteness, slopes, parts)
            self.still.discard(statement.target)

    def blocks_of(self, read: Read) -> Iterator[tuple[Integer, sympy.Expr | None, Block]]:
        """The blocks that are read: start, factor, and the entries that are reached.

        The entries are in terms of the loops of the read.
        """
        assert read.tensor is not None
        if read.tensor in self.params:
            yield constant(0), S.One, Block(read.tensor, read.map)
            return
        columns = self.columns[read.tensor]
        for block, start in zip(columns.blocks, columns.starts, strict=True):
            factor = self._fixed.get((read.tensor, start))
            yield start, factor, Block(block.param, block.seen_from(read.map), block.extents)

    def close(self, target: str, steps: list[Step]) -> None:
        """The columns of a target, from all of its statements."""
        parts = [(step, part) for step in steps for part in step.parts]
        blocks = dict.fromkeys(part.landing.block for _, part in parts)
        columns, homes = self.layout.gather(target, blocks)
        self.columns[target], self._homes[target] = columns, homes
        if len(steps) == 1 and _visits_each_once(steps[0].statement, self.tensors[target].shape):
            several = Counter(homes[block] for block in (part.landing.block for _, part in parts))
            for step, part in parts:
                home = homes[part.landing.block]
                change = _number(step, part)
                single = several[home] == 1 and columns.blocks[home] == part.landing.block
                if single and change is not None:
                    self._fixed[target, columns.starts[home]] = change


def reach(
    program: Program, params: Iterable[str], wanted: Iterable[str], layout: Dense | Compact
) -> Reach:
    """The reach of the statements that `wanted` tensors need."""
    params = frozenset(params)
    wild = wild_tensors(program)
    bare = unguarded(program, wild)
    active = depending_on(program, params) & leading_to(program, wanted)
    stepwise = _read_early(program) & active
    while True:
        found = Reach(program, params, layout, wild, bare, dict(program.tensors))
        found.columns.update({name: layout.all_of(name) for name in stepwise})
        found.still |= stepwise - {s.target for s in program.statements if s.steps}
        _take_all(found, active, stepwise)
        changing = {step.statement.target for step in found.steps.values()}
        if stepwise <= changing:
            return found
        stepwise &= changing  # it turned out that the others do not change at all


def _read_early(program: Program) -> set[str]:
    """Tensors that are read before all of their elements are there: in steps, or case by case."""
    last = {s.target: number for number, s in enumerate(program.statements)}
    found = {s.target for s in program.statements if s.steps}
    for number, statement in enumerate(program.statements):
        names = (read.tensor or "" for read in statement.reads)
        found.update(name for name in names if last.get(name, -1) >= number)
    return found


def _take_all(found: Reach, active: set[str], stepwise: set[str]) -> None:
    """Take the statements, and close targets; what is computed stepwise has its columns already."""
    writers: dict[str, list[int]] = {}
    for number, statement in enumerate(found.program.statements):
        writers.setdefault(statement.target, []).append(number)
    parts = [k for k, part in enumerate(sections(found.program.statements)) for _ in part]
    for number, statement in enumerate(found.program.statements):
        own_writers = writers[statement.target]
        if statement.target in active:
            complete = parts[own_writers[-1]] <= parts[number]
            found.take(number, statement, whole=statement.target in stepwise, complete=complete)
            steps = [found.steps[n] for n in own_writers if n in found.steps]
            if steps and number == own_writers[-1] and statement.target not in stepwise:
                found.close(statement.target, steps)


def _place_in(block: Block, entry: Place, element: Place) -> Place:
    """Where in a box an entry is, for an element of the tensor that has the box."""
    sides = block.box
    assert sides is not None
    zero = {f"${number}": constant(0) for number in range(len(block.extents))}
    starts = (part.substitute(zero) for part in block.seen_from(element))
    return tuple(
        part - start
        for part, start, side in zip(entry, starts, sides, strict=True)
        if side.extent is not None
    )


def _number(step: Step, part: Part) -> sympy.Expr | None:
    """The change that a part makes to a single column, where it is a number."""
    slope = step.slopes[part.read.symbol]
    if part.factor is None or part.landing.block.extents or symbols_of(slope):
        return None
    return sympy.Mul(part.factor, slope)


def _visits_each_once(statement: Statement, shape: tuple[Integer, ...]) -> bool:
    """Whether a statement has one point for every element of its target."""
    loops = {loop.index: loop for loop in statement.loops}
    for place, size in zip(statement.map, shape, strict=True):
        loop = loops.pop(place.index or "", None)
        if loop is None or loop.lower.value != 0 or loop.upper != size:
            return False
    return not loops
