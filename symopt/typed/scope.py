"""What names mean: the file's dims, tensors and functions, and what is local to an expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from symopt.diagnostics import Diagnostic
from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors, function_errors
from symopt.typed.packing import stored_shape
from symopt.typed.program import DimInfo
from symopt.typed.values import Value
from symopt.types import Integer, Range


@dataclass(frozen=True, slots=True)
class Variable:
    """A tensor by name. `index_of` marks integer data, `packing` a parameter that has one.

    Per axis, indices run from `origin` up to, not including, `shape`.
    """

    name: str
    shape: tuple[Integer, ...]
    origin: tuple[Integer, ...]
    index_of: Integer | None
    span: Span
    packing: tree.Packing | None = None

    @property
    def extents(self) -> tuple[Integer, ...]:
        """How many elements there are per axis."""
        return tuple(end - low for end, low in zip(self.shape, self.origin, strict=True))

    @property
    def stored_shape(self) -> tuple[Integer, ...]:
        """How many elements are stored per axis: of a packed parameter, its unknowns alone."""
        return self.extents if self.packing is None else stored_shape(self.packing, self.extents)


@dataclass(slots=True)
class Scope:
    """The names of a file, growing as its statements are read."""

    dims: dict[str, DimInfo] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    functions: dict[str, tree.FunctionDefinition] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)  # names whose definition failed
    later: dict[str, Span] = field(default_factory=dict)  # definitions still to come
    functions_later: dict[str, Span] = field(default_factory=dict)
    defining: str | None = None  # the definition at hand
    # Axes of what is being defined, by name and number, as far as they are known:
    axes: dict[tuple[str, int], Axis] = field(default_factory=dict)
    # How long those are of one case of it, None where a case only has single places:
    lengths: dict[str, tuple[Integer | None, ...]] = field(default_factory=dict)
    imports: bool = False  # whether functions may come from a file that could not be read
    # What imported files declare for themselves, by file: it does not come with their functions.
    elsewhere: dict[str, dict[str, Span]] = field(default_factory=dict)

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

    def unknown_name(self, name: tree.Name, known: Iterable[str]) -> Diagnostic:
        """What to say of a name that means nothing here, where `known` ones do."""
        declared = self.elsewhere.get(name.span.source.name, {}).get(name.name)
        if declared is not None:
            return function_errors.name_of_other_file(name.name, name.span, declared)
        return errors.unknown_name(name.name, name.span, known)


@dataclass(frozen=True, slots=True)
class Environment:
    """What is local to one expression: indices that run, and what the function it is in knows.

    `arguments` are also its local definitions; `origins` has the least indices of these.
    """

    indices: Mapping[str, Integer] = field(default_factory=dict)
    arguments: Mapping[str, Value] = field(default_factory=dict)
    origins: Mapping[str, tuple[Integer, ...]] = field(default_factory=dict)

    def with_index(self, name: str, value: Integer) -> Environment:
        return replace(self, indices={**self.indices, name: value})

    def with_local(self, name: str, value: Value, origin: tuple[Integer, ...] = ()) -> Environment:
        arguments = {**self.arguments, name: value}
        return replace(self, arguments=arguments, origins={**self.origins, name: origin})


@dataclass(frozen=True, slots=True)
class Axis:
    """The range of one axis of an array, and where that was found."""

    lower: Integer
    upper: Integer
    span: Span

    def same(self, other: Axis | Range) -> bool:
        return self.lower == other.lower and self.upper == other.upper
