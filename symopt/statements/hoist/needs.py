"""The parts of one expression: what they depend on, and whether taking them out pays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sympy

from symopt.statements.expression import operands, postorder, symbols_of
from symopt.statements.hoist.program import Hoisting, Views
from symopt.statements.hoist.support import Mention, Support, mentions, support_of
from symopt.statements.hoist.work import DIVISION, FUNCTION, node_work
from symopt.statements.program import Read, Statement, Tensor
from symopt.types import Range, constant, depends_on, index

SHORT = 4  # loops of so many steps are written out by the emitter; LLVM finds what is common there
_NOTHING: frozenset[Mention] = frozenset()


@dataclass(slots=True)
class Needs:
    """The parts of a statement, parts before wholes. Gathered views are seen through.

    Parts with equal `prints` are probably equal up to names of loops; those with different ones
    are not. `costly` parts read something, and divide or call a function.
    """

    statement: Statement
    options: Hoisting
    views: Views
    tensors: Mapping[str, Tensor]
    ranges: dict[str, Range] = field(init=False)
    sampled: frozenset[str] = field(init=False)
    reads: dict[sympy.Expr, Read] = field(init=False)
    order: list[sympy.Expr] = field(init=False)
    prints: dict[sympy.Expr, int] = field(init=False)
    costly: set[sympy.Expr] = field(init=False)
    _mentions: dict[sympy.Expr, frozenset[Mention]] = field(init=False)
    _supports: dict[frozenset[Mention], Support] = field(init=False)

    def __post_init__(self) -> None:
        loops = self.statement.loops
        self.ranges = {loop.index: widened(loop, self.statement, self.tensors) for loop in loops}
        self.sampled = frozenset(x.index for x in loops if self.options.sampled(x))
        self.reads = {read.symbol: read for read in self.statement.reads}
        self.order = postorder(self.statement.expression)
        self.prints, self.costly, self._mentions, self._supports = {}, set(), {}, {}
        for node in self.order:
            self._look_at(node)

    def _look_at(self, node: sympy.Expr) -> None:
        parts = operands(node)
        if parts:
            found = [self._mentions[part] for part in parts]
            self._mentions[node] = found[0] if len(found) == 1 else _NOTHING.union(*found)
            inner = [self.prints[part] for part in parts]
            # The order of terms and factors is that of their names.
            ordered = tuple(sorted(inner) if node.is_Add or node.is_Mul else inner)
            self.prints[node] = hash((type(node), ordered))
            within = any(part in self.costly for part in parts)
            if within or (node_work(node) >= DIVISION and symbols_of(node)):
                self.costly.add(node)
        elif node in self.reads:
            read, groups = self.reads[node], self.options.groups
            places = self.views.seen(read).map
            self._mentions[node] = frozenset(m for p in places for m in mentions(p, groups))
            self.prints[node] = hash(read.tensor)
        else:
            self._mentions[node], self.prints[node] = _NOTHING, hash(node)

    def support(self, *nodes: sympy.Expr) -> Support:
        """What some parts need together."""
        mentioned = self._mentions[nodes[0]]
        if len(nodes) > 1:
            mentioned = mentioned.union(*(self._mentions[node] for node in nodes[1:]))
        if mentioned not in self._supports:
            self._supports[mentioned] = support_of(mentioned, self.ranges, self.options.groups)
        return self._supports[mentioned]

    def plain(self, node: sympy.Expr) -> frozenset[str]:
        """The loops that a part needs as it stands: no view is seen through, no loop widened."""
        names = (mentioned(self.reads[symbol]) for symbol in symbols_of(node))
        ranges = {loop.index: loop for loop in self.statement.loops}
        return depends_on(frozenset[str]().union(*names), ranges)

    def closed(self, support: Support) -> tuple[Range, ...]:
        """The loops of the statement, those whose bounds are out of the support widened."""
        return tuple(
            loop
            if loop.lower.indices | loop.upper.indices <= support.loops
            else self.ranges[loop.index]
            for loop in self.statement.loops
        )

    def gains(self) -> bool:
        """Whether any part may need fewer loops than the statement."""
        return any(
            self.saves(self.support(node))
            for node in self.order
            if node in self.reads or (not self._mentions[node] and node_work(node) >= FUNCTION)
        )

    def saves(self, support: Support) -> bool:
        """Whether a loop of the statement is not needed."""
        return len(support.loops) < len(self.ranges)

    def free(self, support: Support) -> bool:
        """Whether a loop over samples is not needed."""
        return not self.sampled <= support.loops

    def pays(self, nodes: Iterable[sympy.Expr], more: int, support: Support) -> bool:
        """Whether parts, and `more` work on them, should be computed over their support."""
        if not self.saves(support):
            return False
        parts = {part for node in nodes for part in postorder(node)}
        amount = more + sum(map(node_work, parts))
        reads = sum(1 for part in parts if part in self.reads)
        if amount == 0 or not reads or not self.sampled:
            return amount >= FUNCTION
        if support.entries and amount < DIVISION:
            return False  # reading it back by an index array is as much work
        if self.free(support):
            return amount >= 2 or reads >= 2
        if amount >= DIVISION:
            return True
        long = any(_long(loop) for name, loop in self.ranges.items() if name not in support.loops)
        return long and reads >= 2


def is_settled(statement: Statement, options: Hoisting) -> bool:
    """Whether it is plain that nothing will be taken out of a statement."""
    if statement.steps or not statement.loops or isinstance(statement.expression, sympy.Symbol):
        return True
    if any(map(options.sampled, statement.loops)):
        return False
    return all(node_work(node) < FUNCTION for node in postorder(statement.expression))


def mentioned(read: Read) -> frozenset[str]:
    """The indices in a read."""
    return frozenset[str]().union(*(place.indices for place in read.map))


def widened(loop: Range, statement: Statement, tensors: Mapping[str, Tensor]) -> Range:
    """A triangular range as all that it can reach, where that is one axis of what is read.

    `b in range(a)` runs over `b` for every `a`: what depends on `b` alone is computed once.
    """
    edges = (loop.lower, loop.upper)
    moving = [edge for edge in edges if edge.indices]
    if len(moving) != 1 or any(edge.tensors for edge in edges):
        return loop
    (edge,) = moving
    if len(edge.indices) > 1 or (edge - index(*edge.indices)).indices:
        return loop
    sizes = {
        size
        for read in statement.reads
        if read.tensor is not None
        for place, size in zip(read.map, tensors[read.tensor].shape, strict=True)
        if place.index == loop.index
    }
    return Range(loop.index, constant(0), *sizes) if len(sizes) == 1 else loop


def _long(loop: Range) -> bool:
    steps = (loop.upper - loop.lower).value
    return steps is None or steps > SHORT
