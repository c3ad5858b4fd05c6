"""The statement: one form, closed under differentiation, and a program of them.

    for every point of the loops:   target[map]  ⊕=  expression(reads)

`⊕` is the reduction: `=` (each element once), `sum`, `prod`, `max`, `min` or `logsumexp`. A target
may have several statements that add up (`sum`) or write different elements (`=`), and is complete
after the last. A function of matrices is a reduction, too: every element of an inverse is one over
the rows and columns of the matrix, `X[b, r, c] inverse= M[b, i, j]`.

Statements that need each other share steps: the first of their loops, which they run through
together, one point after another. Within a step they run in order, as statements always do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

import sympy

from symopt.source import Span
from symopt.types import Integer, Range, Step

Reduction = Literal[
    "=", "sum", "prod", "max", "min", "logsumexp",
    "inverse", "cholesky", "determinant", "logdet", "elimination",
]  # fmt: skip
IDENTITY: Mapping[Reduction, float] = {
    "=": 0.0,
    "sum": 0.0,
    "prod": 1.0,
    "max": float("-inf"),
    "min": float("inf"),
    "logsumexp": float("-inf"),
    # Every element is set by its matrix; what has none is 0.
    "inverse": 0.0,
    "cholesky": 0.0,
    "determinant": 0.0,
    "logdet": 0.0,
    "elimination": 0.0,
}
# Functions of matrices, and how many of the last loops are those of rows and columns: of the target
# where that is a matrix, then of what is read.
MATRIX_LOOPS: Mapping[Reduction, int] = {
    "inverse": 4,
    "cholesky": 4,
    "elimination": 4,
    "determinant": 2,
    "logdet": 2,
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
    """One assignment over loops. Loops are ordered: bounds mention only earlier indices.

    The first loops are those of the `steps`, outermost first.
    """

    target: str
    map: tuple[Integer, ...]
    loops: tuple[Range, ...]
    reduction: Reduction
    expression: sympy.Expr
    reads: tuple[Read, ...]
    winner: Winner | None = None
    steps: tuple[Step, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def written(self) -> tuple[str, ...]:
        """The tensors that this writes."""
        return (self.target,) if self.winner is None else (self.target, self.winner.tensor)

    @property
    def of_matrix(self) -> bool:
        """Whether this is a function of a whole matrix, and its expression one element of it."""
        return self.reduction in MATRIX_LOOPS

    @property
    def around(self) -> tuple[Range, ...]:
        """The loops outside of a matrix; all, where there is none."""
        return self.loops[: len(self.loops) - MATRIX_LOOPS.get(self.reduction, 0)]

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


def sections(statements: Iterable[Statement], level: int = 0) -> Iterator[tuple[Statement, ...]]:
    """Statements in parts that run one after another: single ones, and those that share a step."""
    part: list[Statement] = []
    for statement in statements:
        own = statement.steps[level:]
        if part and not (own and part[0].steps[level:] and part[0].steps[level] == own[0]):
            yield tuple(part)
            part.clear()
        part.append(statement)
    if part:
        yield tuple(part)


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
