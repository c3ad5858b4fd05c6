"""Walks over expressions that share parts."""

from __future__ import annotations

import sympy

from symopt.primitives.registry import PRIMITIVES
from symopt.statements.expression import postorder, symbols_of

X, Y = sympy.symbols("x y", real=True)
SIN = PRIMITIVES["sin"]


def test_parts_come_before_wholes_and_once() -> None:
    shared = SIN(X * Y)
    whole = shared * SIN(shared) + X
    order = postorder(whole)
    assert order[-1] == whole
    assert len(order) == len(set(order))
    for place, node in enumerate(order):
        assert all(part in order[:place] for part in node.args)


def test_a_shared_expression_is_walked_in_the_number_of_its_parts() -> None:
    expression = X
    for _ in range(60):
        expression = SIN(expression) * expression  # 2^60 leaves as a tree
    assert len(postorder(expression)) == 121
    assert symbols_of(expression) == {X}


def test_symbols_of_a_constant_expression() -> None:
    assert symbols_of(sympy.S.One) == set()
    assert symbols_of(X + SIN(Y)) == {X, Y}
