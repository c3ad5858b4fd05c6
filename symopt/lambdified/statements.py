"""A formula becomes statements: over samples where arguments are arrays, once where they are not.

What is used more than once, and what would make a statement long, is a tensor of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sympy

from symopt.lambdified import errors
from symopt.lambdified.formula import Formula, Total
from symopt.lambdified.nodes import Nodes
from symopt.statements.expression import operands, postorder
from symopt.statements.program import Program, Read, Role, Statement, Tensor, read_of
from symopt.types import Integer, Range, constant, dim, index

SAMPLES = "n"  # the dim, and the index, of what broadcasts
_LONGEST = 256  # nodes of one statement
_NONE: frozenset[str] = frozenset()


def build_statements(
    formula: Formula, nodes: Nodes, arrays: frozenset[str], ranks: Mapping[str, int]
) -> Program:
    """The program of a formula whose scalars `arrays` have one value per sample.

    `ranks` are those of the arrays that are read by index. Outputs are in the order of the roots;
    given tensors come first.
    """
    return _Builder(formula, nodes, arrays, ranks).program()


@dataclass(slots=True)
class _Builder:
    formula: Formula
    nodes: Nodes
    arrays: frozenset[str]
    ranks: Mapping[str, int]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    reads: dict[sympy.Symbol, Read] = field(default_factory=dict)
    # By the identity of nodes: over what they run, what stands for them, how long that is.
    axes: dict[int, frozenset[str]] = field(default_factory=dict)
    placed: dict[int, sympy.Expr] = field(default_factory=dict)
    size: dict[int, int] = field(default_factory=dict)
    loops: dict[str, Range] = field(default_factory=dict)

    def program(self) -> Program:
        formula = self.formula
        self.loops[SAMPLES] = Range(SAMPLES, constant(0), dim(SAMPLES))
        self.loops |= {total.loop.index: total.loop for total in formula.totals.values()}
        self._declare()
        order = formula.order()
        uses = Counter(id(part) for node in order for part in formula.parts(node))
        uses.update(map(id, formula.roots))
        for node in order:
            self._place(node, shared=uses[id(node)] > 1)
        outputs = tuple(f"out{k}" for k in range(len(formula.roots)))
        names = (SAMPLES,) if self.arrays else ()
        for name, root in zip(outputs, formula.roots, strict=True):
            self._assign(name, names, self.placed[id(root)])
        return Program(tuple(self.statements), self.tensors, outputs)

    def _declare(self) -> None:
        for symbol, name in sorted(self.formula.scalars.items(), key=lambda item: item[1]):
            many = name in self.arrays
            shape = (dim(SAMPLES),) if many else ()
            self.tensors[name] = Tensor(name, shape, Role.DATA)
            self.reads[symbol] = Read(symbol, name, (index(SAMPLES),) if many else ())
        for symbol, read in self.formula.reads.items():
            self.reads[symbol] = read
            if read.tensor is not None:
                name = read.tensor
                sizes = tuple(dim(f"{name}.{axis}") for axis in range(self.ranks[name]))
                self.tensors[name] = Tensor(name, sizes, Role.DATA)

    # ── nodes ────────────────────────────────────────────────────────────────────────────────

    def _place(self, node: sympy.Expr, *, shared: bool) -> None:
        """What parents of a node use in its place; its parts are placed already."""
        if isinstance(node, sympy.Symbol) and node in self.formula.totals:
            self._total(node, self.formula.totals[node])
            return
        if isinstance(node, sympy.Symbol) and node in self.reads:
            self._put(node, node, self._indices_of(self.reads[node]), 0)
            return
        parts = operands(node)
        kept = [part for part in parts if not part.is_Integer]
        axes = _NONE.union(*(self.axes[id(part)] for part in kept))
        for part in kept:
            if self.axes[id(part)] != axes and self.axes[id(part)] <= {SAMPLES}:
                self._name(part)
        # The longest parts are named first, until what is left is short.
        for part in sorted(kept, key=lambda one: -self.size[id(one)]):
            if 1 + sum(self.size[id(one)] for one in kept) <= _LONGEST:
                break
            if self._nameable(self.axes[id(part)]):
                self._name(part)
        inside = tuple(part if part.is_Integer else self.placed[id(part)] for part in parts)
        size = 1 + sum(self.size[id(part)] for part in kept)
        self._put(node, self.nodes.rebuilt(node, inside), axes, size if kept else 0)
        if shared and axes <= {SAMPLES}:
            self._name(node)

    def _put(self, node: sympy.Expr, placed: sympy.Expr, axes: frozenset[str], size: int) -> None:
        self.placed[id(node)], self.axes[id(node)], self.size[id(node)] = placed, axes, size

    def _indices_of(self, read: Read) -> frozenset[str]:
        return _NONE.union(*(place.indices for place in read.map))

    def _name(self, node: sympy.Expr) -> None:
        """A tensor for a node that has none."""
        if self.size[id(node)] == 0:
            return
        name = f"t{len(self.statements)}"
        axes = self.axes[id(node)]
        read = self._assign(name, self._ordered(axes), self.placed[id(node)])
        self._put(node, read, axes, 0)

    def _nameable(self, axes: frozenset[str]) -> bool:
        """Whether a tensor can run over these: no range may depend on another index."""
        ranges = (self.loops[name] for name in axes)
        return not any(loop.lower.indices | loop.upper.indices for loop in ranges)

    def _ordered(self, axes: Iterable[str]) -> tuple[str, ...]:
        """Samples first, then outer indices before inner ones."""
        wanted = frozenset(axes)
        return tuple(name for name in self.loops if name in wanted)

    # ── statements ───────────────────────────────────────────────────────────────────────────

    def _total(self, symbol: sympy.Symbol, total: Total) -> None:
        """A sum or product, with those of the same kind right inside it."""
        loops, body = [total.loop], total.body
        while (inner := self.formula.totals.get(body)) is not None and inner.kind == total.kind:  # type: ignore[arg-type]
            loops.append(inner.loop)
            body = inner.body
        own = {loop.index for loop in loops}
        bounds = _NONE.union(*(edge.indices for one in loops for edge in (one.lower, one.upper)))
        axes = (self.axes[id(body)] | bounds) - own
        if not self._nameable(axes):
            raise errors.refusal(
                "nested-sum",
                f"a sum inside a sum over {', '.join(sorted(axes))} needs ranges of its own",
                help="write both as one sum of several limits",
            )
        name = f"t{len(self.statements)}"
        outer = self._ordered(axes)
        read = self._declared(name, outer)
        ranges = tuple(self.loops[one] for one in outer) + tuple(loops)
        expression = self.placed[id(body)]
        self._append(name, read.map, ranges, total.kind, expression)
        self._put(symbol, read.symbol, axes, 0)
        self.nodes.symbol(read.symbol)

    def _assign(self, name: str, outer: tuple[str, ...], expression: sympy.Expr) -> sympy.Expr:
        read = self._declared(name, outer)
        ranges = tuple(self.loops[one] for one in outer)
        self._append(name, read.map, ranges, "=", expression)
        return self.nodes.symbol(read.symbol)

    def _declared(self, name: str, outer: tuple[str, ...]) -> Read:
        """A tensor over some indices, counted from the start of their ranges."""
        ranges = [self.loops[one] for one in outer]
        shape: tuple[Integer, ...] = tuple(loop.upper - loop.lower for loop in ranges)
        self.tensors[name] = Tensor(name, shape, Role.COMPUTED)
        place = tuple(index(loop.index) - loop.lower for loop in ranges)
        read = read_of(name, place)
        self.reads[read.symbol] = read
        return read

    def _append(
        self,
        name: str,
        place: tuple[Integer, ...],
        ranges: tuple[Range, ...],
        reduction: str,
        expression: sympy.Expr,
    ) -> None:
        symbols = {one for one in postorder(expression) if isinstance(one, sympy.Symbol)}
        reads = tuple(sorted((self.reads[s] for s in symbols), key=lambda read: read.symbol.name))
        self.statements.append(
            Statement(name, place, ranges, reduction, expression, reads)  # type: ignore[arg-type]
        )
