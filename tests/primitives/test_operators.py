"""Edges of arithmetic: strong zeros, powers, remainders, ties and nan."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy

from symopt.primitives.elementary import log, sqrt
from symopt.primitives.operators import (
    divide,
    equal,
    integer_power,
    maximum,
    minimum,
    power,
    power_by_integer,
    remainder,
    select,
    smul,
    strong_product,
)
from symopt.primitives.record import Constant, Elementwise
from tests.support.expressions import evaluate

x, y = sympy.symbols("x y", real=True)
NAN, INF = math.nan, math.inf


def test_strong_zero_wins_over_anything() -> None:
    for other in (NAN, INF, -INF, 3.0):
        assert smul.reference(0.0, other) == 0.0
    assert np.isnan(smul.reference(2.0, NAN)) and np.isnan(smul.reference(NAN, 0.0))
    assert smul.reference(2.0, 3.0) == 6.0


def test_strong_zero_in_complex_arithmetic_treats_the_two_terms_alone() -> None:
    found = smul.reference(complex(0.0, 1.0), complex(5.0, INF))
    assert (found.real, found.imag) == (0.0, 5.0)
    found = smul.reference(complex(0.0, 0.0), complex(INF, NAN))
    assert (found.real, found.imag) == (0.0, 0.0)


def test_tangent_of_a_strong_product_keeps_the_changing_factor() -> None:
    """d(a·b) at a = 0 is a'·b: differentiating a select in its place would give 0."""
    assert evaluate(smul(x, log(y)).diff(x), {x: 0.0, y: 2.0}) == np.log(2.0)
    assert evaluate(smul(x, log(x)).diff(x), {x: 1.0}) == 1.0


def test_hessian_product_at_a_zero_residual() -> None:
    """For (sqrt(x) - 2)^2 / 2 at x = 4 the second derivative is 1/16."""
    residual = sqrt(x) - Constant(2.0)
    gradient = smul(residual, divide(Constant(0.5), sqrt(x)))
    assert evaluate(gradient.diff(x), {x: 4.0}) == 0.0625


def test_strong_product_of_plain_numbers_builds_no_node() -> None:
    assert strong_product(sympy.S.Zero, x) == 0 and strong_product(x, sympy.S.Zero) == 0
    assert strong_product(sympy.S.One, x) == x and strong_product(x, sympy.S.One) == x


def test_select_ignores_the_value_not_chosen() -> None:
    assert select.reference(1.0, 2.0, NAN) == 2.0
    assert select.reference(0.0, INF, 3.0) == 3.0


@pytest.mark.parametrize(
    "base, exponent, by_base, by_exponent",
    [
        (0.0, 0.0, 0.0, -INF),  # 0^y jumps at y = 0
        (0.0, 1.0, 1.0, 0.0),
        (0.0, 2.0, 0.0, 0.0),
        (2.0, 0.0, 0.0, math.log(2.0)),
        (-2.0, 3.0, 12.0, NAN),
        (-2.0, 0.0, 0.0, NAN),
    ],
)
def test_power_at_its_edges(
    base: float, exponent: float, by_base: float, by_exponent: float
) -> None:
    values = {x: base, y: exponent}
    found = [evaluate(power(x, y).diff(name), values) for name in (x, y)]
    np.testing.assert_equal(found, [by_base, by_exponent])
    with np.errstate(all="ignore"):
        stepped = power.reference(complex(base, 1e-30), exponent)
    assert stepped.imag == by_base * 1e-30 and stepped.real == base**exponent


def test_integer_power_is_exact_at_any_sign() -> None:
    values = np.array([-3.0, -0.0, 2.0])
    np.testing.assert_array_equal(integer_power.reference(values, 3), [-27.0, -0.0, 8.0])
    np.testing.assert_array_equal(integer_power.reference(np.array([-2.0, 4.0]), -1), [-0.5, 0.25])
    assert evaluate(power_by_integer(x, 3).diff(x), {x: -2.0}) == 12.0
    assert evaluate(power_by_integer(x, 2).diff(x).diff(x), {x: 0.0}) == 2.0
    assert power_by_integer(x, 1) == x
    assert evaluate(power_by_integer(x, -2).diff(x), {x: -2.0}) == 0.25


def test_remainder_has_the_sign_of_the_divisor() -> None:
    np.testing.assert_array_equal(
        remainder.reference(np.array([7.0, -7.0, 7.0, -7.0]), np.array([3.0, 3.0, -3.0, -3.0])),
        [1.0, 2.0, -2.0, -1.0],
    )
    assert evaluate(remainder(x, y).diff(x), {x: -7.0, y: 3.0}) == 1.0
    assert evaluate(remainder(x, y).diff(y), {x: -7.0, y: 3.0}) == 3.0  # -floor(-7/3)
    stepped = remainder.reference(-7.0, complex(3.0, 1e-30))
    assert stepped.real == 2.0 and stepped.imag == pytest.approx(3e-30, rel=1e-15)


@pytest.mark.parametrize("extremum", [maximum, minimum], ids=lambda record: record.name)
def test_a_tie_passes_the_whole_derivative_to_the_first(extremum: Elementwise) -> None:
    tie = {x: 2.0, y: 2.0}
    assert evaluate(extremum(x, y).diff(x), tie) == 1.0
    assert evaluate(extremum(x, y).diff(y), tie) == 0.0
    assert extremum.reference(complex(2.0, 1.0), complex(2.0, 5.0)) == complex(2.0, 1.0)


@pytest.mark.parametrize("extremum", [maximum, minimum], ids=lambda record: record.name)
def test_nan_spreads_through_extrema(extremum: Elementwise) -> None:
    for pair in ((NAN, 1.0), (1.0, NAN)):
        assert np.isnan(extremum.reference(*pair))
        assert np.isnan(extremum.reference(complex(pair[0]), pair[1]))


def test_comparisons_look_at_real_parts() -> None:
    assert equal.reference(complex(1.0, 1e-30), 1.0) == 1.0
    assert equal.reference(NAN, NAN) == 0.0


def test_infinite_imaginary_parts_leave_the_value_alone() -> None:
    with np.errstate(all="ignore"):
        found = power.reference(complex(0.0, 1.0), 0.5)
    assert (found.real, found.imag) == (0.0, INF)
