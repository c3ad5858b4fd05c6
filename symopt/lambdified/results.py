"""What a function returns: the containers of its expressions, and how they are filled again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean
from sympy.matrices.expressions.matexpr import MatrixExpr
from sympy.matrices.matrixbase import MatrixBase
from sympy.matrices.sparse import SparseMatrix

from symopt.lambdified import errors
from symopt.lambdified.matrices import explicit, sizes_of


@dataclass(frozen=True, slots=True)
class One:
    """A single expression; the next number. A condition is True or False."""

    condition: bool


@dataclass(frozen=True, slots=True)
class Many:
    """A list or tuple of results."""

    kind: Literal["list", "tuple"]
    members: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A dictionary; its keys and then its values are the next results."""

    keys: tuple[Result, ...]
    values: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A matrix or array: as many numbers as it has elements, row by row."""

    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse matrix, of the elements that are not 0."""

    shape: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]


Result = One | Many | Table | Block | Sparse


def structure(expression: Any) -> tuple[Result, list[sympy.Basic]]:
    """The containers around expressions, and the expressions in order."""
    found: list[sympy.Basic] = []
    return _structure(expression, found), found


def _structure(thing: Any, found: list[sympy.Basic]) -> Result:
    match thing:
        case str():
            raise errors.no_expression(thing, "text is not an expression; see `sympy.parse_expr`")
        case list() | tuple() | sympy.Tuple():
            kind = "list" if isinstance(thing, list) else "tuple"
            return Many(kind, tuple(_structure(part, found) for part in thing))
        case dict() | sympy.Dict():
            keys = tuple(_structure(key, found) for key in thing)
            return Table(keys, tuple(_structure(thing[key], found) for key in thing))
        case SparseMatrix() | sympy.ImmutableSparseMatrix():
            entries = sorted(thing.todok().items())
            found.extend(value for _, value in entries)
            rows, columns = (tuple(int(at[axis]) for at, _ in entries) for axis in (0, 1))
            return Sparse(thing.shape, rows, columns)
        case MatrixBase():
            found.extend(thing.flat())
            return Block(sizes_of(thing))
        case MatrixExpr():
            return _structure(explicit(thing), found)
        case sympy.NDimArray():
            found.extend(sympy.flatten([thing.tolist()]))
            return Block(sizes_of(thing))
    part = _sympified(thing)
    found.append(part)
    return One(isinstance(part, Relational | Boolean) and not part.is_Symbol)


def _sympified(thing: Any) -> sympy.Basic:
    try:
        part = sympy.sympify(thing, strict=True)
    except sympy.SympifyError:
        part = None
    if not isinstance(part, sympy.Expr | Boolean):
        raise errors.no_expression(thing, f"{type(thing).__name__} is no expression")
    return part


class Filler:
    """Puts numbers, or arrays along a common shape, into containers."""

    def __init__(self, values: Sequence[Any] | NDArray[Any], shape: tuple[int, ...] | None) -> None:
        self._values, self._shape, self._next = values, shape, 0

    def fill(self, result: Result) -> Any:
        """The next numbers in a container."""
        match result:
            case One(condition):
                (value,) = self._take(1)
                if self._shape is None:
                    return bool(value) if condition else value
                return value != 0 if condition else value
            case Many(kind, members):
                filled = [self.fill(member) for member in members]
                return filled if kind == "list" else tuple(filled)
            case Table(keys, values):
                names = [self.fill(key) for key in keys]
                return dict(zip(names, map(self.fill, values), strict=True))
            case Block(shape):
                return self._block(shape, self._take(prod(shape)))
            case Sparse(shape, rows, columns):
                from scipy.sparse import coo_matrix

                data = np.array(self._take(len(rows)), dtype=np.float64)
                if data.ndim > 1:
                    raise errors.wrong_shape("a sparse matrix", "get numbers", "arrays")
                return coo_matrix((data, (rows, columns)), shape=shape)

    def _take(self, count: int) -> Any:
        start = self._next
        self._next = start + count
        return self._values[start : self._next]

    def _block(self, shape: tuple[int, ...], values: Any) -> NDArray[np.float64]:
        full = shape if self._shape is None else shape + self._shape
        if isinstance(values, np.ndarray):
            return values.reshape(full).copy()
        return np.array(values, dtype=np.float64).reshape(full)
