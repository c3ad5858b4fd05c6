"""Derivatives of functions of matrices, as sums over rows and columns.

With X = inv(M), dX = -X dM X; d log det M = trace(X dM). With L L' = M and V = inv(L),
dL = L P(V dM V'), where P keeps the lower triangle and halves its diagonal: I. Murray,
"Differentiation of the Cholesky decomposition", 2016. What is known to be 0 is not visited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import sympy

from symopt.primitives.operators import strong_product
from symopt.primitives.record import Constant
from symopt.statements.build import used_reads
from symopt.statements.program import Read, Role, Statement, Tensor, read_of
from symopt.types import Integer, Range, Step, constant, index

_HALF = Constant(0.5)


@dataclass(frozen=True, slots=True)
class Slope:
    """The slope of the target of a statement by its read, the reads of that, and what it needs."""

    factor: sympy.Expr
    reads: tuple[Read, ...]
    before: tuple[Statement, ...] = ()
    tensors: tuple[Tensor, ...] = ()


def pull_matrix(
    statement: Statement, bar: Read | None, target: str, suffix: str, tensors: dict[str, Tensor]
) -> list[Statement]:
    """What the adjoint of a statement's target, 1 if None, adds to `target`, that of its matrix.

    Helpers on the way, all statements but those of `target`, are new `tensors`.
    """
    rule = _Rule(statement, tensors, statement.steps, f"{statement.target}.{suffix}")
    match statement.reduction:
        case "inverse":
            rule.pull_inverse(bar, target)
        case "cholesky":
            rule.pull_cholesky(bar, target)
        case _:
            rule.pull_determinant(bar, target)
    return rule.statements


@dataclass(frozen=True, slots=True)
class Moving:
    """A change of a target: what helpers are called after, its columns, and the steps it is in."""

    stem: str
    columns: tuple[Range, ...] = ()
    steps: tuple[Step, ...] = ()


Place = tuple[Integer, ...]


def change_of_matrix(
    statement: Statement,
    change: Callable[[Place], Read],
    target: Callable[[Place], Read],
    tensors: dict[str, Tensor],
    moving: Moving,
) -> list[Statement]:
    """How the target of a statement moves, in some columns at once.

    `change` and `target` are the changes of the matrix and of the target at places of these.
    """
    rule = _Rule(statement, tensors, moving.steps, moving.stem, moving.columns)
    match statement.reduction:
        case "inverse":
            rule.change_inverse(change, target)
        case "cholesky":
            rule.change_cholesky(change, target)
        case _:
            rule.change_determinant(change, target)
    return rule.statements


@dataclass(slots=True)
class _Rule:
    """The statements of one rule as they are made."""

    statement: Statement
    tensors: dict[str, Tensor]
    steps: tuple[Step, ...]
    stem: str
    columns: tuple[Range, ...] = ()
    statements: list[Statement] = field(default_factory=list)
    made: set[str] = field(default_factory=set)

    # ── names ────────────────────────────────────────────────────────────────────────────────

    @property
    def size(self) -> Integer:
        return self.statement.loops[-1].upper

    @property
    def read(self) -> Read:
        """The element of the matrix, at the last two loops."""
        return self.statement.reads[0]

    @property
    def batch(self) -> tuple[Integer, ...]:
        """The place of the matrix in the target."""
        place = self.statement.map
        return place[:-2] if self.statement.reduction in ("inverse", "cholesky") else place

    @property
    def shape(self) -> tuple[Integer, ...]:
        """That of a matrix for each of the statement."""
        outer = self.tensors[self.statement.target].shape[: len(self.batch)]
        return (*outer, self.size, self.size)

    @property
    def indices(self) -> tuple[str, str, str, str]:
        """Four indices, of which the last two are those of the read."""
        inner = [loop.index for loop in self.statement.loops[len(self.statement.around) :]]
        row, column = inner[-2:]
        first, second = inner[:2] if len(inner) == 4 else (f"{row}~", f"{column}~")
        return first, second, row, column

    def of(self, tensor: str, row: str, column: str) -> Read:
        """An element of a matrix beside the target."""
        return read_of(tensor, (*self.batch, index(row), index(column)))

    def known(self, row: str, column: str) -> Read:
        """An element of the target."""
        return self.of(self.statement.target, row, column)

    def inverse(self, row: str, column: str) -> Read:
        """An element of the inverse of the matrix; of a Cholesky factor, of that itself."""
        name = f"{self.stem}.inverse"
        if name not in self.made:
            self.made.add(name)
            self.tensors[name] = Tensor(name, self.shape, Role.COMPUTED)
            r, c, p, q = self.indices
            of_factor = self.statement.reduction == "cholesky"
            read = self.known(p, q) if of_factor else self.read
            inverse = Statement(
                name,
                (*self.batch, index(r), index(c)),
                (*self.statement.around, *map(self.full, (r, c, p, q))),
                "inverse",
                read.symbol,
                (read,),
                steps=self.steps,
                span=self.statement.span,
            )
            self.statements.append(inverse)
        return self.of(name, row, column)

    def source(self, row: str, column: str) -> tuple[Integer, ...]:
        """The place of an element of the matrix."""
        *_, p, q = self.indices
        names = {p: index(row), q: index(column)}
        return tuple(place.substitute(names) for place in self.read.map)

    def helper(self, name: str) -> Callable[[str, str], Read]:
        """A new matrix beside the target, with the columns as further axes."""
        name = f"{self.stem}.{name}"
        widths = tuple(loop.upper for loop in self.columns)
        self.tensors[name] = Tensor(name, (*self.shape, *widths), Role.COMPUTED)
        tail = tuple(index(loop.index) for loop in self.columns)
        return lambda row, column: read_of(name, (*self.batch, index(row), index(column), *tail))

    # ── statements ───────────────────────────────────────────────────────────────────────────

    def full(self, name: str) -> Range:
        return Range(name, constant(0), self.size)

    def below(self, name: str, last: str, first: str | None = None) -> Range:
        """From one index, or 0, up to another."""
        return Range(name, constant(0) if first is None else index(first), index(last) + 1)

    def above(self, name: str, first: str) -> Range:
        return Range(name, index(first), self.size)

    def add(self, target: Read, loops: tuple[Range, ...], term: sympy.Expr, *reads: Read) -> None:
        """The sum of a term over the loops that the target does not see."""
        assert target.tensor is not None
        self.statements.append(
            Statement(
                target.tensor,
                target.map,
                (*self.statement.around, *loops, *self.columns),
                "sum",
                term,
                used_reads(term, reads),
                steps=self.steps,
                span=self.statement.span,
            )
        )

    def product(
        self, target: Read, loops: tuple[Range, ...], weight: Read, factor: Read, scale: float = 1.0
    ) -> None:
        """The sum of scale·weight·factor, where a zero weight wins over any factor."""
        term = strong_product(weight.symbol, factor.symbol)
        term = -term if scale == -1.0 else term if scale == 1.0 else Constant(scale) * term
        self.add(target, loops, term, weight, factor)

    def slope(self, factor: sympy.Expr, reads: tuple[Read, ...]) -> Slope:
        made = dict.fromkeys(statement.target for statement in self.statements)
        tensors = tuple(self.tensors[name] for name in made)
        return Slope(factor, reads, tuple(self.statements), tensors)

    # ── backward ─────────────────────────────────────────────────────────────────────────────

    def pull_inverse(self, bar: Read | None, target: str) -> None:
        """M̄ = -X' X̄ X'."""
        assert bar is not None and bar.tensor is not None
        r, c, p, q = self.indices
        half = self.helper("half")
        loops = self.full(r), self.full(q), self.full(c)
        self.product(half(r, q), loops, self.of(bar.tensor, r, c), self.known(q, c))
        loops = self.full(p), self.full(q), self.full(r)
        to = read_of(target, self.source(p, q))
        self.product(to, loops, half(r, q), self.known(r, p), -1.0)

    def pull_determinant(self, bar: Read | None, target: str) -> None:
        """M̄ = ȳ X', and y times that for a determinant."""
        *_, p, q = self.indices
        slope = self.inverse(q, p)
        value = read_of(self.statement.target, self.statement.map)
        term: sympy.Expr = slope.symbol
        if self.statement.reduction == "determinant":
            term = value.symbol * term
        if bar is not None:
            term = strong_product(bar.symbol, term)
        reads = (slope, value) if bar is None else (slope, value, bar)
        to = read_of(target, self.source(p, q))
        self.add(to, (self.full(p), self.full(q)), term, *reads)

    def pull_cholesky(self, bar: Read | None, target: str) -> None:
        """M̄ = (S + S')/2 with S = V' P(L' L̄) V."""
        assert bar is not None and bar.tensor is not None
        r, c, p, q = self.indices
        lower, inner, outer = self.helper("lower"), self.helper("half"), self.helper("outer")
        loops = self.full(r), self.below(c, r), self.above(p, r)
        self.product(lower(r, c), loops, self.of(bar.tensor, p, c), self.known(p, r))
        loops = self.full(r), self.below(q, r), self.below(c, r, q)
        self.product(inner(r, q), loops, lower(r, c), self.inverse(c, q))
        loops = self.full(r), self.below(q, r)
        self.product(inner(r, q), loops, lower(r, r), self.inverse(r, q), -0.5)
        loops = self.full(p), self.above(r, p), self.below(q, r)
        self.product(outer(p, q), loops, inner(r, q), self.inverse(r, p))
        for place in (self.source(p, q), self.source(q, p)):
            both = self.full(p), self.full(q)
            self.add(read_of(target, place), both, _HALF * outer(p, q).symbol, outer(p, q))

    # ── forward ──────────────────────────────────────────────────────────────────────────────

    def change_inverse(
        self,
        change: Callable[[Place], Read],
        target: Callable[[Place], Read],
    ) -> None:
        """Ẋ = -X Ṁ X."""
        r, c, p, q = self.indices
        half = self.helper("half")
        loops = self.full(r), self.full(q), self.full(p)
        self.product(half(r, q), loops, change(self.source(p, q)), self.known(r, p))
        loops = self.full(r), self.full(c), self.full(q)
        self.product(target(self.statement.map), loops, half(r, q), self.known(q, c), -1.0)

    def change_determinant(
        self,
        change: Callable[[Place], Read],
        target: Callable[[Place], Read],
    ) -> None:
        """ẏ = trace(X Ṁ), and y times that for a determinant."""
        *_, p, q = self.indices
        slope, moved = self.inverse(q, p), change(self.source(p, q))
        value = read_of(self.statement.target, self.statement.map)
        term: sympy.Expr = slope.symbol
        if self.statement.reduction == "determinant":
            term = value.symbol * term
        term = strong_product(moved.symbol, term)
        loops = self.full(p), self.full(q)
        self.add(target(self.statement.map), loops, term, slope, value, moved)

    def change_cholesky(
        self,
        change: Callable[[Place], Read],
        target: Callable[[Place], Read],
    ) -> None:
        """L̇ = L P(V Ṁ V'), of the symmetric part of Ṁ."""
        r, c, p, q = self.indices
        half, lower = self.helper("half"), self.helper("lower")
        for place in (self.source(p, q), self.source(q, p)):
            loops = self.full(r), self.full(q), self.below(p, r)
            self.product(half(r, q), loops, change(place), self.inverse(r, p), 0.5)
        loops = self.full(r), self.below(c, r), self.below(q, c)
        self.product(lower(r, c), loops, half(r, q), self.inverse(c, q))
        loops = self.full(r), self.below(c, r), self.below(p, r, c)
        moved = target((*self.batch, index(r), index(c)))
        self.product(moved, loops, lower(p, c), self.known(r, p))
        loops = self.full(r), self.below(c, r)
        self.product(moved, loops, lower(c, c), self.known(r, c), -0.5)


