"""Sizes and places as Python that computes them."""

from __future__ import annotations

from typing import assert_never

from symopt.artifacts.python.text import text
from symopt.bind_errors import as_written
from symopt.types import (
    Atom,
    Clamp,
    Dim,
    Entry,
    Index,
    Integer,
    Quotient,
    Remainder,
    atom_text,
    polynomial_text,
)


def computed(value: Integer) -> str:
    """A function of dims `d`, arrays `i` of loop indices, and integer arrays `a`."""
    return f"lambda d, i, a: {expression(value)}"


def expression(value: Integer) -> str:
    """The value, from the same."""
    return polynomial_text(value, _factor, " * ")


def _factor(item: Atom) -> str:
    match item:
        case Dim(name):
            return f"d[{text(name)}]"
        case Index(name):
            return f"i[{text(name)}]"
        case Entry(tensor, places):
            return f"a[{text(tensor)}][{', '.join(map(expression, places))}]"
        case Quotient(a, b):
            return f"quotient({expression(a)}, {expression(b)}, {_shown(item)})"
        case Remainder(a, b):
            return f"remainder({expression(a)}, {expression(b)}, {_shown(item)})"
        case Clamp(value, extent):
            return f"clamp({expression(value)}, {expression(extent)})"
        case _:
            assert_never(item)


def _shown(item: Atom) -> str:
    return text(as_written(atom_text(item)))
