"""Sizes and places as Python that computes them."""

from __future__ import annotations

from typing import assert_never

from symopt.artifacts.python.text import text
from symopt.bind_errors import as_written
from symopt.types import Atom, Clamp, Dim, Entry, Index, Integer, Quotient, Remainder, atom_text


def computed(value: Integer) -> str:
    """A function of dims `d`, arrays `i` of loop indices, and integer arrays `a`."""
    return f"lambda d, i, a: {expression(value)}"


def expression(value: Integer) -> str:
    """The value, from the same."""
    found = ""
    for monomial, coefficient in value.terms:
        factors = [_factor(item) for item in monomial]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, str(abs(coefficient)))
        sign, body = "-" if coefficient < 0 else "+", " * ".join(factors)
        found += f" {sign} {body}" if found else (f"-{body}" if sign == "-" else body)
    return found or "0"


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
