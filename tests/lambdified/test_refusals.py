"""What has no native form is refused by name, when the function is made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy
import sympy
from sympy.printing.numpy import NumPyPrinter
from sympy.utilities.lambdify import implemented_function

import symopt

x, y = sympy.symbols("x y")
f = sympy.Function("f")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (sympy.Derivative(f(x), x) + 1, r"`Derivative\(f\(x\), x\)`: it is an unevaluated Deriv"),
        (sympy.sin(sympy.Integral(y**x, (x, 0, 1))), r"`Integral\(y\*\*x, .*unevaluated Integral"),
        (sympy.Limit(sympy.sin(x) / x, x, 0), "unevaluated Limit"),
        (sympy.Subs(f(x), x, y), "unevaluated Subs"),
        (sympy.Abs(x).diff(x), "unevaluated Derivative\n.*declare the symbols real"),
        (2 * f(x), r"cannot compile `f\(x\)`.*\n.*pass it as an argument"),
        (implemented_function("g", math.sin)(x), "a Python function cannot be compiled"),
        (sympy.I * x, "`I` is not real"),
        (sympy.sqrt(-2) * x, "is not real"),
        (sympy.besselj(0, x), r"`besselj\(0, x\)`: besselj has no native form"),
        (sympy.Symbol("xx") + x, r"`xx` is in the expression(.|\n)*did you mean `x`"),
        (sympy.IndexedBase("A")[0], "`A` is in the expression and not among the arguments"),
        (sympy.polygamma(y, x), "constant integer"),
        ("x + y", "text is not an expression"),
        (None, "NoneType is no expression"),
        ([x, object()], "object is no expression"),
        (x + sympy.Wild("w") * 0 + sympy.Symbol("q"), "`q` is in the expression"),
    ],
    ids=range(17),
)
def test_expressions(expression: Any, message: str) -> None:
    with pytest.raises(symopt.DataError, match=message):
        symopt.lambdify([x, y], expression)


@pytest.mark.parametrize(
    "arguments",
    [[x, x], [x + y], [3], "x", {x, y}, None, [[x, [x]]], [sympy.Integer(2)]],
    ids=range(8),
)
def test_arguments(arguments: Any) -> None:
    with pytest.raises(symopt.DataError, match="cannot be an argument"):
        symopt.lambdify(arguments, x)


def test_harmless_options() -> None:
    for modules in (None, "numpy", "scipy", ["math"], ["scipy", "numpy"], np, scipy, [{}, "numpy"]):
        assert symopt.lambdify([x], x + 1, modules)(1) == 2.0
    options: tuple[dict[str, Any], ...] = (
        {"cse": True},
        {"cse": sympy.cse},
        {"dummify": True},
        {"use_imps": False},
        {"printer": NumPyPrinter},
        {"printer": NumPyPrinter()},
    )
    for option in options:
        assert symopt.lambdify([x], x + 1, **option)(1) == 2.0


def test_other_libraries() -> None:
    others: tuple[Any, ...] = ("mpmath", "sympy", "jax", ["numpy", "tensorflow"])
    for modules in (*others, [{"sin": math.sin}, "numpy"]):
        with pytest.raises(symopt.DataError, match=r"`modules=.* does not go with native code"):
            symopt.lambdify([x], x, modules)
    with pytest.raises(symopt.DataError, match="`printer=StrPrinter`"):
        symopt.lambdify([x], x, printer=sympy.printing.StrPrinter)


def test_documentation_has_a_limit() -> None:
    long = sum(sympy.sin(k * x) for k in range(20))
    assert "redacted" in (symopt.lambdify([x], long, docstring_limit=10).__doc__ or "")
    assert "sin(2*x)" in (symopt.lambdify([x], long, docstring_limit=None).__doc__ or "")
