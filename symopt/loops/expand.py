"""Reductions that take several steps are written as the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy

from symopt.primitives import operators
from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.program import Program, Read, Reduction, Role, Statement, Tensor, read_of
from symopt.typed.ranges import greatest
from symopt.types import Integer, Range, index

_EXP, _LOG, _ABS = PRIMITIVES["exp"], PRIMITIVES["log"], PRIMITIVES["abs"]
_INFINITY = Constant(float("inf"))


def expand_reductions(program: Program) -> Program:
    """The program without `logsumexp`: greatest term, sum of exponentials, logarithm."""
    tensors = dict(program.tensors)
    statements: list[Statement] = []
    for statement in program.statements:
        if statement.reduction == "logsumexp":
            statements.extend(_logsumexp(statement, tensors))
        else:
            statements.append(statement)
    return replace(program, statements=tuple(statements), tensors=tensors)


def _logsumexp(statement: Statement, tensors: dict[str, Tensor]) -> list[Statement]:
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
        return Statement(name, place, loops, reduction, expression, reads, span=statement.span)

    shifted = _EXP(term.symbol - shift)
    found += [
        step(top, statement.loops, "max", term.symbol, term),
        step(total, statement.loops, "sum", shifted, term, greatest_term),
        step(target, outer, "=", shift + _LOG(exponentials.symbol), greatest_term, exponentials),
    ]
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
            span=statement.span,
        )
    )  # fmt: skip
    return read_of(name, place)


def sizes_below(tensors: Mapping[str, Tensor]) -> dict[str, Integer]:
    """For every index array, the size that its entries are below."""
    return {tensor.name: tensor.below for tensor in tensors.values() if tensor.below is not None}