def slope_of_matrix(statement: Statement, tensors: dict[str, Tensor], suffix: str) -> Slope:
    """∂target/∂(element of the matrix) at a point of all loops."""
    rule = _Rule(statement, dict(tensors), statement.steps, f"{statement.target}.slope.{suffix}")
    r, c, p, q = rule.indices
    if statement.reduction == "inverse":
        first, second = rule.known(r, p), rule.known(q, c)
        return rule.slope(-first.symbol * second.symbol, (first, second))
    if statement.reduction in ("determinant", "logdet"):
        inverse, value = rule.inverse(q, p), read_of(statement.target, statement.map)
        factor: sympy.Expr = inverse.symbol
        if statement.reduction == "determinant":
            factor = value.symbol * factor
        return rule.slope(factor, (inverse, value))
    assert statement.reduction == "cholesky", f"{statement.reduction} has no slope"
    return _slope_of_cholesky(rule)


def _slope_of_cholesky(rule: _Rule) -> Slope:
    """(H[r, c, p] V[c, q] + H[r, c, q] V[c, p])/2, with H = Σ_s L[r, s] V[s, p] from s = c on.

    The first term of that sum is halved.
    """
    r, c, p, q = rule.indices
    s, name = f"{p}~", rule.stem
    rule.tensors[name] = Tensor(name, (*rule.shape, rule.size), Role.COMPUTED)

    def along(column: str) -> Read:
        return read_of(name, (*rule.batch, index(r), index(c), index(column)))

    loops = rule.full(r), rule.below(c, r), rule.full(p)
    sums = (*loops, rule.below(s, r, c))
    factor, inverse = rule.known(r, s), rule.inverse(s, p)
    rule.add(along(p), sums, factor.symbol * inverse.symbol, factor, inverse)
    factor, inverse = rule.known(r, c), rule.inverse(c, p)
    rule.add(along(p), loops, Constant(-0.5) * factor.symbol * inverse.symbol, factor, inverse)
    first, second = rule.inverse(c, q), rule.inverse(c, p)
    both = along(p).symbol * first.symbol + along(q).symbol * second.symbol
    reads = along(p), along(q), first, second
    return rule.slope(_HALF * both, reads)
