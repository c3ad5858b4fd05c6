"""Index symbols of closed expressions: unique while these are built, short when they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy
from sympy.concrete.expr_with_limits import ExprWithLimits

from symopt.statements.program import Program

Limit = tuple[sympy.Symbol, sympy.Expr, sympy.Expr]  # an index, from a first to a last value
_LETTERS = "ijklpqrstuv"
_UNIQUE = "~"  # in no name that a program can write


def unique_index(stem: str, number: int) -> sympy.Symbol:
    """An index like no other; it remembers how the program calls it."""
    return sympy.Symbol(f"{stem}{_UNIQUE}{number}", integer=True)


def index_name(stem: str, taken: Iterable[str]) -> str:
    """A free name for an index: the one written in the program, else the first free letter."""
    taken = set(taken)
    written = stem.split(_UNIQUE)[0].split(".")[0].rstrip("'")
    candidates = [written] if written.isidentifier() else []
    candidates += [*_LETTERS, *(f"{letter}{n}" for n in range(1, 100) for letter in _LETTERS)]
    return next(name for name in candidates if name not in taken)


def reserved_names(program: Program) -> frozenset[str]:
    """Names that no index may have: those of sizes and tensors."""
    shapes = (axis.dims for tensor in program.tensors.values() for axis in tensor.shape)
    maps = (place.dims for s in program.statements for read in s.reads for place in read.map)
    return frozenset(program.tensors).union(*shapes, *maps)


def shorten(expression: sympy.Expr, taken: frozenset[str]) -> sympy.Expr:
    """The expression with short names for its bound indices, the same in sums side by side."""
    return _shortened(expression, {}, taken)


def _shortened(
    node: sympy.Basic, names: Mapping[sympy.Basic, sympy.Symbol], taken: frozenset[str]
) -> sympy.Basic:
    if node in names:
        return names[node]
    if isinstance(node, ExprWithLimits):
        names = dict(names)
        limits = []
        for index, first, last in reversed(node.limits):
            edges = (_shortened(edge, names, taken) for edge in (first, last))
            name = index_name(index.name, taken)
            taken |= {name}
            names[index] = sympy.Symbol(name, integer=True)
            limits.append((names[index], *edges))
        return node.func(_shortened(node.function, names, taken), *reversed(limits))
    parts = [_shortened(part, names, taken) for part in node.args]
    return node.func(*parts) if any(a is not b for a, b in zip(parts, node.args)) else node
