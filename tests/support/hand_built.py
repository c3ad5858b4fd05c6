"""Statements written by hand, without the front of the compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from symopt.statements.program import (
    Program,
    Read,
    Reduction,
    Role,
    Statement,
    Tensor,
    Winner,
    read_of,
)
from symopt.types import Integer, Range, as_integer, dim, index

Size = int | str | Integer


def size(value: Size) -> Integer:
    """A size: a number, a dim by its name, or an integer expression."""
    return dim(value) if isinstance(value, str) else as_integer(value)


def place(value: Size) -> Integer:
    """One position: a number, a loop index by its name, or an integer expression."""
    return index(value) if isinstance(value, str) else as_integer(value)


def tensor(name: str, *shape: Size, role: Role = Role.COMPUTED) -> Tensor:
    return Tensor(name, tuple(map(size, shape)), role)


def loop(name: str, upper: Size, lower: Size = 0) -> Range:
    return Range(name, size(lower), size(upper))


def read(name: str, *places: Size) -> Read:
    return read_of(name, tuple(map(place, places)))


def assign(
    target: Read,
    loops: tuple[Range, ...],
    reduction: Reduction,
    build: Callable[..., sympy.Expr],
    *reads: Read,
    winner: Winner | None = None,
) -> Statement:
    """`target ⊕= build(the symbols of the reads)` over the loops."""
    assert target.tensor is not None
    expression = build(*(found.symbol for found in reads))
    return Statement(target.tensor, target.map, loops, reduction, expression, reads, winner)


def program(*parts: Statement | Tensor, outputs: tuple[str, ...] = ()) -> Program:
    """Statements and tensors, in any order between the two."""
    statements = tuple(part for part in parts if isinstance(part, Statement))
    tensors: dict[str, Any] = {part.name: part for part in parts if isinstance(part, Tensor)}
    return Program(statements, tensors, outputs)


def same(symbol: sympy.Expr) -> sympy.Expr:
    """The read itself."""
    return symbol
