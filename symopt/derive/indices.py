"""Index symbols of closed expressions: unique while these are built, short when they are read."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

import sympy
from sympy.concrete.expr_with_limits import ExprWithLimits

from symopt.derive.formula import Expression
from symopt.primitives.cases import Cases
from symopt.statements.program import Program

Limit = tuple[sympy.Symbol, Expression, Expression]  # an index, from a first to a last value
_LETTERS = "ijklpqrstuv"
BAR = "\N{COMBINING MACRON}"
_UNIQUE = "@"  # in no name of a program or of a stage


def shown_name(tensor: str) -> str:
    """What people call a tensor: the adjoint of `z`, `z.bar`, has a bar over it."""
    base = adjoint_of(tensor)
    return tensor if base is None else unicodedata.normalize("NFC", base + BAR)


def adjoint_of(tensor: str | None) -> str | None:
    """The tensor that another one is the adjoint of, if it is one."""
    base, _, suffix = (tensor or "").rpartition(".")
    return base if suffix == "bar" and base.isidentifier() else None


def unique_index(stem: str, number: int) -> sympy.Symbol:
    """An index like no other; it remembers how the program calls it."""
    return sympy.Symbol(f"{stem}{_UNIQUE}{number}", integer=True)


def written_name(stem: str) -> str:
    """What the program calls a loop: its name without what made it unique."""
    return stem.split(_UNIQUE)[0].split(".")[0].rstrip("~")


def index_name(stem: str, taken: Iterable[str]) -> str:
    """A free name for an index: the one written in the program, else the first free letter."""
    taken = set(taken)
    written = written_name(stem)
    candidates = [written] if written.isidentifier() else []
    candidates += [*_LETTERS, *(f"{letter}{n}" for n in range(1, 100) for letter in _LETTERS)]
    return next(name for name in candidates if name not in taken)


def reserved_names(program: Program) -> frozenset[str]:
    """Names that no index may have: those of sizes and tensors."""
    shapes = (axis.dims for tensor in program.tensors.values() for axis in tensor.shape)
    maps = (place.dims for s in program.statements for read in s.reads for place in read.map)
    return frozenset(program.tensors).union(*shapes, *maps)


def shorten(expression: Expression, taken: frozenset[str]) -> Expression:
    """The expression with short names for its bound indices, the same in sums side by side.

    Choices become `Piecewise` where SymPy does not take these apart wrongly: outside of sums, and
    where a sum has a single one.
    """
    return _shortened(expression, {}, taken, folds=True)


def _shortened(
    node: Expression,
    names: Mapping[Expression, sympy.Symbol],
    taken: frozenset[str],
    folds: bool,
) -> Expression:
    if node in names:
        return names[node]
    if isinstance(node, ExprWithLimits):
        names = dict(names)
        limits = []
        for index, first, last in (limit.args for limit in reversed(node.limits)):
            edges = (_shortened(edge, names, taken, folds) for edge in (first, last))
            name = index_name(str(index), taken)
            taken |= {name}
            names[index] = sympy.Symbol(name, integer=True)
            limits.append((names[index], *edges))
        folds = (
            folds and len(node.function.atoms(Cases)) == 1 and not node.function.has(ExprWithLimits)
        )
        return node.func(_shortened(node.function, names, taken, folds), *reversed(limits))
    parts = [_shortened(part, names, taken, folds) for part in node.args]
    if any(new is not old for new, old in zip(parts, node.args, strict=True)):
        node = node.func(*parts)
    return node.piecewise if folds and isinstance(node, Cases) else node
