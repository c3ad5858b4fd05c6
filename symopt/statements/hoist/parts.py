"""Parts of expressions over the loops that they depend on, and equal parts only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import sympy

from symopt.primitives.operators import ONE, divide
from symopt.primitives.record import Primitive
from symopt.statements.build import used_reads
from symopt.statements.expression import operands, replaced, symbols_of
from symopt.statements.hoist.choice import Choice
from symopt.statements.hoist.needs import Needs, is_settled, mentioned
from symopt.statements.hoist.program import (
    Hoisted,
    Hoisting,
    View,
    Views,
    copy_of,
    on_axes,
    regrouped_read,
    sizes_of,
    unused,
)
from symopt.statements.hoist.reach import Reach, runs
from symopt.statements.hoist.same import Key, key_of, own_key, own_loops, shared_keys
from symopt.statements.hoist.support import Nest, Support, indices_of, nest_of
from symopt.statements.hoist.tensors import Shrunk
from symopt.statements.program import Program, Read, Role, Statement, Tensor, read_of
from symopt.typed.ranges import greatest
from symopt.types import Integer, Range, index


def hoist_parts(shrunk: Shrunk, options: Hoisting) -> tuple[Program, tuple[Hoisted, ...]]:
    """The program with parts of its statements as tensors of their own."""
    program = shrunk.program
    tensors = dict(program.tensors)
    needs = [
        None if is_settled(s, options) else Needs(s, options, shrunk.views, tensors)
        for s in program.statements
    ]
    shared, prints = shared_keys(found for found in needs if found is not None)
    table = _Table(options, tensors, sizes_of(program), shrunk.views, shared, prints)
    for statement, found in zip(program.statements, needs, strict=True):
        if found is None:
            table.statements.append(statement)
        else:
            table.add(found)
    result = replace(program, statements=tuple(table.statements), tensors=table.tensors)
    return result, tuple(table.hoisted)


@dataclass(slots=True)
class _Table:
    """What has been computed so far, by what it is."""

    options: Hoisting
    tensors: dict[str, Tensor]
    below: Mapping[str, Integer]
    views: Views
    shared: set[Key]  # costly, and in several statements
    prints: set[int]  # of these, and of what has been computed
    statements: list[Statement] = field(default_factory=list)
    hoisted: list[Hoisted] = field(default_factory=list)
    names: dict[Key, str] = field(default_factory=dict)
    reciprocals: dict[Key, str] = field(default_factory=dict)  # by the key of the divisor
    divisors: set[int] = field(default_factory=set)  # prints of these
    copies: dict[Key, str] = field(default_factory=dict)

    def add(self, needs: Needs, names: bool = False) -> None:
        """The statement, after the statements that compute what is taken out of it.

        A statement that `names` a part keeps its expression whole; so does one that happens to.
        """
        statement, whole = needs.statement, needs.order[-1]
        part = _Part(self, needs)
        if not names and needs.prints[whole] in self.prints and part.defines():
            key = own_key(needs, whole)
            names = key in self.shared and key not in self.names
        gains = needs.gains()
        if gains or not (self.prints | self.divisors).isdisjoint(needs.prints.values()):
            choice = Choice(needs, part.name, part.known, part.reciprocal, gains)
            expression = choice.made(whole=not names)
            if expression != whole:
                reads = used_reads(expression, (*statement.reads, *part.reads))
                statement = replace(statement, expression=expression, reads=reads)
        self.statements.append(statement)
        if names:
            self.names[own_key(needs, whole)] = statement.target
            self.prints.add(needs.prints[whole])
        part.note_reciprocal()


@dataclass(slots=True)
class _Part:
    """One statement, and the names that its parts have in the table."""

    table: _Table
    needs: Needs
    reads: list[Read] = field(default_factory=list)  # of what was taken out

    @property
    def statement(self) -> Statement:
        return self.needs.statement

    # ── what is computed already, or for several statements ──────────────────────────────────

    def known(self, node: sympy.Expr) -> sympy.Expr | None:
        """A symbol for a part that has been named, or that other statements have, too."""
        if self.needs.prints[node] not in self.table.prints:
            return None
        key, loops = own_key(self.needs, node), own_loops(self.needs, node)
        if key in self.table.names:
            return self.symbol(read_of(self.table.names[key], _points(loops)))
        if key in self.table.shared and self.needs.sampled:
            return self.name(node, Support(frozenset(loop.index for loop in loops)))
        return None

    def defines(self) -> bool:
        """Whether the target has one element per point of the loops, all of which are needed."""
        statement = self.statement
        return (
            statement.reduction == "="
            and statement.map == _points(statement.loops)
            and statement.target not in self.table.options.kept
            and own_loops(self.needs, statement.expression) == statement.loops
        )

    def reciprocal(self, divisor: sympy.Expr) -> sympy.Expr | None:
        """A symbol for 1 / divisor, if that has been computed."""
        if self.needs.prints[divisor] not in self.table.divisors:
            return None
        name = self.table.reciprocals.get(own_key(self.needs, divisor))
        if name is None:
            return None
        return self.symbol(read_of(name, _points(own_loops(self.needs, divisor))))

    def note_reciprocal(self) -> None:
        """Remember a statement that is the reciprocal of something."""
        node = self.needs.order[-1]
        if not (isinstance(node, Primitive) and node.record is divide and node.args[0] == ONE):
            return
        divisor = operands(node)[1]
        if self.defines() and own_loops(self.needs, divisor) == self.statement.loops:
            key = own_key(self.needs, divisor)
            self.table.reciprocals.setdefault(key, self.statement.target)
            self.table.divisors.add(self.needs.prints[divisor])

    # ── new tensors ──────────────────────────────────────────────────────────────────────────

    def name(self, node: sympy.Expr, support: Support) -> sympy.Expr | None:
        """A symbol for a part that is computed over its support, if its reads are inside there."""
        loops = self.needs.closed(support)
        nest = nest_of(support, loops, self.table.below)
        reads = {s: self.read_in(nest, support, s) for s in symbols_of(node)}
        if not self.certain(nest, support, reads.values()):
            return None
        expression = replaced(node, {s: read.symbol for s, read in reads.items()})
        known = {read.symbol: read for read in reads.values()}
        key = key_of(nest.loops, expression, known)
        if key not in self.table.names:
            name = unused(f"{self.statement.target}.part", self.table.tensors)
            self.table.tensors[name] = Tensor(name, self.shape(nest.loops), Role.COMPUTED)
            made = Statement(
                name, _points(nest.loops), nest.loops, "=", expression,
                used_reads(expression, known.values()), span=self.statement.span,
            )  # fmt: skip
            self.table.add(
                Needs(made, self.table.options, self.table.views, self.table.tensors), names=True
            )
            self.table.names[key] = name
            self.note(name, nest)
        read = read_of(self.table.names[key], nest.places)
        return self.symbol(self.gathered(read, support) if nest.names else read)

    def note(self, name: str, nest: Nest) -> None:
        """Tell that a part is computed over fewer points, if it is."""
        source = self.statement
        if len(nest.loops) < len(source.loops) or nest.names:
            hoisted = Hoisted(name, nest.loops, source.target, source.loops, source.span)
            self.table.hoisted.append(hoisted)

    def read_in(self, nest: Nest, support: Support, symbol: sympy.Symbol) -> Read:
        """A read as it is in the loops of a nest; through a view only where it has to be."""
        read = self.needs.reads[symbol]
        if read.tensor in self.table.views and not mentioned(read) <= support.loops:
            read = self.table.views.seen(read)
        return regrouped_read(nest, read)

    def certain(self, nest: Nest, support: Support, reads: Iterable[Read]) -> bool:
        dropped = [loop for loop in self.statement.loops if loop.index not in support.loops]
        exact = not nest.names and set(nest.loops) <= set(self.statement.loops)
        if exact and all(runs(loop, self.table.options) for loop in dropped):
            return True
        return Reach(nest.loops, self.table.tensors, self.table.below).certain(reads)

    def gathered(self, read: Read, support: Support) -> Read:
        """The read of a copy with one element for each of the entries, which is read instead."""
        needed = support.loops.union(*map(indices_of, support.entries))
        loops = tuple(loop for loop in self.statement.loops if loop.index in needed)
        key = key_of(loops, read.symbol, {read.symbol: read})
        place = _points(loops)
        if key not in self.table.copies:
            assert read.tensor is not None
            name = unused(f"{read.tensor}.here", self.table.tensors)
            self.table.tensors[name] = Tensor(name, self.shape(loops), Role.COMPUTED)
            axes = on_axes({loop.index: number for number, loop in enumerate(loops)})
            view = View(read.tensor, tuple(part.substitute(axes) for part in read.map))
            self.table.statements.append(copy_of(name, place, loops, view, self.statement.span))
            self.table.views.add(name, view)
            self.table.copies[key] = name
        return read_of(self.table.copies[key], place)

    def shape(self, loops: tuple[Range, ...]) -> tuple[Integer, ...]:
        ranges = {loop.index: loop for loop in loops}
        return tuple(greatest(index(loop.index), ranges, self.table.below) + 1 for loop in loops)

    def symbol(self, read: Read) -> sympy.Expr:
        self.reads.append(read)
        return read.symbol


def _points(loops: tuple[Range, ...]) -> tuple[Integer, ...]:
    return tuple(index(loop.index) for loop in loops)
