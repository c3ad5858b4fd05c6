"""Our expressions and integers in standard SymPy terms, with exact numbers where that is safe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np
import sympy

from symopt.primitives.record import Constant, Expand, Primitive
from symopt.statements.expression import postorder
from symopt.types import Atom, Clamp, Dim, Entry, Index, Integer, Quotient, Remainder

# A SymPy expression or condition: SymPy's own annotations lose the kind in every replacement.
Expression = Any

_NAMED: tuple[tuple[float, Expression], ...] = (
    (math.pi, sympy.pi),
    (math.e, sympy.E),
    (2 / math.sqrt(math.pi), 2 / sympy.sqrt(sympy.pi)),
    (math.sqrt(0.5), sympy.sqrt(2) / 2),
    (math.log2(math.e), 1 / sympy.log(2)),
    (math.log10(math.e), 1 / sympy.log(10)),
    (math.inf, sympy.oo),
)
# Up to here functions of numbers are kept as they are: sqrt(2), 1/3. Beyond, SymPy may compute
# without end (9**9**9**9, a factorial of a million), so they are evaluated in doubles.
_SMALL = 64
_EXACT = 2.0**53
_FINEST = 64  # binary fractions down to 1/64 are written as such


def number(value: float) -> Expression:
    """A double as the number that it stands for."""
    for known, name in _NAMED:
        if value == known or value == -known:
            return name if value > 0 else -name
    if value != value:
        return sympy.nan
    if abs(value) < _EXACT and (value * _FINEST).is_integer():
        return sympy.Rational(int(value * _FINEST), _FINEST)
    return sympy.Float(value)


def formula(expression: Expression, known: Mapping[sympy.Symbol, Expression]) -> Expression:
    """The expression of standard functions, its symbols replaced by what is known of them."""
    found: dict[Expression, Expression] = {}
    for node in postorder(expression):
        parts = [found[part] for part in node.args]
        if isinstance(node, Constant):
            found[node] = number(node.value)
        elif isinstance(node, Primitive):
            found[node] = _apply(node, parts)
        elif parts:
            found[node] = node.func(*parts)
        else:
            found[node] = known[node] if isinstance(node, sympy.Symbol) else node
    return found[expression]


def _apply(node: Primitive, parts: list[Expression]) -> Expression:
    record = node.record
    numbers = all(part.is_Number for part in parts)
    if numbers and any(part.is_Float or abs(part) > _SMALL for part in parts):
        with np.errstate(all="ignore"):
            return number(float(record.reference(*map(float, parts))))
    if record.standard is not None:
        return record.standard(*parts)
    assert isinstance(record.lower, Expand), record.name
    symbols = sympy.symbols(f"x:{record.arity}", real=True)
    return formula(record.lower.build(*symbols), dict(zip(symbols, parts, strict=True)))


def size(name: str) -> sympy.Symbol:
    """The symbol of a dim."""
    return sympy.Symbol(name, integer=True)


def element(name: str, places: tuple[Expression, ...], *, integer: bool = False) -> Expression:
    """One element of data or of a parameter; a scalar is a plain symbol."""
    symbol = sympy.Symbol(name, integer=True) if integer else sympy.Symbol(name, real=True)
    return sympy.Indexed(symbol, *places) if places else symbol


def integer_formula(value: Integer, indices: Mapping[str, Expression]) -> Expression:
    """A size or place, its loop indices replaced.

    A clamp is left out: where it would move a place, the value read there is selected away.
    """
    terms = (
        sympy.Mul(sympy.Integer(coefficient), *(_atom(item, indices) for item in monomial))
        for monomial, coefficient in value.terms
    )
    return sympy.Add(*terms)


def _atom(item: Atom, indices: Mapping[str, Expression]) -> Expression:
    def inner(part: Integer) -> Expression:
        return integer_formula(part, indices)

    match item:
        case Dim(name):
            return size(name)
        case Index(name):
            return indices[name]
        case Entry(tensor, places):
            return element(tensor, tuple(map(inner, places)), integer=True)
        case Quotient(a, b):
            return sympy.floor(inner(a) / inner(b))
        case Remainder(a, b):
            return sympy.Mod(inner(a), inner(b))
        case Clamp(part, _):
            return inner(part)
        case _:
            assert_never(item)
