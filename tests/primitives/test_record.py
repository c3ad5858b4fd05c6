"""SymPy leaves nodes and constants alone, and derivatives honour the records' own tangents."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sympy
from sympy import S

from symopt.primitives.elementary import absolute, cos, exp, log, sin, sqrt
from symopt.primitives.operators import ONE, ZERO, divide, power, power_by_integer, select
from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES
from tests.support.expressions import evaluate, primitives_in

x, y = sympy.symbols("x y", real=True)


@pytest.mark.parametrize(
    "expression, parts",
    [
        (exp(x) * exp(Constant(2.0) * x), {exp(x), exp(Constant(2.0) * x)}),
        (log(exp(x)), {exp(x)}),
        (divide(x, x), {x}),
        (power(power(x, Constant(2.0)), Constant(0.5)), {power(x, Constant(2.0)), Constant(0.5)}),
        (Constant(2.0) * (x + y), {Constant(2.0), x + y}),
        (sin(ZERO), {ZERO}),
        (sqrt(power_by_integer(x, 2)), {power_by_integer(x, 2)}),
        (absolute(-x), {-x}),
        (Constant(0.1) + Constant(0.2), {Constant(0.1), Constant(0.2)}),
        (Constant(0.0) * x, {Constant(0.0), x}),
        (ONE * x, {ONE, x}),
        (x + ZERO, {x, ZERO}),
    ],
)
def test_sympy_rewrites_nothing(expression: sympy.Expr, parts: set[sympy.Expr]) -> None:
    assert set(expression.args) == parts


def test_huge_constants_stay_finite() -> None:
    expression = Constant(1e200) * x * Constant(1e201)
    assert expression.atoms(Constant) == {Constant(1e200), Constant(1e201)}
    assert not expression.atoms(sympy.Number) and not expression.has(S.Infinity)
    repeated = Constant(1e200) * x * Constant(1e200)
    assert repeated.atoms(Constant) == {Constant(1e200)} and not repeated.has(S.Infinity, S.NaN)


def test_towers_of_powers_are_not_evaluated() -> None:
    nine = Constant(9.0)
    tower = power(nine, power(nine, power(nine, nine)))
    assert evaluate(tower, {}) == np.inf


def test_constants_are_told_apart_by_their_bits() -> None:
    assert Constant(0.1) == Constant(0.1) and hash(Constant(0.1)) == hash(Constant(0.1))
    assert Constant(0.0) != Constant(-0.0)
    assert Constant(1.0) != sympy.Integer(1)
    assert Constant(0.1 + 0.2) != Constant(0.3)
    assert pickle.loads(pickle.dumps(Constant(0.1))) == Constant(0.1)
    assert Constant(2.0).diff(x) == 0


def test_nodes_are_equal_by_record_and_arguments() -> None:
    assert sin(x) == sin(x) and hash(sin(x)) == hash(sin(x))
    assert sin(x) != cos(x) and sin(x) != sin(y)
    assert sin(x).subs(x, y) == sin(y)
    assert str(sin(x + y)) == "sin(x + y)"


def test_chain_rule() -> None:
    assert sin(exp(x)).diff(x) == exp(x) * cos(exp(x))
    assert (sin(x) * y).diff(y) == sin(x)
    assert sin(y).diff(x) == 0


def test_a_branch_not_taken_does_not_poison_second_derivatives() -> None:
    """sqrt has no finite derivative at 0; the branch taken there is x^2."""
    guarded = select(PRIMITIVES["greater"](x, ZERO), sqrt(x), power_by_integer(x, 2))
    assert evaluate(guarded.diff(x), {x: 0.0}) == 0.0
    assert evaluate(guarded.diff(x).diff(x), {x: 0.0}) == 2.0


def test_derivatives_hold_nothing_but_primitives() -> None:
    """No float, rational or SymPy function appears at any order, for any public record."""
    allowed = (Constant, sympy.Symbol, sympy.Integer, sympy.Add, sympy.Mul, sympy.Pow)
    symbols = sympy.symbols("a b c", real=True)
    for record in PRIMITIVES.values():
        if not record.public:
            continue
        first = record.partials(*symbols[: record.arity])
        for expression in (*first, *(partial.diff(symbols[0]) for partial in first)):
            for node in sympy.preorder_traversal(expression):
                assert isinstance(node, allowed) or primitives_in(node), (record.name, node)
                if isinstance(node, sympy.Pow):
                    assert node.exp.is_Integer and node.exp > 1, (record.name, node)
