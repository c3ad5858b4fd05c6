"""What names mean: the file's dims, tensors and functions, and what is local to an expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symopt.source import Span
from symopt.syntax import tree
from symopt.typed.program import DimInfo
from symopt.typed.values import Value
from symopt.types import Integer, Range


@dataclass(frozen=True, slots=True)
class Variable:
    """A tensor by name. `index_of` marks integer data.

    Per axis, indices run from `origin` up to, not including, `shape`.
    """

    name: str
    shape: tuple[Integer, ...]
    origin: tuple[Integer, ...]
    index_of: Integer | None
    span: Span

    @property
    def stored_shape(self) -> tuple[Integer, ...]:
        """How many elements there are per axis."""
        return tuple(end - low for end, low in zip(self.shape, self.origin, strict=True))


@dataclass(slots=True)
class Scope:
    """The names of a file, growing as its statements are read."""

    dims: dict[str, DimInfo] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    functions: dict[str, tree.FunctionDefinition] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)  # names whose definition failed
    later: dict[str, Span] = field(default_factory=dict)  # definitions still to come
    defining: str | None = None  # the definition at hand
    imports: bool = False  # whether functions may come from another file

    @property
    def names(self) -> set[str]:
        return {*self.dims, *self.variables, *self.functions}

    def span_of(self, name: str) -> Span | None:
        """Where a name was declared, if it was."""
        for table in (self.dims, self.variables):
            if name in table:
                return table[name].span
        function = self.functions.get(name)
        return function.name_span if function else None


@dataclass(frozen=True, slots=True)
class Environment:
    """What is local to one expression: indices that run, and arguments of the function it is in."""

    indices: Mapping[str, Integer] = field(default_factory=dict)
    arguments: Mapping[str, Value] = field(default_factory=dict)

    def with_index(self, name: str, value: Integer) -> Environment:
        return Environment({**self.indices, name: value}, self.arguments)


@dataclass(frozen=True, slots=True)
class Axis:
    """The range of one axis of an array, and where that was found."""

    lower: Integer
    upper: Integer
    span: Span

    def same(self, other: Axis | Range) -> bool:
        return self.lower == other.lower and self.upper == other.upper
