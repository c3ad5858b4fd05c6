"""`symopt.lambdify`: SymPy expressions as functions of numbers and arrays, in native code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symopt.lambdified import errors
from symopt.lambdified.arguments import Indexed, Scalar, declared, leaves
from symopt.lambdified.calling import callable_of
from symopt.lambdified.function import Function
from symopt.lambdified.options import check_options
from symopt.lambdified.results import structure
from symopt.lambdified.translate import Translation


def lambdify(
    args: Any,
    expr: Any,
    modules: Any = None,
    printer: Any = None,
    use_imps: bool = True,
    dummify: bool = False,
    cse: bool | Callable[..., Any] = False,
    docstring_limit: int | None = 1000,
) -> Callable[..., Any]:
    """A function of `args` that computes `expr` in native code, like `sympy.lambdify`.

    `args` is a symbol or a list of symbols, lists of symbols, matrices of symbols, matrix symbols
    and indexed bases; `expr` an expression, or lists, tuples, dictionaries, matrices and arrays of
    expressions, which come back filled with numbers. Numbers give floats; arrays broadcast, and
    give arrays of their common shape. What expressions share is computed once, with or without
    `cse`. The other options are those of `sympy.lambdify`, and refused where they ask for another
    library than NumPy.
    """
    check_options(modules, printer)
    arguments = declared(args)
    result, expressions = structure(expr)
    found = tuple(leaves(arguments))
    translation = Translation(
        {leaf.symbol: leaf.tensor for leaf in found if isinstance(leaf, Scalar)},
        {leaf.symbol: leaf.tensor for leaf in found if isinstance(leaf, Indexed)},
    )
    try:
        formula = translation.formula([translation.of(one) for one in expressions])
    except RecursionError:
        raise errors.refusal(
            "deep-expression", "a part of the expression nests deeper than SymPy can walk"
        ) from None
    function = Function(arguments, result, formula, translation.nodes)
    return callable_of(function, expr, docstring_limit)
