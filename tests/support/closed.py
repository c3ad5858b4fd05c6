"""Numbers for closed SymPy expressions: sizes put in, sums done, then elements of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy


def value(expression: sympy.Expr, dims: Mapping[str, int], arrays: Mapping[str, Any]) -> float:
    """The value of an expression whose free symbols are sizes, arrays and their elements."""
    sizes = {sympy.Symbol(name, integer=True): sympy.Integer(n) for name, n in dims.items()}
    elements = _elements(arrays)
    previous, current = None, expression.xreplace(sizes)
    # Sums whose range depends on integer data are open until this is put in: hence the rounds.
    while current != previous:
        previous, current = current, current.doit().xreplace(elements)
    return float(current)


def _elements(arrays: Mapping[str, Any]) -> dict[sympy.Expr, sympy.Expr]:
    found: dict[sympy.Expr, sympy.Expr] = {}
    for name, array in arrays.items():
        array = np.asarray(array)
        integer = array.dtype.kind in "iu"
        number = sympy.Integer if integer else sympy.Float
        kind = {"integer": True} if integer else {"real": True}
        for place, entry in np.ndenumerate(array):
            symbol = sympy.IndexedBase(name, **kind)[place] if place else sympy.Symbol(name, **kind)
            found[symbol] = number(entry.item())
    return found
