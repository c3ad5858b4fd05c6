"""Forward mode: statements for the change of every tensor along one direction, or along all.

Along one direction the change of `x` is `x.dot`, of the shape of `x`. Along many at once it has
one more axis, the columns: `x.dot[..., c]` is the derivative by entry c of the flat parameter
vector, or by entry c of those that `x` can depend on. The Kronecker deltas of the start are
substituted, never stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import sympy
from sympy import S

from symopt.derive.activity import depending_on, finiteness_of, real_reads, wild_tensors
from symopt.derive.blocks import Columns, own, own_loops
from symopt.derive.columns import Compact, Dense
from symopt.derive.matrices import Moving, change_of_matrix
from symopt.derive.reach import Part, Reach, Step, reach
from symopt.derive.reduction import Weight, weight_of
from symopt.derive.scalar import tangent
from symopt.derive.slopes import Slopes
from symopt.statements.build import used_reads
from symopt.statements.program import Program, Read, Role, Statement, Tensor, read_of, sections
from symopt.types import Integer, Range, flat_place, index
from symopt.types import Step as Sequence


def directional(program: Program, seeds: Mapping[str, str]) -> Program:
    """The program with, after each statement, its change when each key moves along its seed."""
    found = _Directional(program, seeds, dict(program.tensors), set(seeds))
    for part in sections(program.statements):
        begun, known = len(found.statements), -1
        while known < 0 or (part[0].steps and known < len(found.moving)):
            # Once more, if a tensor has turned out to have moved at earlier steps.
            known = len(found.moving)
            del found.statements[begun:]
            for statement in part:
                found.add(statement)
    return Program(tuple(found.statements), found.tensors, program.outputs)


class _Directional:
    """The statements of a program and of its change along one direction, as they are made."""

    def __init__(
        self,
        program: Program,
        seeds: Mapping[str, str],
        tensors: dict[str, Tensor],
        moving: set[str],
    ) -> None:
        self.program = program
        self.seeds = seeds
        self.active = depending_on(program, seeds)
        self.wild = wild_tensors(program)
        self.tensors = tensors
        self.moving = moving  # tensors that have a change
        self.statements: list[Statement] = []

    def add(self, statement: Statement) -> None:
        """The statement and, if its target moves, how."""
        self.statements.append(statement)
        if statement.target not in self.active:
            return
        wanted = real_reads(self.program, statement, self.moving)
        dots = {read.symbol: self.dot(read) for read in statement.reads if read.symbol in wanted}
        if statement.of_matrix:
            self.add_matrix(statement, dots)
            return
        weight = _weight(statement, self.tensors, self.statements)
        expression = _change(statement, weight, dots, self.wild)
        if expression is S.Zero:
            return
        self.moving.add(statement.target)
        reads = used_reads(expression, (*statement.reads, *weight.reads, *dots.values()))
        self.statements.append(
            replace(
                statement,
                target=_named(statement.target, self.tensors, ()),
                reduction="=" if statement.reduction == "=" else "sum",
                expression=expression,
                reads=reads,
                winner=None,
            )
        )

    def add_matrix(self, statement: Statement, dots: Mapping[sympy.Symbol, Read]) -> None:
        """How a function of a matrix moves, where the matrix does."""
        for change in dots.values():
            self.moving.add(statement.target)
            name = _named(statement.target, self.tensors, ())
            self.statements += change_of_matrix(
                statement,
                partial(read_of, str(change.tensor)),
                partial(read_of, name),
                self.tensors,
                Moving(name, steps=statement.steps),
            )

    def dot(self, read: Read) -> Read:
        assert read.tensor is not None
        return read_of(self.seeds.get(read.tensor, f"{read.tensor}.dot"), read.map)


def by_columns(program: Program, offsets: Mapping[str, Integer], columns: Integer) -> Program:
    """The program with, after each statement, its change along every one of `columns` entries.

    `offsets` says where each tensor differentiated by starts in the flat vector.
    """
    layout = Dense(program, offsets, columns)
    return with_changes(reach(program, offsets, program.tensors, layout))


def by_blocks(program: Program, params: tuple[str, ...], wanted: Iterable[str]) -> Program:
    """The program with, after each statement that `wanted` tensors need, its change by columns.

    Every tensor has the columns that it can depend on: those of `columns_of`.
    """
    return with_changes(reach(program, params, wanted, Compact(program, params)))


def columns_of(
    program: Program, params: tuple[str, ...], wanted: Iterable[str]
) -> Mapping[str, Columns]:
    """The columns of every tensor that has any and that `wanted` tensors need."""
    return reach(program, params, wanted, Compact(program, params)).columns


def with_changes(found: Reach) -> Program:
    """The program of a reach with, after each of its statements, the change by columns.

    Statements that need each other come first, all steps of them; then, step by step, the changes.
    """
    statements: list[Statement] = []
    first = 0
    for part in sections(found.program.statements):
        statements.extend(part)
        changes: list[Statement] = []
        for number in range(first, first + len(part)):
            if number in found.steps:
                step = found.steps[number]
                statements.extend(step.weight.before)
                made = _Changes(found, step)
                changes.extend(made.statements())
                statements.extend(made.before)
        statements.extend(changes)
        first += len(part)
    return Program(tuple(statements), found.tensors, found.program.outputs)


@dataclass(slots=True)
class _Run:
    """Neighbouring columns of a target, and where the same columns begin for each of some reads.

    With `loops`, all these columns are in terms of the loops, and need not be neighbours.
    """

    target: Integer
    width: Integer
    sources: dict[sympy.Symbol, Integer]
    loops: tuple[Range, ...] = ()

    @property
    def single(self) -> bool:
        """Whether it is one column."""
        return not self.loops and self.width.value == 1

    def with_loops(self, taken: set[str]) -> _Run:
        """The run with a loop over its columns, unless it is one, by names that are not taken."""
        run = self
        if not self.loops and not self.single:
            sources = {symbol: start + own(0) for symbol, start in self.sources.items()}
            run = _Run(self.target + own(0), self.width, sources, own_loops((self.width,)))
        names = {loop.index: _free("column", taken) for loop in run.loops}
        indices = {old: index(new) for old, new in names.items()}
        return _Run(
            run.target.substitute(indices),
            run.width,
            {symbol: start.substitute(indices) for symbol, start in run.sources.items()},
            tuple(Range(names[loop.index], loop.lower, loop.upper) for loop in run.loops),
        )

    def takes_in(self, other: _Run) -> bool:
        """Go on with another run, if that begins where this one ends."""
        further = {symbol: start + self.width for symbol, start in self.sources.items()}
        if self.loops or other.loops or other.target != self.target + self.width:
            return False
        if other.sources != further:
            return False
        self.width = self.width + other.width
        return True


@dataclass(slots=True)
class _Changes:
    """The statements of the change that one statement makes to its target's columns.

    Those `before` them have what they need of the slopes.
    """

    found: Reach
    step: Step
    before: list[Statement] = field(default_factory=list)

    def statements(self) -> Iterator[Statement]:
        slopes = Slopes(self.step, self.found.tensors)
        runs = self.runs()
        whole = [run for run in runs if self.is_whole(run)]
        runs = [run for run in runs if run not in whole]
        for number, run in enumerate(whole):
            yield from self.of_matrix(run, number)
        for read in self.step.statement.reads:
            own_runs = [run for run in runs if read.symbol in run.sources]
            if len(own_runs) > 1 or any(not run.single for run in own_runs):
                slopes.name(read)
        self.before.extend(slopes.before)
        for part in self.step.parts:
            if part.factor is not None:
                column = self.found.column_of(self.step, part)
                change = sympy.Mul(part.factor, slopes.of(part.read.symbol))
                yield self.add(column, (), change, slopes.reads)
        for run in runs:
            yield self.further(run, slopes)

    def runs(self) -> list[_Run]:
        """What changes of reads add, with columns side by side in one run."""
        runs: list[_Run] = []
        for part in self.step.parts:
            if part.factor is None:
                self.put(runs, part)
        kept: list[_Run] = []
        for run in runs:
            if not any(other.takes_in(run) for other in kept):
                kept.append(run)
        return kept

    def is_whole(self, run: _Run) -> bool:
        """Whether all elements of a matrix, of which the statement is a function, have these."""
        statement = self.step.statement
        inner = {loop.index for loop in statement.loops[len(statement.around) :]}
        places = (run.target, *run.sources.values())
        return statement.of_matrix and not any(place.indices & inner for place in places)

    def of_matrix(self, run: _Run, number: int) -> Iterator[Statement]:
        """What the change of a whole matrix adds to the columns of a run."""
        statement = self.step.statement
        run = run.with_loops({loop.index for loop in statement.loops})
        (read,) = statement.reads
        start = run.sources[read.symbol]
        name = _named(
            statement.target, self.found.tensors, (self.found.columns[statement.target].width,)
        )
        yield from change_of_matrix(
            statement,
            lambda place: read_of(f"{read.tensor}.dot", (*place, start)),
            lambda place: read_of(name, (*place, run.target)),
            self.found.tensors,
            Moving(f"{name}.{number}" if number else name, run.loops, _own_steps(statement)),
        )

    def put(self, runs: list[_Run], part: Part) -> None:
        """Add a part to the run of its columns, or make it one."""
        extents = part.reached.extents
        column = self.found.column_of(self.step, part)
        inner = flat_place(tuple(own(number) for number in range(len(extents))), extents)
        shift = column - inner
        loops = own_loops(extents)
        if not shift.indices & {loop.index for loop in loops}:
            run = _Run(shift, part.reached.width, {part.read.symbol: part.start})
        else:
            run = _Run(column, part.reached.width, {part.read.symbol: part.start + inner}, loops)
        for other in runs:
            same = (run.target, run.width, run.loops) == (other.target, other.width, other.loops)
            if same and part.read.symbol not in other.sources:
                other.sources |= run.sources
                return
        runs.append(run)

    def further(self, run: _Run, slopes: Slopes) -> Statement:
        """What the changes of reads add to the columns of a run."""
        run = run.with_loops({loop.index for loop in self.step.statement.loops})
        dots = {
            read.symbol: read_of(f"{read.tensor}.dot", (*read.map, run.sources[read.symbol]))
            for read in self.step.statement.reads
            if read.symbol in run.sources
        }
        reads = (*slopes.reads, *dots.values())
        return self.add(run.target, run.loops, slopes.change(dots), reads)

    def add(
        self,
        column: Integer,
        more: tuple[Range, ...],
        change: sympy.Expr,
        reads: tuple[Read, ...],
    ) -> Statement:
        """A statement of the change of the target in one column, or in those of `more` loops."""
        statement = self.step.statement
        width = self.found.columns[statement.target].width
        return Statement(
            _named(statement.target, self.found.tensors, (width,)),
            (*statement.map, column),
            (*statement.loops, *more),
            "sum",
            change,
            used_reads(change, reads),
            steps=_own_steps(statement),
            span=statement.span,
        )


def _own_steps(statement: Statement) -> tuple[Sequence, ...]:
    """The steps of changes: those of the statement once more."""
    return tuple(Sequence(f"{step.name}.dot", step.backward) for step in statement.steps)


def _free(stem: str, taken: set[str]) -> str:
    """A name for a loop that no other has."""
    name = stem
    while name in taken:
        name += "'"
    taken.add(name)
    return name


def _weight(
    statement: Statement, tensors: dict[str, Tensor], statements: list[Statement]
) -> Weight:
    weight = weight_of(statement, tensors, "dot")
    statements.extend(weight.before)
    tensors.update({tensor.name: tensor for tensor in weight.tensors})
    return weight


def _named(target: str, tensors: dict[str, Tensor], more: tuple[Integer, ...]) -> str:
    name = f"{target}.dot"
    tensors.setdefault(name, Tensor(name, tensors[target].shape + more, Role.COMPUTED))
    return name


def _change(
    statement: Statement, weight: Weight, dots: Mapping[sympy.Symbol, Read], wild: set[str]
) -> sympy.Expr:
    changes: dict[sympy.Symbol, sympy.Expr] = {read.symbol: S.Zero for read in statement.reads}
    changes.update({symbol: read.symbol for symbol, read in dots.items()})
    finiteness = finiteness_of(statement, wild, dots)
    change = tangent(statement.expression, changes, finiteness)
    return weight.applied(change, finiteness.times)
