"""Statements as text."""

from __future__ import annotations

import pytest
import sympy

import symopt
from symopt.primitives import operators
from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.printer import print_expression, print_program, print_statement
from symopt.types import index
from tests.support.hand_built import assign, loop, read

A, B, C = (sympy.Symbol(name, real=True) for name in "abc")
EXP = PRIMITIVES["exp"]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (A + B, "a + b"),
        (-A, "-a"),
        (A * (B + C), "a*(b + c)"),
        (Constant(0.5) * A, "a*0.5"),
        (Constant(-2.0) * A, "a*(-2.0)"),
        (operators.divide(A, B), "a / b"),
        (operators.divide(A, B * C), "a / (b*c)"),
        (operators.divide(operators.divide(A, B), C), "(a / b) / c"),
        (C * operators.divide(A, B), "c*(a / b)"),
        (C + operators.divide(A, B), "c + (a / b)"),
        (operators.power(A + B, Constant(-0.5)), "(a + b) ^ (-0.5)"),
        (operators.power_by_integer(A, 3), "a ^ 3"),
        (operators.select(operators.less(A, B), A, B), "select(a < b, a, b)"),
        (C * operators.less(A, B), "c*(a < b)"),
        (operators.both(operators.less(A, B), C), "(a < b) and c"),
        (operators.smul(A, EXP(B + C)), "smul(a, exp(b + c))"),
        (operators.divide(A, B) ** 2, "(a / b)**2"),
        (C + operators.less(A, B), "c + (a < b)"),
        (-operators.less(A, B), "-(a < b)"),
    ],
)
def test_expressions(expression: sympy.Expr, text: str) -> None:
    # The order of the parts of a sum or product is SymPy's own.
    assert sorted(print_expression(expression)) == sorted(text)


def test_statements() -> None:
    i, j = loop("i", "n"), loop("j", index("i") + 1, 2)
    whole = assign(read("s"), (i, j), "sum", lambda x: x, read("x", "i", "j"))
    assert print_statement(whole) == "s sum= x[i, j] for i in range(n), j in range(2, i + 1)"
    single = assign(read("y", 0), (), "=", lambda x: x, read("x", 1, 2))
    assert print_statement(single) == "y[0] = x[1, 2]"


PROGRAM = """\
data X[n, d], y[n]
data ridge = 1e-3
param w[d] init 0, b init 0

model z = X @ w + b
minimize mean(softplus(z) - y * z) + ridge / 2 * sumsq(w)
"""


@pytest.mark.parametrize("function", ["value_and_grad", "hvp", "jac", "gnvp"])
def test_logistic_regression(golden, function: str) -> None:
    text = symopt.parse(PROGRAM).show("statements", function)
    golden(f"statements/logistic_{function}.txt", text + "\n")


def test_the_same_text_gives_the_same_statements() -> None:
    first, second = (symopt.parse(PROGRAM).stages.task.program for _ in range(2))
    assert first == second
    assert print_program(first) == print_program(second)
