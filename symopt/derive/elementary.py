"""Functions inside expressions as definitions of their own, so that their adjoints have names.

What the adjoint of `b1 / (1 + exp(b2 - b3 x))` adds to b2 and to b3 has nearly all in common. The
expressions of SymPy are products without an order, in which that does not show; with a name for the
adjoint of `b2 - b3 x`, it is computed once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy

from symopt.derive.activity import depending_on
from symopt.primitives.operators import select
from symopt.primitives.record import Primitive
from symopt.statements.build import used_reads
from symopt.statements.expression import operands, postorder, replaced
from symopt.statements.program import Program, Read, Role, Statement, Tensor, read_of
from symopt.typed.ranges import greatest
from symopt.types import depends_on, index


def with_names(program: Program, params: Iterable[str], least: int = 1) -> Program:
    """The program with a definition for each function inside an expression, and for what it is of.

    So have sums that are factors: what comes back to them is computed once for all their terms.
    These have to be changed by so many reads at `least`. Only in statements without a sum, so that
    nothing takes more room than what it is part of.
    """
    active = depending_on(program, params)
    tensors = dict(program.tensors)
    statements: list[Statement] = []
    for statement in program.statements:
        if statement.reduction == "=" and not statement.reduced:
            statements.extend(_named_parts(statement, active, tensors, least))
        else:
            statements.append(statement)
    return replace(program, statements=tuple(statements), tensors=tensors)


def _named_parts(
    statement: Statement, active: set[str], tensors: dict[str, Tensor], least: int
) -> list[Statement]:
    moving = {read.symbol for read in statement.reads if read.tensor in active}
    known: dict[sympy.Expr, frozenset[sympy.Expr]] = {}
    names: dict[sympy.Expr, sympy.Expr] = {}
    reads: list[Read] = list(statement.reads)
    found: list[Statement] = []
    order = postorder(statement.expression)
    for node in order:
        parts = operands(node)
        known[node] = frozenset().union(*(known[part] for part in parts))
        if node in moving:
            known[node] = frozenset({node})
    inside = _arguments(order, statement.expression)
    for node in order[:-1]:
        if node not in inside or len(known[node]) < least or isinstance(node, sympy.Symbol):
            continue
        expression = replaced(node, names)
        part = _part(statement, expression, reads, tensors)
        found.append(part)
        read = read_of(part.target, part.map)
        names[node] = read.symbol
        reads.append(read)
    expression = replaced(statement.expression, names)
    last = replace(statement, expression=expression, reads=used_reads(expression, tuple(reads)))
    return [*found, last]


def _is_function(node: sympy.Expr) -> bool:
    return isinstance(node, Primitive) and node.record is not select


def _arguments(order: list[sympy.Expr], whole: sympy.Expr) -> set[sympy.Expr]:
    """Functions inside an expression, what they are of, and sums in products.

    None of these has a choice around it.
    """
    found: set[sympy.Expr] = set()
    hidden: set[sympy.Expr] = set()
    for node in reversed(order):
        chosen = isinstance(node, Primitive) and node.record is select
        for part in operands(node):
            if chosen or node in hidden:
                hidden.add(part)
        if _is_function(node):
            found.update((node, *operands(node)))
        if node.is_Mul:
            found.update(part for part in operands(node) if part.is_Add)
    return found - hidden - {whole}


def _part(
    statement: Statement,
    expression: sympy.Expr,
    reads: list[Read],
    tensors: dict[str, Tensor],
) -> Statement:
    """A definition of a part of what a statement computes, over the loops that it depends on."""
    count = 1
    while f"{statement.target}.inner{count}" in tensors:
        count += 1
    name = f"{statement.target}.inner{count}"
    used = used_reads(expression, tuple(reads))
    ranges = {loop.index: loop for loop in statement.loops}
    mentioned = frozenset[str]().union(*(part.indices for read in used for part in read.map))
    mentioned |= {loop.index for loop in statement.loops[: len(statement.steps)]}
    wanted = depends_on(mentioned, ranges)
    loops = tuple(loop for loop in statement.loops if loop.index in wanted)
    below = {t.name: t.below for t in tensors.values() if t.below is not None}
    place = tuple(index(loop.index) for loop in loops)
    shape = tuple(greatest(part, ranges, below) + 1 for part in place)
    tensors[name] = Tensor(name, shape, Role.COMPUTED)
    return Statement(
        name, place, loops, "=", expression, used,
        steps=statement.steps, span=statement.span,
    )  # fmt: skip
