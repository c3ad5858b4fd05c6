"""The Hessian by patches: only entries that can be other than 0, and none of them twice.

Let w be what one statement of the adjoint adds to x.bar, as a function of the tensors s of the
program itself. The adjoint is linear in its own tensors, so the change of the gradient is what the
changes Σ ∂w/∂s·s.dot become on the rest of the way back, and that way is x.dot transposed:

    H = Σ over statements of the adjoint and their points:  x.dotᵀ · Σ_s ∂w/∂s · s.dot

Both factors have compact columns (`derive/columns.py`), so every term is a small block. With the
adjoint of the loss down to the cut in place of the whole, the same sum is the Gauss-Newton matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sympy
from sympy import S

from symopt.derive.activity import finiteness_of, real_reads, wild_tensors
from symopt.derive.blocks import Block, Place, Shape, own_loops
from symopt.derive.columns import Compact
from symopt.derive.exposure import unguarded
from symopt.derive.forward import with_changes
from symopt.derive.patches import (
    Patch,
    Placement,
    above_diagonal,
    itself,
    patch_at,
    placement,
    point_axes,
)
from symopt.derive.reach import Reach, Step, reach
from symopt.derive.reduction import Weight
from symopt.derive.scalar import weights
from symopt.derive.slopes import Slopes
from symopt.primitives.operators import strong_product
from symopt.source import Span
from symopt.statements.build import used_reads
from symopt.statements.program import Program, Read, Role, Statement, Tensor, read_of
from symopt.types import Integer, Range, constant, flat_place, index

_SUFFIX = ".bar"


@dataclass(frozen=True, slots=True)
class Patched:
    """A program that computes a symmetric matrix, and the patches that its outputs are."""

    program: Program
    patches: tuple[Patch, ...]


def by_patches(own: Program, adjoint: Program, params: tuple[str, ...]) -> Patched:
    """The second derivatives of an objective from its program and the adjoint of that."""
    bars = {f"{name}{_SUFFIX}" for name in own.tensors}
    back = {n for n, statement in enumerate(adjoint.statements) if statement.target in bars}
    ahead = replace(
        adjoint, statements=tuple(s for n, s in enumerate(adjoint.statements) if n not in back)
    )
    needed = {read.tensor for n in back for read in adjoint.statements[n].reads if read.tensor}
    needed |= {_whose(adjoint.statements[n]) for n in back}
    found = reach(ahead, params, needed, Compact(ahead, params))
    whole = with_changes(found)
    wild = wild_tensors(adjoint)
    bare = unguarded(adjoint, wild)
    terms = _Terms(found, params, wild, {**adjoint.tensors, **whole.tensors})
    for number in sorted(back):
        terms.add(adjoint.statements[number], plain=number in bare)
    made = _Sums(terms.tensors)
    made.put(terms.terms)
    statements = (
        *whole.statements,
        *(adjoint.statements[number] for number in sorted(back)),
        *terms.statements,
    )
    outputs = tuple(made.patches.values())
    if not outputs:  # all is 0, and native code wants something to compute
        outputs = ("patch.none",)
        made.tensors[outputs[0]] = Tensor(outputs[0], (constant(0),), Role.COMPUTED)
    program = Program((*statements, *made.statements), made.tensors, outputs)
    return Patched(program, tuple(made.patches))


def _whose(statement: Statement) -> str:
    """The tensor whose adjoint a statement adds to."""
    return statement.target.removesuffix(_SUFFIX)


@dataclass(frozen=True, slots=True)
class _Part:
    """Some columns of a change: those of a block, from `start` on, or the number `factor`."""

    read: Read
    start: Integer
    factor: sympy.Expr | None

    def change(self, place: Place, extents: Shape) -> Read:
        """The change in one of the columns of the block."""
        column = self.start + flat_place(place, extents)
        return read_of(f"{self.read.tensor}.dot", (*self.read.map, column))


@dataclass(frozen=True, slots=True)
class _Term:
    """What a statement of the adjoint adds to a patch, at all points of some loops.

    `loops` are those of the statement and those of the block, `indices` what the patch has for
    them, `rows` and `columns` the places in the block.
    """

    patch: Patch
    loops: tuple[Range, ...]
    indices: Mapping[str, Integer]
    rows: Mapping[str, Integer]
    columns: Mapping[str, Integer]
    expression: sympy.Expr
    reads: tuple[Read, ...]
    span: Span | None

    def adding(self, target: str, before: Place, at: Placement) -> Statement:
        """The statement for a tensor of blocks, in which the patch is `at` some place."""
        place = tuple(part.substitute(self.indices) for part in before)
        row = at.row.substitute({**self.indices, **self.rows})
        column = at.column.substitute({**self.indices, **self.columns})
        return Statement(
            target, (*place, row, column), self.loops, "sum", self.expression,
            used_reads(self.expression, self.reads), span=self.span,
        )  # fmt: skip


@dataclass(slots=True)
class _Terms:
    """All terms, and the statements that they need, as they are found."""

    found: Reach
    params: tuple[str, ...]
    wild: set[str]
    tensors: dict[str, Tensor]
    terms: list[_Term] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    def add(self, statement: Statement, *, plain: bool) -> None:
        """What one statement of the adjoint adds, with `plain` without strong zeros."""
        target = read_of(_whose(statement), statement.map)
        if target.tensor not in {*self.params, *self.found.columns}:
            return
        step = self.step(statement, plain)
        columns = self.columns(step)
        pairs = [
            ((_Part(target, start, factor), rows), (block, parts))
            for start, factor, rows in self.found.blocks_of(target)
            for block, parts in columns.items()
            if not above_diagonal(statement, rows, block, self.params)
        ]
        slopes = Slopes(step, self.tensors)
        for read in statement.reads:
            users = [
                (rows.width.value, block.width.value)
                for (_, rows), (block, parts) in pairs
                if any(part.read == read for part in parts)
            ]
            if len(users) > 1 or any(user != (1, 1) for user in users):
                slopes.name(read)
        self.statements.extend(slopes.before)
        strong = not plain and target.tensor in self.wild
        self.terms.extend(self.term(slopes, rows, columns, strong) for rows, columns in pairs)

    def step(self, statement: Statement, plain: bool) -> Step:
        """The slopes of a statement of the adjoint by tensors of the program itself."""
        program = replace(self.found.program, tensors=self.tensors)
        wanted = real_reads(program, statement, {*self.params, *self.found.columns})
        finiteness = finiteness_of(statement, self.wild, {})
        if plain:
            finiteness = replace(finiteness, unguarded=True)
        slopes = weights(statement.expression, S.One, wanted, finiteness)
        return Step(statement, Weight(statement), finiteness, slopes, ())

    def columns(self, step: Step) -> dict[Block, list[_Part]]:
        """By block: the reads that change in it."""
        found: dict[Block, list[_Part]] = {}
        for read in step.statement.reads:
            if read.symbol in step.slopes:
                for start, factor, block in self.found.blocks_of(read):
                    found.setdefault(block, []).append(_Part(read, start, factor))
        return found

    def term(
        self,
        slopes: Slopes,
        rows: tuple[_Part, Block],
        columns: tuple[Block, list[_Part]],
        strong: bool,
    ) -> _Term:
        """The changes of what is read times that of the tensor itself."""
        statement = slopes.step.statement
        (row_part, row_block), (column_block, parts) = rows, columns
        sizes = {t.name: t.below for t in self.tensors.values() if t.below is not None}
        patch, indices = patch_at(statement, row_block, column_block, sizes)
        row_place, column_place, loops = _block_loops(statement, patch)
        dots = {
            part.read.symbol: part.change(column_place, column_block.extents)
            for part in parts
            if part.factor is None
        }
        fixed = (
            sympy.Mul(part.factor, slopes.of(part.read.symbol))
            for part in parts
            if part.factor is not None
        )
        change = sympy.Add(*fixed, slopes.change(dots))
        reads = (*slopes.reads, *dots.values())
        if row_part.factor is None:
            along = row_part.change(row_place, row_block.extents)
            reads = (*reads, along)
            change = (strong_product if strong else sympy.Mul)(change, along.symbol)
        else:
            change = sympy.Mul(row_part.factor, change)
        return _Term(
            patch, (*statement.loops, *loops), indices, _named(row_place), _named(column_place),
            change, reads, statement.span,
        )  # fmt: skip


def _named(place: Place) -> dict[str, Integer]:
    return {f"${number}": part for number, part in enumerate(place)}


def _block_loops(statement: Statement, patch: Patch) -> tuple[Place, Place, tuple[Range, ...]]:
    """The places in a block's rows and columns, and loops over them."""
    taken = {loop.index for loop in statement.loops}

    def loops_of(stem: str, block: Block) -> list[Range]:
        found = own_loops(block.extents)
        return [Range(_free(stem, taken), loop.lower, loop.upper) for loop in found]

    rows, columns = loops_of("row", patch.rows), loops_of("column", patch.columns)
    if patch.triangle and rows:
        columns[0] = replace(columns[0], upper=index(rows[0].index) + 1)
    row_place, column_place = (tuple(index(loop.index) for loop in own) for own in (rows, columns))
    return row_place, column_place, (*rows, *columns)


