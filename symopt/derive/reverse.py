"""Reverse mode: statements that carry the derivative of chosen tensors back to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy
from sympy import S

from symopt.derive.activity import (
    depending_on,
    finiteness_of,
    leading_to,
    real_reads,
    wild_tensors,
)
from symopt.derive.reduction import weight_of
from symopt.derive.scalar import weights
from symopt.primitives.record import Primitive
from symopt.statements.build import used_reads
from symopt.statements.expression import replaced
from symopt.statements.program import Program, Read, Role, Statement, Tensor, read_of
from symopt.types import Range, constant, index


def adjoint(
    program: Program,
    seeds: Mapping[str, str | None],
    wrt: Iterable[str],
    *,
    stop: Iterable[str] = (),
    suffix: str = "bar",
) -> Program:
    """The program followed by statements for Σ seed·∂(target)/∂(each tensor).

    `seeds` gives, per target, the tensor that weights it, or None for a weight of 1 (then the
    target is a scalar that nothing reads). The adjoint of tensor `x` is `x.bar`, of the shape of
    `x`; a tensor that the derivative does not reach has none. `stop` tensors are differentiated
    by, never through.
    """
    wrt, stop = set(wrt), set(stop)
    active = depending_on(program, wrt | stop) & leading_to(program, seeds, stop)
    wild = wild_tensors(program)
    tensors = dict(program.tensors)
    statements: list[Statement] = []
    reached = set(seeds)

    def name_of(tensor: str) -> str:
        name = f"{tensor}.{suffix}"
        tensors.setdefault(name, Tensor(name, tensors[tensor].shape, Role.COMPUTED))
        return name

    for target, seed in seeds.items():
        if seed is not None:
            statements.append(_copy(name_of(target), seed, tensors))
    for statement in reversed(program.statements):
        target = statement.target
        if target not in active or target not in reached or target in stop:
            continue
        unit = target in seeds and seeds[target] is None
        bar = None if unit else read_of(name_of(target), statement.map)
        weight = weight_of(statement, tensors, suffix)
        statements.extend(weight.before)
        tensors.update({tensor.name: tensor for tensor in weight.tensors})
        root = weight.applied(S.One if bar is None else bar.symbol)
        wanted = real_reads(program, statement, active | stop)
        shares = weights(statement.expression, root, wanted, finiteness_of(statement, wild))
        known = read_of(target, statement.map)
        pool = (*statement.reads, *weight.reads, known, *((bar,) if bar else ()))
        for read in statement.reads:
            share = shares.get(read.symbol)
            if share is None or read.tensor is None:
                continue
            reached.add(read.tensor)
            expression = _reusing(share, statement, known)
            statements.append(
                Statement(
                    name_of(read.tensor),
                    read.map,
                    statement.loops,
                    "sum",
                    expression,
                    used_reads(expression, pool),
                    span=statement.span,
                )
            )
    return program.extended(tuple(statements), tensors)


def _reusing(share: sympy.Expr, statement: Statement, known: Read) -> sympy.Expr:
    """The share with the statement's own value read back instead of computed again."""
    if statement.reduction == "=" and isinstance(statement.expression, Primitive):
        return replaced(share, {statement.expression: known.symbol})
    return share


def _copy(target: str, seed: str, tensors: Mapping[str, Tensor]) -> Statement:
    loops = tuple(
        Range(f"a{axis}", constant(0), size) for axis, size in enumerate(tensors[target].shape)
    )
    place = tuple(index(loop.index) for loop in loops)
    read = read_of(seed, place)
    return Statement(target, place, loops, "sum", read.symbol, (read,))
