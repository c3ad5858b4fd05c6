"""Reverse mode: statements that carry the derivative of chosen tensors back to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
    given = set(stop)
    back = _Backward(
        program,
        suffix,
        active=depending_on(program, set(wrt) | given) & leading_to(program, seeds, given),
        given=given,
        wild=wild_tensors(program),
        tensors=dict(program.tensors),
        reached=set(seeds),
    )
    for target, seed in seeds.items():
        if seed is not None:
            back.statements.append(_copy(back.name_of(target), seed, back.tensors))
    for statement in reversed(program.statements):
        target = statement.target
        if target in back.active & back.reached - given:
            unit = target in seeds and seeds[target] is None
            back.pull(statement, None if unit else read_of(back.name_of(target), statement.map))
    return program.extended(tuple(back.statements), back.tensors)


@dataclass(slots=True)
class _Backward:
    """The statements of one adjoint as they are made, last statement of the program first."""

    program: Program
    suffix: str
    active: set[str]  # tensors on a path from what is differentiated by to a target
    given: set[str]  # tensors that are differentiated by, and not through
    wild: set[str]
    tensors: dict[str, Tensor]
    reached: set[str]  # tensors that have an adjoint
    statements: list[Statement] = field(default_factory=list)

    def name_of(self, tensor: str) -> str:
        """The adjoint of a tensor."""
        name = f"{tensor}.{self.suffix}"
        shape = self.tensors[tensor].shape
        self.tensors.setdefault(name, Tensor(name, shape, Role.COMPUTED))
        return name

    def pull(self, statement: Statement, bar: Read | None) -> None:
        """What the adjoint of a statement's target (1, where that is None) adds to its reads."""
        weight = weight_of(statement, self.tensors, self.suffix)
        self.statements.extend(weight.before)
        self.tensors.update({tensor.name: tensor for tensor in weight.tensors})
        root = weight.applied(S.One if bar is None else bar.symbol)
        wanted = real_reads(self.program, statement, self.active | self.given)
        finiteness = finiteness_of(statement, self.wild)
        shares = weights(statement.expression, root, wanted, finiteness)
        known = read_of(statement.target, statement.map)
        pool = (*statement.reads, *weight.reads, known, *((bar,) if bar else ()))
        for read in statement.reads:
            share = shares.get(read.symbol)
            if share is None or read.tensor is None:
                continue
            self.reached.add(read.tensor)
            expression = _reusing(share, statement, known)
            self.statements.append(
                Statement(
                    self.name_of(read.tensor),
                    read.map,
                    statement.loops,
                    "sum",
                    expression,
                    used_reads(expression, pool),
                    span=statement.span,
                )
            )


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
