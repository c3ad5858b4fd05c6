"""The arguments of a function, as they are declared: symbols, lists of arguments, arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.core.function import AppliedUndef
from sympy.matrices.expressions.matexpr import MatrixSymbol
from sympy.matrices.matrixbase import MatrixBase

from symopt.lambdified import errors
from symopt.lambdified.matrices import known_sizes, sizes_of


@dataclass(frozen=True, slots=True)
class Scalar:
    """An argument that stands for a number in every expression; arrays of such broadcast."""

    name: str
    symbol: Any
    tensor: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """An argument that is an array in itself; its `shape` is known for matrix symbols."""

    name: str
    symbol: Any
    tensor: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Group:
    """Arguments that come as one sequence, or as one matrix of this shape."""

    name: str
    members: tuple[Argument, ...]
    shape: tuple[int, int] | None = None


Argument = Scalar | Indexed | Group


def declared(args: Any) -> tuple[Argument, ...]:
    """The arguments as the caller of `lambdify` gave them: one symbol, or a sequence of them."""
    single = isinstance(args, sympy.Basic) and not isinstance(args, sympy.Tuple)
    given = (args,) if single or isinstance(args, MatrixBase) else args
    if not isinstance(given, list | tuple | sympy.Tuple):
        raise errors.bad_argument(args, "arguments are a symbol, or a list or tuple of symbols")
    counter = iter(range(1 << 30))
    found = tuple(_argument(one, counter, f"arg_{k}") for k, one in enumerate(given))
    seen: set[Any] = set()
    for leaf in leaves(found):
        if leaf.symbol in seen:
            raise errors.bad_argument(leaf.symbol, "it is one already")
        seen.add(leaf.symbol)
    return found


def leaves(arguments: Sequence[Argument]) -> Iterator[Scalar | Indexed]:
    """The arguments without the groups around them, in order."""
    for argument in arguments:
        match argument:
            case Group():
                yield from leaves(argument.members)
            case _:
                yield argument


def _argument(one: Any, counter: Iterator[int], name: str) -> Argument:
    match one:
        case sympy.IndexedBase():
            shape = one.shape
            sizes = sizes_of(one) if shape is not None and known_sizes(one) else None
            return Indexed(str(one), one, f"a{next(counter)}", sizes)
        case MatrixSymbol():
            if not known_sizes(one):
                raise errors.bad_argument(one, "its shape is not known")
            return Indexed(str(one), one, f"a{next(counter)}", sizes_of(one))
        case sympy.Symbol() | AppliedUndef() | sympy.Derivative():
            label = one.name if isinstance(one, sympy.Symbol) else name
            return Scalar(label, one, f"a{next(counter)}")
        case MatrixBase():
            rows, columns = one.shape
            members = tuple(_argument(part, counter, name) for part in one)
            return Group(name, members, (int(rows), int(columns)))
        case list() | tuple() | sympy.Tuple():
            return Group(name, tuple(_argument(part, counter, name) for part in one))
    raise errors.bad_argument(one, f"it is of type {type(one).__name__}")
