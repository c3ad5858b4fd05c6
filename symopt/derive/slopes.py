"""Slopes of a statement's target by its reads, each computed once for all columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import sympy

from symopt.derive.reach import Step
from symopt.derive.scalar import Finiteness
from symopt.primitives import operators
from symopt.primitives.record import Constant, Primitive
from symopt.statements.build import used_reads
from symopt.statements.expression import operands, postorder
from symopt.statements.program import Read, Role, Statement, Tensor, read_of
from symopt.typed.ranges import greatest
from symopt.types import Range, depends_on, index


@dataclass(slots=True)
class Slopes:
    """The slopes of one statement: expressions of its reads, or reads of what was named before."""

    step: Step
    tensors: dict[str, Tensor]
    before: list[Statement] = field(default_factory=list)
    _named: dict[sympy.Symbol, Read] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[Read, ...]:
        """Everything that slopes may read."""
        return (*self.step.reads, *self._named.values())

    def of(self, symbol: sympy.Symbol) -> sympy.Expr:
        """∂target/∂(the read that the symbol stands for)."""
        named = self._named.get(symbol)
        return self.step.slopes[symbol] if named is None else named.symbol

    def name(self, read: Read) -> None:
        """Make the slope by a read a statement of its own, if that saves computing it again."""
        slope = self.step.slopes[read.symbol]
        loops = None if _is_plain(slope) else self._loops(slope)
        if loops is None:
            return
        statement = self.step.statement
        ranges = {loop.index: loop for loop in statement.loops}
        below = {t.name: t.below for t in self.tensors.values() if t.below is not None}
        place = tuple(index(loop.index) for loop in loops)
        name = self._fresh()
        shape = tuple(greatest(part, ranges, below) + 1 for part in place)
        self.tensors[name] = Tensor(name, shape, Role.COMPUTED)
        reads = used_reads(slope, self.step.reads)
        self.before.append(Statement(name, place, loops, "=", slope, reads, span=statement.span))
        self._named[read.symbol] = read_of(name, place)

    def _fresh(self) -> str:
        stem, count = f"{self.step.statement.target}.slope", 1
        while f"{stem}.{count}" in self.tensors:
            count += 1
        return f"{stem}.{count}"

    def _loops(self, slope: sympy.Expr) -> tuple[Range, ...] | None:
        """The loops that a slope depends on, unless it would take more room than there is now."""
        statement = self.step.statement
        reads = used_reads(slope, self.step.reads)
        ranges = {loop.index: loop for loop in statement.loops}
        mentioned = frozenset().union(*(part.indices for read in reads for part in read.map))
        wanted = depends_on(mentioned, ranges)
        loops = tuple(loop for loop in statement.loops if loop.index in wanted)
        ragged = any(loop.lower.tensors | loop.upper.tensors for loop in loops)
        rooms = [frozenset(place.index or "" for place in statement.map)]
        rooms += [
            frozenset(place.index or "" for place in read.map)
            for read in statement.reads
            if read.tensor is not None and self.tensors[read.tensor].role is Role.COMPUTED
        ]
        open_loops = {loop.index for loop in loops if (loop.upper - loop.lower).value is None}
        fits = any(open_loops <= room for room in rooms)
        return loops if fits and not ragged else None

    def change(self, dots: Mapping[sympy.Symbol, Read]) -> sympy.Expr:
        """Σ slope · change, over some of the reads and their changes."""
        known = self.step.finiteness
        wild = {dot.symbol for symbol, dot in dots.items() if symbol in known.wild}
        wild |= {
            named.symbol
            for symbol, named in self._named.items()
            if not known.finite(self.step.slopes[symbol])
        }
        finiteness = replace(known, wild=known.wild | wild, _known={})
        return sympy.Add(*(self._product(s, dot.symbol, finiteness) for s, dot in dots.items()))

    def _product(
        self, symbol: sympy.Symbol, change: sympy.Expr, finiteness: Finiteness
    ) -> sympy.Expr:
        """slope·change, where a zero of either wins over what is not finite of the other."""
        slope = self.of(symbol)
        product = finiteness.times(change, slope)
        if finiteness.finite(slope) or finiteness.finite(change):
            return product
        expressions = self.step.statement.expression, self.step.slopes[symbol]
        if not any(map(_masks, expressions)):
            return product
        return operators.select(operators.equal(slope, operators.ZERO), operators.ZERO, product)


def _masks(expression: sympy.Expr) -> bool:
    """Whether an exact zero in it can wipe out something that is not finite."""
    return any(
        isinstance(node, Primitive)
        and (node.record is operators.select or node.record is operators.smul)
        and not _is_number(operands(node)[0])
        for node in postorder(expression)
    )


def _is_number(part: sympy.Expr) -> bool:
    return isinstance(part, Constant) or part.is_Integer


def _is_plain(slope: sympy.Expr) -> bool:
    """A number, a read, or a read times a number: as quick to compute as to read back."""
    factors: Iterable[sympy.Expr] = operands(slope) if slope.is_Mul else (slope,)
    reads = [factor for factor in factors if isinstance(factor, sympy.Symbol)]
    rest = [factor for factor in factors if not isinstance(factor, sympy.Symbol)]
    return len(reads) <= 1 and all(map(_is_number, rest))
