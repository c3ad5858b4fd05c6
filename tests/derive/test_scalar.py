"""Derivatives of single expressions: against mpmath, and by both modes for every primitive."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy

from symopt.derive.scalar import Finiteness, tangent, weights
from symopt.primitives import operators
from symopt.primitives.record import Constant, Elementwise
from symopt.primitives.registry import PRIMITIVES
from tests.support.expressions import evaluate, evaluate_precisely

X, Y = sympy.Symbol("x", real=True), sympy.Symbol("y", real=True)
DX, DY, ROOT = (sympy.Symbol(name, real=True) for name in ("dx", "dy", "root"))
AT = {X: 0.37, Y: -0.81}
ALONG = {DX: 0.9, DY: -1.4, ROOT: 1.7}
ANYTHING = Finiteness()
SIN, EXP, LOG, SQRT, TANH = (PRIMITIVES[name] for name in ("sin", "exp", "log", "sqrt", "tanh"))


def applied(record: Elementwise, first: sympy.Expr, second: sympy.Expr) -> sympy.Expr:
    """The primitive, of smooth functions of both symbols that stay inside its domain."""
    arguments = []
    for place, (low, high) in enumerate(record.domain):
        if low == high:  # a constant integer, such as the order of a derivative
            arguments.append(sympy.Integer(int(low)))
            continue
        low, high = max(low, -3.0), min(high, 3.0)
        middle, half = (low + high) / 2, 0.4 * (high - low)
        inner = (first, second, first * second)[place]
        arguments.append(Constant(middle) + Constant(half) * SIN(inner + Constant(0.3 * place)))
    return record(*arguments)


def by_both_modes(expression: sympy.Expr) -> tuple[float, float]:
    """The derivative along (DX, DY), from the weights of the symbols, and as a tangent."""
    found = weights(expression, ROOT, frozenset({X, Y}), ANYTHING)
    zero = sympy.S.Zero
    total = found.get(X, zero) * DX + found.get(Y, zero) * DY
    changes = {X: DX, Y: DY}
    forward = tangent(expression, changes, Finiteness(forward=True))
    known = {**AT, **ALONG}
    reverse = float(evaluate(sympy.sympify(total), known)) / ALONG[ROOT]
    return reverse, float(evaluate(sympy.sympify(forward), known))


def by_mpmath(expression: sympy.Expr) -> float:
    """The derivative along (DX, DY), by differences of 60-digit values."""
    with mpmath.workdps(60):

        def along(t: mpmath.mpf) -> mpmath.mpf:
            at = {X: AT[X] + t * mpmath.mpf(ALONG[DX]), Y: AT[Y] + t * mpmath.mpf(ALONG[DY])}
            return evaluate_precisely(expression, at)

        return float(mpmath.diff(along, 0, h=mpmath.mpf("1e-20")))


PRECISE = [name for name, record in PRIMITIVES.items() if record.precise is not None]
WRAPPED = {
    "alone": lambda f: f,
    "in a product": lambda f: f * (X - Y) * Constant(0.5),
    "squared": lambda f: f**2 + f,
    "over": lambda f: operators.divide(X + Constant(1.5), f * f + Constant(1.0)),
    "chosen": lambda f: operators.select(operators.less(Y, X), f * Y, EXP(X)),
    "not chosen": lambda f: operators.select(operators.less(X, Y), f * Y, EXP(X) * Y),
    "strongly multiplied": lambda f: operators.smul(f, Y) + operators.smul(X, f),
    "extreme": lambda f: operators.maximum(f, X) + operators.minimum(f * Y, X),
    "raised": lambda f: operators.power(f * f + Constant(0.1), Y),
    "inside": lambda f: TANH(f * Constant(0.1)) * f,
}


@pytest.mark.parametrize("name", PRECISE)
def test_every_primitive_in_every_surrounding(name: str) -> None:
    inner = applied(PRIMITIVES[name], X * Y, X + Constant(0.5) * Y)
    for surrounding, wrap in WRAPPED.items():
        expression = wrap(inner)
        wanted = by_mpmath(expression)
        reverse, forward = by_both_modes(expression)
        # Relative to the terms that are added up, each of which is of the order of 1 to 100.
        scale = 1e-12 * max(1.0, abs(wanted))
        assert abs(reverse - wanted) < 100 * scale, surrounding
        assert abs(forward - wanted) < 100 * scale, surrounding


@pytest.mark.parametrize("name", PRECISE)
def test_second_derivatives_by_any_order_of_modes(name: str) -> None:
    """Reverse of forward, forward of reverse: both are the derivative of a derivative."""
    record = PRIMITIVES[name]
    expression = applied(record, X * Y, X + Constant(0.5) * Y)
    gradient = weights(expression, sympy.S.One, frozenset({X}), ANYTHING).get(X, sympy.S.Zero)
    first = tangent(sympy.sympify(gradient), {X: DX, Y: DY}, ANYTHING)
    change = tangent(expression, {X: DX, Y: DY}, ANYTHING)
    back = weights(sympy.sympify(change), sympy.S.One, frozenset({X}), ANYTHING)
    second = back.get(X, sympy.S.Zero)
    known = {**AT, **ALONG}
    one, two = (float(evaluate(sympy.sympify(e), known)) for e in (first, second))
    assert one == pytest.approx(two, rel=1e-11, abs=1e-11)


def test_weights_visit_shared_parts_once() -> None:
    """A chain of squares has 2^60 paths and 60 parts."""
    expression = X
    for _ in range(60):
        expression = operators.maximum(SIN(expression), expression * expression)
    found = weights(expression, ROOT, frozenset({X}), ANYTHING)
    assert set(found) == {X}


def test_symbols_that_are_not_reached_have_no_weight() -> None:
    expression = PRIMITIVES["floor"](X) * EXP(Y) + operators.less(X, Y)
    assert set(weights(expression, ROOT, frozenset({X, Y}), ANYTHING)) == {Y}
    assert tangent(PRIMITIVES["floor"](X), {X: DX}, ANYTHING) is sympy.S.Zero
    assert weights(EXP(Y), ROOT, frozenset({X}), ANYTHING) == {}


# ── selections and strong zeros ──────────────────────────────────────────────────────────────


def test_the_tangent_of_a_selection_is_a_selection() -> None:
    chosen = operators.select(operators.greater(X, operators.ZERO), SQRT(X), X**2)
    found = tangent(chosen, {X: DX}, ANYTHING)
    at_zero = evaluate(found, {X: 0.0, DX: 1.0})
    assert at_zero == 0.0
    back = weights(chosen, ROOT, frozenset({X}), ANYTHING)[X]
    assert evaluate(back, {X: 0.0, ROOT: 1.0}) == 0.0


def test_the_tangent_of_a_strong_product_is_two_strong_products() -> None:
    """Never the derivative of a selection: at a = 0 that would lose da*b."""
    found = tangent(operators.smul(X, Y), {X: DX, Y: DY}, ANYTHING)
    for x, y, wanted in ((0.0, 3.0, 6.0), (2.0, 0.0, 10.0), (0.0, 0.0, 0.0)):
        assert evaluate(found, {X: x, Y: y, DX: 2.0, DY: 5.0}) == wanted
    assert evaluate(found, {X: 0.0, Y: np.inf, DX: 0.0, DY: np.inf}) == 0.0


def test_zero_residual_times_infinite_slope() -> None:
    """smul(0, inf) is 0, and its change is the change of the residual times the slope."""
    slope = operators.divide(Constant(0.5), SQRT(X))
    product = weights(SQRT(X), Y, frozenset({X}), ANYTHING)[X]
    assert product == operators.smul(Y, slope)
    assert evaluate(product, {X: 0.0, Y: 0.0}) == 0.0
    change = tangent(product, {X: sympy.S.Zero, Y: DY}, ANYTHING)
    assert evaluate(change, {X: 4.0, Y: 0.0, DY: 2.0}) == 0.5


def test_finite_slopes_are_multiplied_plainly() -> None:
    assert weights(SIN(X), Y, frozenset({X}), ANYTHING)[X] == Y * PRIMITIVES["cos"](X)
    assert weights(X * Constant(3.0), Y, frozenset({X}), ANYTHING)[X] == Y * Constant(3.0)


def test_only_a_tangent_lets_a_zero_factor_win() -> None:
    """Back: bar*y first. Forward: the infinite change of sqrt(x) meets y = 0."""
    expression = Y * SQRT(X)
    back = weights(expression, ROOT, frozenset({X}), ANYTHING)[X]
    forward = tangent(expression, {X: DX, Y: sympy.S.Zero}, Finiteness(forward=True))
    known = {X: 0.0, Y: 0.0, ROOT: 1.0, DX: 1.0}
    assert evaluate(back, known) == 0.0
    assert evaluate(forward, known) == 0.0


@pytest.mark.parametrize(
    ("expression", "finite"),
    [
        (X + Y * Constant(2.0), True),
        (Constant(float("inf")), False),
        (Constant(float("nan")) + X, False),
        (SIN(X), True),
        (LOG(X), False),
        (operators.divide(X, Constant(2.0)), True),
        (operators.divide(X, Constant(0.0)), False),
        (operators.divide(X, Y), False),
        (operators.divide(X, DX), True),  # said to be safe
        (operators.power_by_integer(X, 4), True),
        (operators.power_by_integer(X, -1), False),
        (operators.power(X, Y), False),
        (operators.select(operators.less(X, Y), X, LOG(X)), False),
        (operators.smul(X, Y), True),
        (X * DY, False),  # said to be wild
        (X**3, True),
    ],
)
def test_what_is_known_to_be_finite(expression: sympy.Expr, finite: bool) -> None:
    known = Finiteness(wild=frozenset({DY}), nonzero=frozenset({DX}))
    assert known.finite(expression) is finite