def _free(stem: str, taken: set[str]) -> str:
    while stem in taken:
        stem += "'"
    taken.add(stem)
    return stem


# ── what is added up where ───────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Sums:
    """The tensors of patches: one for all patches that are sure to be in it."""

    tensors: dict[str, Tensor]
    patches: dict[Patch, str] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)

    def put(self, terms: list[_Term]) -> None:
        """Add up terms, the blocks of each point before they are added to others."""
        homes = self.homes(list(dict.fromkeys(term.patch for term in terms)))
        inside: dict[Patch, list[tuple[_Term, Placement]]] = {}
        for term in terms:
            host, place = homes[term.patch]
            inside.setdefault(host, []).append((term, place))
        for host, own_terms in inside.items():
            name = self.patches[host] = f"patch.{len(self.patches) + 1}"
            self.tensors[name] = Tensor(name, host.shape, Role.COMPUTED)
            self.fill(name, host, own_terms)

    def homes(self, patches: list[Patch]) -> dict[Patch, tuple[Patch, Placement]]:
        """For every patch the one that it is part of, and where: large ones have small ones."""
        shapes = {name: tensor.shape for name, tensor in self.tensors.items()}
        sizes = self.below
        found: dict[Patch, tuple[Patch, Placement]] = {}
        hosts: list[Patch] = []
        for patch in sorted(patches, key=_size, reverse=True):
            for host in hosts:
                place = placement(patch, host, shapes, sizes)
                if place is not None:
                    found[patch] = host, place
                    break
            else:
                hosts.append(patch)
                found[patch] = patch, itself(patch)
        return found

    def fill(self, name: str, host: Patch, terms: list[tuple[_Term, Placement]]) -> None:
        """The statements of one patch."""
        several = len(terms) > 1 or len(terms[0][0].loops) > len(host.loops) + 2
        if not host.loops or not several:
            for term, at in terms:
                axes = tuple(part.substitute(at.loops) for part in host.axes)
                self.statements.append(term.adding(name, axes, at))
            return
        points, extents = point_axes(host, self.below)
        part = f"{name}.points"
        self.tensors[part] = Tensor(part, (*extents, *host.shape[-2:]), Role.COMPUTED)
        for term, at in terms:
            place = tuple(axis.substitute(at.loops) for axis in points)
            self.statements.append(term.adding(part, place, at))
        row, column = index("row"), index("column")
        read = read_of(part, (*points, row, column))
        edge = row + 1 if host.triangle else host.columns.width
        loops = (
            *host.loops,
            Range("row", constant(0), host.rows.width),
            Range("column", constant(0), edge),
        )
        reduction = "=" if host.axes == points else "sum"
        place = (*host.axes, row, column)
        self.statements.append(Statement(name, place, loops, reduction, read.symbol, (read,)))

    @property
    def below(self) -> dict[str, Integer]:
        """Per index array, the size that it indexes."""
        return {t.name: t.below for t in self.tensors.values() if t.below is not None}


def _size(patch: Patch) -> float:
    """How large its blocks are; those of open size are larger than others."""
    count = (patch.rows.width * patch.columns.width).value
    return float("inf") if count is None else count
