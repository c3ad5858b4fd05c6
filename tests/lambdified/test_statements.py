"""Statements of a formula: well-formed, short, each over as few points as possible."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

from symopt.lambdified.statements import build_statements
from symopt.lambdified.translate import Translation
from symopt.statements.evaluate import evaluate
from symopt.statements.expression import postorder
from symopt.statements.program import Program
from symopt.statements.verify import verify

x, y = sympy.symbols("x y")
i, j = sympy.symbols("i j", integer=True)
A = sympy.IndexedBase("A")


def built(expressions: list[Any], arrays: set[str]) -> Program:
    translation = Translation({x: "a0", y: "a1"}, {A: "a2"})
    formula = translation.formula([translation.of(one) for one in expressions])
    return verify(build_statements(formula, translation.nodes, frozenset(arrays), {"a2": 1}))


def chain(depth: int) -> Any:
    expression: Any = x
    for _ in range(depth):
        expression = sympy.Add(sympy.sin(expression, evaluate=False), y, evaluate=False)
    return expression


EXPRESSIONS: tuple[list[Any], ...] = (
    [x + y, sympy.sin(x + y) ** 2, sympy.exp(y) * x],
    [sympy.Integer(3), y],
    [sympy.Sum(x**i * A[i], (i, 0, 3)), sympy.Sum(i * sympy.Sum(x * y**j, (j, 0, i)), (i, 1, 3))],
    [sympy.Product(y + i, (i, 1, 3)) * sympy.Piecewise((x, x > y), (1 / y, True))],
    [chain(60)],
    [sympy.Add(*[sympy.sin(k * x) * y**k for k in range(60)])],
)


@pytest.mark.parametrize("arrays", [set(), {"a0"}, {"a0", "a1"}], ids=["none", "one", "two"])
@pytest.mark.parametrize("expressions", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_evaluated(expressions: list[Any], arrays: set[str]) -> None:
    """The NumPy meaning of the statements is that of the expressions."""
    program = built(expressions, arrays)
    points = {"a0": np.array([0.5, 1.25]), "a1": np.array([0.75, 0.25])}
    weights = np.array([1.0, -2.0, 0.5, 3.0])
    given = {name: v if name in arrays else v[:1].reshape(()) for name, v in points.items()}
    given = {name: v for name, v in (given | {"a2": weights}).items() if name in program.tensors}
    found = evaluate(program, {"n": 2, "a2.0": 4}, given).tensors
    for at in range(2 if arrays else 1):
        numbers = {s: float(points[n][at if n in arrays else 0]) for s, n in ((x, "a0"), (y, "a1"))}
        for output, expression in zip(program.outputs, expressions, strict=True):
            wanted = _value(expression, numbers, weights)
            assert np.ravel(found[output])[at] == pytest.approx(wanted, rel=1e-13)


def _value(expression: Any, numbers: dict[Any, float], weights: Any) -> float:
    if expression.has(sympy.Sum, sympy.Product):
        expression = expression.doit().subs({A[k]: w for k, w in enumerate(weights)})
        return float(sympy.N(expression.subs(numbers), 30))
    function = sympy.lambdify([x, y], expression, "math", cse=True)
    return float(function(numbers[x], numbers[y]))


def test_statements_stay_short() -> None:
    """There are not more of them than the size needs, and none is long."""
    few, many = (built([chain(depth)], {"a0"}).statements for depth in (1000, 2000))
    assert len(many) <= 2 * len(few) + 2
    assert max(len(postorder(one.expression)) for one in many) <= 600  # with symbols


def test_what_does_not_vary_is_computed_once() -> None:
    program = built([x * sympy.exp(sympy.sin(y)), sympy.cos(x) + sympy.exp(sympy.sin(y))], {"a0"})
    loops = {str(one.expression): [loop.index for loop in one.loops] for one in program.statements}
    assert [index for text, index in loops.items() if "exp" in text] == [[]]
    assert [index for text, index in loops.items() if "cos" in text] == [["n"]]
