"""The statement: one form, closed under differentiation, and a program of them.

    for every point of the loops:   target[map]  ⊕=  expression(reads)

`⊕` is the reduction: `=` (each element once), `sum`, `prod`, `max`, `min` or `logsumexp`. A `sum`
target may have several statements and is complete after the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

import sympy

from symopt.source import Span
from symopt.types import Integer, Range

Reduction = Literal["=", "sum", "prod", "max", "min", "logsumexp"]
IDENTITY: Mapping[Reduction, float] = {
    "=": 0.0,
    "sum": 0.0,
    "prod": 1.0,
    "max": float("-inf"),
    "min": float("inf"),
    "logsumexp": float("-inf"),
}


class Role(Enum):
    """Where a tensor's elements come from."""

    DATA = "data"
    INDICES = "indices"  # integer data
    PARAM = "param"
    SEED = "seed"  # a direction or weight given with the call
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named array; a scalar has shape (). The entries of integer data are `below` a size."""

    name: str
    shape: tuple[Integer, ...]
    role: Role
    below: Integer | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """`symbol` stands, in an expression, for one element of a tensor.

    With `tensor` None it stands for the integer `map[0]` used as a number.
    """

    symbol: sympy.Symbol
    tensor: str | None
    map: tuple[Integer, ...]


@dataclass(frozen=True, slots=True)
class Winner:
    """Where a `max` or `min` leaves the position of its first winner, and how that is counted."""

    tensor: str
    position: Integer


@dataclass(frozen=True, slots=True)
class Statement:
    """One assignment over loops. Loops are ordered: bounds mention only earlier indices."""

    target: str
    map: tuple[Integer, ...]
    loops: tuple[Range, ...]
    reduction: Reduction
    expression: sympy.Expr
    reads: tuple[Read, ...]
    winner: Winner | None = None
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def reduced(self) -> tuple[Range, ...]:
        """The loops that the target does not see: those it is reduced over."""
        seen = frozenset().union(*(place.indices for place in self.map)) if self.map else set()
        return tuple(loop for loop in self.loops if loop.index not in seen)


@dataclass(frozen=True, slots=True)
class Program:
    """Statements in execution order, the tensors they touch, and which of these are asked for."""

    statements: tuple[Statement, ...]
    tensors: Mapping[str, Tensor]
    outputs: tuple[str, ...] = ()

    def extended(self, statements: tuple[Statement, ...], tensors: Mapping[str, Tensor]) -> Program:
        """With more statements at the end."""
        return replace(
            self,
            statements=self.statements + statements,
            tensors={**self.tensors, **tensors},
        )


def read_of(tensor: str, places: tuple[Integer, ...]) -> Read:
    """A read with the symbol everybody uses for it: its own text."""
    text = f"{tensor}[{', '.join(map(str, places))}]" if places else tensor
    return Read(sympy.Symbol(text, real=True), tensor, places)


def count_of(value: Integer) -> Read:
    """The read that stands for an integer used as a number."""
    return Read(sympy.Symbol(f"#({value})", real=True), None, (value,))


def moved_read(read: Read, indices: Mapping[str, Integer]) -> Read:
    """The read with loop indices replaced, and the symbol that goes with that."""
    places = tuple(place.substitute(indices) for place in read.map)
    return count_of(places[0]) if read.tensor is None else read_of(read.tensor, places)
