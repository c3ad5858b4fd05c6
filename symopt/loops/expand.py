"""Reductions that take several steps are written as the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import sympy

from symopt.loops.matrices import with_whole_matrix
from symopt.primitives import operators
from symopt.primitives.record import Constant, Primitive
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.build import used_reads
from symopt.statements.expression import operands, postorder, replaced
from symopt.statements.program import (
    Program,
    Read,
    Reduction,
    Role,
    Statement,
    Tensor,
    moved_read,
    read_of,
)
from symopt.typed.ranges import greatest
from symopt.types import Integer, Range, index

_EXP, _LOG, _ABS = PRIMITIVES["exp"], PRIMITIVES["log"], PRIMITIVES["abs"]
_INFINITY = Constant(float("inf"))


def expand_reductions(program: Program) -> Program:
    """The program without `logsumexp`: greatest term, sum of exponentials, logarithm.

    Determinants are products of the diagonals that an elimination leaves. Winners that nothing
    looks at are not sought.

    Shares exp(e - logsumexp(e)), as derivatives have them, are quotients of what that computes.
    """
    tensors = dict(program.tensors)
    statements: list[Statement] = []
    shares: dict[str, _Shares] = {}
    for number, statement in enumerate(program.statements):
        if statement.reduction == "logsumexp":
            own = _shares_of(statement, program.statements[number + 1 :], tensors)
            if own is not None:
                shares[statement.target] = own
            statements.extend(_logsumexp(statement, tensors, own))
        elif statement.of_matrix:
            statements.extend(with_whole_matrix(statement, tensors))
        else:
            for read in statement.reads:
                if read.tensor in shares:
                    statement = shares[read.tensor].used_in(statement, read)
            statements.append(statement)
    needed = {read.tensor for statement in statements for read in statement.reads}
    needed.update(program.outputs)
    found = tuple(
        replace(s, winner=None) if s.winner and s.winner.tensor not in needed else s
        for s in statements
    )
    idle = {s.winner.tensor for s in statements if s.winner and s.winner.tensor not in needed}
    tensors = {name: tensor for name, tensor in tensors.items() if name not in idle}
    return replace(program, statements=found, tensors=tensors)


@dataclass(frozen=True, slots=True)
class _Shares:
    """exp(e - m) at every point of a logsumexp, and 1/Σ exp(e - m): their products are shares."""

    statement: Statement
    terms: Read
    inverse: Read

    def used_in(self, statement: Statement, read: Read) -> Statement:
        """A statement with its shares as such products."""
        new: dict[sympy.Basic, sympy.Expr] = {}
        reads: list[Read] = []
        for node in postorder(statement.expression):
            indices = self._indices(node, statement, read)
            if indices is not None:
                term, inverse = moved_read(self.terms, indices), moved_read(self.inverse, indices)
                new[node] = term.symbol * inverse.symbol
                reads += [term, inverse]
        if not new:
            return statement
        expression = replaced(statement.expression, new)
        return replace(
            statement,
            expression=expression,
            reads=used_reads(expression, (*statement.reads, *dict.fromkeys(reads))),
        )

    def _indices(
        self, node: sympy.Basic, statement: Statement, read: Read
    ) -> dict[str, Integer] | None:
        """Where the term that a node is the share of comes from; None if it is no share."""
        if not (isinstance(node, Primitive) and node.record is _EXP):
            return None
        (exponent,) = operands(node)
        if not exponent.is_Add or -read.symbol not in operands(exponent):
            return None
        term = sympy.Add(*(part for part in operands(exponent) if part != -read.symbol))
        own = self.statement
        known = {p.index: q for p, q in zip(own.map, read.map, strict=True) if p.index is not None}
        reduced = [loop for loop in own.loops if loop.index not in known]
        for others in permutations(statement.loops, len(reduced)):
            indices = known | {
                loop.index: index(other.index) for loop, other in zip(reduced, others, strict=True)
            }
            same = all(
                loop.lower.substitute(indices) == other.lower
                and loop.upper.substitute(indices) == other.upper
                for loop, other in zip(reduced, others, strict=True)
            )
            moved = {r.symbol: moved_read(r, indices).symbol for r in own.reads}
            if same and own.expression.xreplace(moved) == term:
                return indices
        return None


def _shares_of(
    statement: Statement, after: Sequence[Statement], tensors: dict[str, Tensor]
) -> _Shares | None:
    """The shares of a logsumexp over a rectangle, if statements after it have some."""
    bounds = [loop.lower.value == 0 and not loop.upper.indices for loop in statement.loops]
    tensored = any(loop.upper.tensors for loop in statement.loops)
    plain = all(part.index is not None for part in statement.map)
    if not plain or tensored or not all(bounds):
        return None
    target = statement.target
    place = tuple(index(loop.index) for loop in statement.loops)
    found = _Shares(
        statement,
        read_of(f"{target}.exp", place),
        read_of(f"{target}.inverse", statement.map),
    )
    if not any(
        found.used_in(other, read) is not other
        for other in after
        for read in other.reads
        if read.tensor == target
    ):
        return None
    shape = tuple(loop.upper for loop in statement.loops)
    tensors[f"{target}.exp"] = Tensor(f"{target}.exp", shape, Role.COMPUTED)
    shape = tensors[target].shape
    tensors[f"{target}.inverse"] = Tensor(f"{target}.inverse", shape, Role.COMPUTED)
    return found


def _logsumexp(
    statement: Statement, tensors: dict[str, Tensor], shares: _Shares | None
) -> list[Statement]:
    """log Σ exp(e) = m + log Σ exp(e - m), with m the greatest e where that is finite, else 0."""
    found: list[Statement] = []
    term = _named_term(statement, tensors, found)
    target, place = statement.target, statement.map
    shape = tensors[target].shape
    top, total = f"{target}.top", f"{target}.total"
    for name in (top, total):
        tensors[name] = Tensor(name, shape, Role.COMPUTED)
    greatest_term, exponentials = read_of(top, place), read_of(total, place)
    is_finite = operators.less(_ABS(greatest_term.symbol), _INFINITY)
    shift = operators.select(is_finite, greatest_term.symbol, operators.ZERO)
    reduced = {loop.index for loop in statement.reduced}
    outer = tuple(loop for loop in statement.loops if loop.index not in reduced)

    def step(
        name: str,
        loops: tuple[Range, ...],
        reduction: Reduction,
        expression: sympy.Expr,
        *reads: Read,
    ) -> Statement:
        return Statement(
            name, place, loops, reduction, expression, reads,
            steps=statement.steps, span=statement.span,
        )  # fmt: skip

    shifted = _EXP(term.symbol - shift)
    found.append(step(top, statement.loops, "max", term.symbol, term))
    if shares is None:
        found.append(step(total, statement.loops, "sum", shifted, term, greatest_term))
    else:
        kept = replace(
            step("", statement.loops, "=", shifted, term, greatest_term),
            target=shares.terms.tensor or "",
            map=shares.terms.map,
        )
        found += [
            kept,
            step(total, statement.loops, "sum", shares.terms.symbol, shares.terms),
            step(
                shares.inverse.tensor or "", outer, "=",
                operators.divide(Constant(1.0), exponentials.symbol), exponentials,
            ),
        ]  # fmt: skip
    logarithm = shift + _LOG(exponentials.symbol)
    found.append(step(target, outer, "=", logarithm, greatest_term, exponentials))
    return found


def _named_term(statement: Statement, tensors: dict[str, Tensor], found: list[Statement]) -> Read:
    """A read of the term at a point; named first, where it is more than a read."""
    for read in statement.reads:
        if read.symbol == statement.expression and read.tensor is not None:
            return read
    name = f"{statement.target}.term"
    place = tuple(index(loop.index) for loop in statement.loops)
    ranges = {loop.index: loop for loop in statement.loops}
    shape = tuple(greatest(part, ranges, sizes_below(tensors)) + 1 for part in place)
    tensors[name] = Tensor(name, shape, Role.COMPUTED)
    found.append(
        Statement(
            name, place, statement.loops, "=", statement.expression, statement.reads,
            steps=statement.steps, span=statement.span,
        )
    )  # fmt: skip
    return read_of(name, place)


def sizes_below(tensors: Mapping[str, Tensor]) -> dict[str, Integer]:
    """For every index array, the size that its entries are below."""
    return {tensor.name: tensor.below for tensor in tensors.values() if tensor.below is not None}
