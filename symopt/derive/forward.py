"""Forward mode: statements for the change of every tensor along one direction, or along all.

Along one direction the change of `x` is `x.dot`, of the shape of `x`. Along all parameters at once
it has one more axis, the columns: `x.dot[..., c]` is the derivative by entry c of the flat
parameter vector. The Kronecker deltas of the start are substituted, never stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import sympy
from sympy import S

from symopt.derive.activity import depending_on, finiteness_of, real_reads, wild_tensors
from symopt.derive.reduction import Weight, weight_of
from symopt.derive.scalar import tangent, weights
from symopt.statements.build import used_reads
from symopt.statements.program import Program, Read, Role, Statement, Tensor, read_of
from symopt.types import Integer, Range, constant, index


def flat_place(place: tuple[Integer, ...], shape: tuple[Integer, ...]) -> Integer:
    """The row-major position of an element."""
    total = constant(0)
    for part, size in zip(place, shape, strict=True):
        total = total * size + part
    return total


def directional(program: Program, seeds: Mapping[str, str]) -> Program:
    """The program with, after each statement, its change when each key moves along its seed."""
    active = depending_on(program, seeds)
    tensors = dict(program.tensors)
    wild = wild_tensors(program)
    moving = set(seeds)

    def dot(read: Read) -> Read:
        assert read.tensor is not None
        return read_of(seeds.get(read.tensor, f"{read.tensor}.dot"), read.map)

    statements: list[Statement] = []
    for statement in program.statements:
        statements.append(statement)
        if statement.target not in active:
            continue
        wanted = real_reads(program, statement, moving)
        dots = {read.symbol: dot(read) for read in statement.reads if read.symbol in wanted}
        weight = _weight(statement, tensors, statements)
        expression = _change(statement, weight, dots, wild)
        if expression is S.Zero:
            continue
        moving.add(statement.target)
        name = _named(statement.target, tensors, ())
        reads = used_reads(expression, (*statement.reads, *weight.reads, *dots.values()))
        reduction = "=" if statement.reduction == "=" else "sum"
        statements.append(
            Statement(
                name, statement.map, statement.loops, reduction, expression, reads,
                span=statement.span,
            )
        )  # fmt: skip
    return Program(tuple(statements), tensors, program.outputs)


def by_columns(program: Program, offsets: Mapping[str, Integer], columns: Integer) -> Program:
    """The program with, after each statement, its change along every one of `columns` entries.

    `offsets` says where each tensor differentiated by starts in the flat vector.
    """
    active = depending_on(program, offsets)
    work = _Columns(program, offsets, columns, dict(program.tensors), wild_tensors(program))
    statements: list[Statement] = []
    for statement in program.statements:
        statements.append(statement)
        if statement.target in active:
            weight = _weight(statement, work.tensors, statements)
            statements.extend(work.start(statement, weight))
            statements.extend(work.further(statement, weight))
    return Program(tuple(statements), work.tensors, program.outputs)


@dataclass(slots=True)
class _Columns:
    """The changes of statements along every column, as far as they have been written."""

    program: Program
    offsets: Mapping[str, Integer]
    columns: Integer
    tensors: dict[str, Tensor]
    wild: set[str]
    moving: set[str] = field(default_factory=set)

    def start(self, statement: Statement, weight: Weight) -> Iterator[Statement]:
        """What reads of the tensors differentiated by add, each to the column that it is."""
        leaves = real_reads(self.program, statement, set(self.offsets))
        finiteness = finiteness_of(statement, self.wild, {})
        root = weight.applied(S.One, finiteness.times)
        shares = weights(statement.expression, root, leaves, finiteness)
        for read in statement.reads:
            if read.symbol in shares and read.tensor is not None:
                entry = flat_place(read.map, self.tensors[read.tensor].shape)
                column = self.offsets[read.tensor] + entry
                reads = (*statement.reads, *weight.reads)
                yield self.add(statement, column, (), shares[read.symbol], reads)

    def further(self, statement: Statement, weight: Weight) -> Iterator[Statement]:
        """What reads of tensors that have changes of their own add, to every column."""
        inner = real_reads(self.program, statement, self.moving)
        column = Range("column", constant(0), self.columns)
        dots = {
            read.symbol: read_of(f"{read.tensor}.dot", (*read.map, index(column.index)))
            for read in statement.reads
            if read.symbol in inner
        }
        change = _change(statement, weight, dots, self.wild) if dots else S.Zero
        if change is not S.Zero:
            reads = (*statement.reads, *weight.reads, *dots.values())
            yield self.add(statement, index(column.index), (column,), change, reads)

    def add(
        self,
        statement: Statement,
        column: Integer,
        more: tuple[Range, ...],
        change: sympy.Expr,
        reads: tuple[Read, ...],
    ) -> Statement:
        """A statement of the change of a target in one column, or in those of the loop `more`."""
        self.moving.add(statement.target)
        return Statement(
            _named(statement.target, self.tensors, (self.columns,)),
            (*statement.map, column),
            (*statement.loops, *more),
            "sum",
            change,
            used_reads(change, reads),
            span=statement.span,
        )


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
