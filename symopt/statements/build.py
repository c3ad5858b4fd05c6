"""Typed definitions become statements: reductions are named, expressions become SymPy's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import assert_never

import sympy

from symopt.primitives import operators
from symopt.primitives.record import Constant
from symopt.source import Span
from symopt.statements.expression import replaced, symbols_of
from symopt.statements.program import (
    Program,
    Read,
    Reduction,
    Role,
    Statement,
    Tensor,
    Winner,
    count_of,
    moved_read,
    read_of,
)
from symopt.typed import program as typed
from symopt.typed.domain import Domain
from symopt.typed.packing import positions_name
from symopt.typed.ranges import greatest
from symopt.typed.reads import free_indices, tensors_read
from symopt.types import Integer, Range, Step, constant, index

# Deeper expressions are cut into statements: deriving a chain of k factors twice costs about k^3.
MAX_DEPTH = 12


def build_statements(program: typed.Program, definitions: Iterable[typed.Definition]) -> Program:
    """The statements of some definitions of a program, with all tensors they may read."""
    kept = tuple(definitions)
    builder = _Builder(program, Counter(definition.name for definition in kept))
    for _, together in groupby(kept, lambda one: one.steps[:1] or one.name):
        builder.define_together(tuple(together))
    return Program(tuple(builder.statements), builder.tensors)


def declared_tensors(program: typed.Program) -> dict[str, Tensor]:
    """The tensors that are given: data, integer data, parameters, random draws."""
    tensors: dict[str, Tensor] = {}
    for data in program.data.values():
        role = Role.DATA if data.index_of is None else Role.INDICES
        tensors[data.name] = Tensor(data.name, data.shape, role, data.index_of)
    for param in program.params.values():
        tensors[param.name] = Tensor(param.name, param.stored_shape, Role.PARAM)
        if param.packing is not None:
            name, below = positions_name(param.name), param.stored_shape[-1]
            tensors[name] = Tensor(name, param.shape[-2:], Role.INDICES, below)
    for draw in program.draws:
        tensors[draw.name] = Tensor(draw.name, draw.shape, Role.DATA)
    return tensors


class _Builder:
    def __init__(self, program: typed.Program, cases: Mapping[str, int]) -> None:
        self.tensors = declared_tensors(program)
        self.statements: list[Statement] = []
        self.sizes = {t.name: t.below for t in self.tensors.values() if t.below is not None}
        self.cases = cases  # how many definitions a name has
        self._names: dict[str, int] = {}
        # What is computed step by step at hand, and where its statements begin:
        self.recurring: set[str] = set()
        self.begin = 0
        # The definition at hand:
        self.steps: tuple[Step, ...] = ()
        self.step_loops: tuple[Range, ...] = ()
        self.ranges: dict[str, Range] = {}
        self.stem = ""
        self.span: Span | None = None

    def define_together(self, definitions: tuple[typed.Definition, ...]) -> None:
        """Definitions of one name or, one step after another, of those that need each other."""
        stepwise = bool(definitions[0].steps)
        self.recurring = {definition.name for definition in definitions if stepwise}
        self.begin = len(self.statements)
        for definition in definitions:
            self.define(definition)

    def define(self, definition: typed.Definition) -> None:
        self.ranges = {axis.index: axis for axis in definition.axes}
        self.stem, self.span = definition.name, definition.span
        self.steps = definition.steps
        self.step_loops = definition.axes[: len(definition.steps)]
        reduction: Reduction = "sum" if definition.accumulate else "="
        self.tensors[definition.name] = Tensor(definition.name, definition.shape, Role.COMPUTED)
        self.assign(definition.name, definition.target, definition.axes, definition.body, reduction)

    def assign(
        self,
        target: str,
        place: tuple[Integer, ...],
        loops: tuple[Range, ...],
        body: typed.Scalar,
        reduction: Reduction,
    ) -> None:
        """Statements that make `target[place]` the value of `body` at every point of the loops."""
        match body:
            case typed.Reduce(kind, inner, term) if self.reduces(target, reduction, kind):
                self.add_ranges(inner)
                self.emit(target, place, loops + inner, term, kind)
            case typed.Sum(terms) if any(_is_sum(term) for term in terms):
                # A sum of sums needs no temporaries: each is a statement of the same target.
                sums = [term for term in terms if _is_sum(term)]
                rest = tuple(term for term in terms if not _is_sum(term))
                for term in sums:
                    assert isinstance(term, typed.Reduce)
                    self.add_ranges(term.loops)
                    self.emit(target, place, loops + term.loops, term.body, "sum")
                if rest:
                    left = rest[0] if len(rest) == 1 else typed.Sum(rest)
                    self.emit(target, place, loops, left, "sum")
            case _:
                self.emit(target, place, loops, body, reduction)

    def reduces(self, target: str, reduction: Reduction, kind: Reduction) -> bool:
        """Whether a reduction can bring its points together in the target itself.

        One that does not start from 0 cannot, where other statements write there, too.
        """
        return kind == "sum" or (reduction == "=" and self.cases.get(target, 1) == 1)

    def add_ranges(self, loops: tuple[Range, ...]) -> None:
        self.ranges.update({loop.index: loop for loop in loops})

    def emit(
        self,
        target: str,
        place: tuple[Integer, ...],
        loops: tuple[Range, ...],
        body: typed.Scalar,
        reduction: Reduction,
    ) -> None:
        expression, reads = self.convert(body)
        winner = self.winner(target, place, loops) if reduction in ("max", "min") else None
        self.add(
            Statement(target, place, loops, reduction, expression, reads, winner, span=self.span)
        )

    def add(self, statement: Statement) -> None:
        """A statement, in the steps of the definition at hand; before them if it takes no part."""
        statement = with_short_indices(statement)
        if statement.target in self.recurring:
            self.statements.append(replace(statement, steps=self.steps))
        else:
            place = self.begin if self.recurring else len(self.statements)
            self.statements.insert(place, statement)
            self.begin += 1

    def winner(self, target: str, place: tuple[Integer, ...], loops: tuple[Range, ...]) -> Winner:
        """Positions count the points reduced over in the order they are visited."""
        name = f"{target}.winner"
        self.tensors[name] = Tensor(name, self.tensors[target].shape, Role.COMPUTED)
        seen = {part for axis in place for part in axis.indices}
        position = constant(0)
        for loop in loops:
            if loop.index not in seen:
                size = greatest(index(loop.index), self.ranges, self.sizes) + 1
                position = position * size + index(loop.index)
        return Winner(name, position)

    def convert(self, body: typed.Scalar) -> tuple[sympy.Expr, tuple[Read, ...]]:
        """A scalar as a SymPy expression of symbols, and what these stand for."""
        conversion = _Conversion(self)
        expression = conversion.of(body)
        return expression, used_reads(expression, conversion.reads.values())

    def fresh(self, stem: str) -> str:
        """A name not used before, nor by a definition: these have names like `~f.2` too."""
        while True:
            count = self._names[stem] = self._names.get(stem, 0) + 1
            if (name := f"{stem}.{count}") not in self.cases:
                return name

    def temporary(
        self, body: typed.Scalar, converted: tuple[sympy.Expr, tuple[Read, ...]] | None = None
    ) -> Read:
        """A name for a scalar that depends on some of the loops: computed once for these.

        What is converted already is not converted again: for deep expressions, that would double
        the work with every part that is named.
        """
        wanted = frozenset(free_indices(body)) & self.ranges.keys()
        name = self.fresh(self.stem)
        if not self.recurring.isdisjoint(tensors_read(body)):
            self.recurring.add(name)
            wanted |= {loop.index for loop in self.step_loops}
        loops = self.domain().loops(wanted, body)
        place = tuple(index(loop.index) for loop in loops)
        self.tensors[name] = Tensor(name, self.domain().shape(loops), Role.COMPUTED)
        outer = self.ranges
        self.ranges = {**outer, **{loop.index: loop for loop in loops}}
        if converted is None:
            self.assign(name, place, loops, body, "=")
        else:
            self.add(Statement(name, place, loops, "=", *converted, span=self.span))
        self.ranges = outer
        return read_of(name, place)

    def domain(self) -> Domain:
        return Domain(
            self.ranges, lambda name: self.tensors[name].shape, self.sizes, self.recurring
        )


class _Conversion:
    """One scalar into SymPy; deep parts and reductions are named on the way."""

    def __init__(self, builder: _Builder) -> None:
        self.builder = builder
        self.reads: dict[sympy.Symbol, Read] = {}
        self.depth: dict[sympy.Expr, int] = {}

    def symbol(self, read: Read) -> sympy.Expr:
        self.reads[read.symbol] = read
        return read.symbol

    def of(self, scalar: typed.Scalar) -> sympy.Expr:
        match scalar:
            case typed.Number(value):
                return Constant(value)
            case typed.Count(value):
                number = value.value
                return Constant(number) if number is not None else self.symbol(count_of(value))
            case typed.Read(tensor, indices):
                return self.symbol(read_of(tensor, indices))
            case typed.Sum(terms):
                return self.node(terms, lambda parts: sympy.Add(*parts))
            case typed.Product(factors):
                return self.node(factors, _product)
            case typed.IntegerPower(base, n):
                return self.node((base,), lambda parts: operators.power_by_integer(parts[0], n))
            case typed.Apply(function, arguments):
                return self.node(arguments, lambda parts: function(*parts))
            case typed.Reduce():
                return self.symbol(self.builder.temporary(scalar))
            case _:
                assert_never(scalar)

    def named(self, part: typed.Scalar, expression: sympy.Expr) -> sympy.Expr:
        """A symbol for a part in place of its expression."""
        reads = used_reads(expression, self.reads.values())
        return self.symbol(self.builder.temporary(part, (expression, reads)))

    def node(
        self,
        parts: tuple[typed.Scalar, ...],
        make: Callable[[list[sympy.Expr]], sympy.Expr],
    ) -> sympy.Expr:
        inner = [self.of(part) for part in parts]
        depth = 1 + max((self.depth.get(part, 0) for part in inner), default=0)
        if depth > MAX_DEPTH:
            inner = [
                self.named(part, done) if self.depth.get(done, 0) >= MAX_DEPTH else done
                for part, done in zip(parts, inner, strict=True)
            ]
            depth = 1 + max((self.depth.get(part, 0) for part in inner), default=0)
        expression = make(inner)
        self.depth[expression] = depth
        return expression


def _product(parts: list[sympy.Expr]) -> sympy.Expr:
    signs = sum(1 for part in parts if part == MINUS_ONE)
    rest = [part for part in parts if part != MINUS_ONE]
    product = sympy.Mul(*rest)
    return -product if signs % 2 else product


MINUS_ONE = Constant(-1.0)


def _is_sum(term: typed.Scalar) -> bool:
    return isinstance(term, typed.Reduce) and term.reduction == "sum"


def used_reads(expression: sympy.Expr, reads: Iterable[Read]) -> tuple[Read, ...]:
    """Those reads whose symbol is in the expression, in a fixed order."""
    symbols = symbols_of(expression)
    used = {read.symbol: read for read in reads if read.symbol in symbols}
    return tuple(sorted(used.values(), key=lambda read: read.symbol.name))


def with_short_indices(statement: Statement) -> Statement:
    """The statement with its indices called as the program calls them, where that is unambiguous.

    While checking, every index has a name of its own (`i.2`); one statement needs no such care.
    """
    short: dict[str, str] = {}
    for loop in statement.loops:
        name = loop.index.partition(".")[0]
        while name in short.values():
            name += "'"
        short[loop.index] = name
    if all(old == new for old, new in short.items()):
        return statement
    names = {old: index(new) for old, new in short.items()}
    reads = {read.symbol: moved_read(read, names) for read in statement.reads}
    winner = statement.winner
    return replace(
        statement,
        map=tuple(place.substitute(names) for place in statement.map),
        loops=tuple(
            Range(short[loop.index], loop.lower.substitute(names), loop.upper.substitute(names))
            for loop in statement.loops
        ),
        expression=replaced(statement.expression, {s: r.symbol for s, r in reads.items()}),
        reads=tuple(sorted(reads.values(), key=lambda read: read.symbol.name)),
        winner=replace(winner, position=winner.position.substitute(names)) if winner else None,
    )
