"""Complex step off the real domain, and derivatives at the ends of it."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from symopt.primitives.registry import PRIMITIVES
from tests.support.expressions import evaluate

x, y = sympy.symbols("x y", real=True)


@pytest.mark.parametrize(
    "name, outside",
    [("log", -1.0), ("sqrt", -1.0), ("log1p", -2.0), ("asin", 2.0), ("acosh", 0.5), ("atanh", 2.0)],
)
def test_complex_values_do_not_leave_the_real_branch(name: str, outside: float) -> None:
    with np.errstate(all="ignore"):
        assert np.isnan(np.real(PRIMITIVES[name].reference(complex(outside, 1e-30))))


@pytest.mark.parametrize("name", ["sqrt", "log", "cbrt"])
def test_no_change_gives_no_change_where_the_derivative_is_infinite(name: str) -> None:
    with np.errstate(all="ignore"):
        assert np.imag(PRIMITIVES[name].reference(complex(0.0, 0.0))) == 0.0


def test_hypot_at_the_origin_has_derivative_zero() -> None:
    hypot = PRIMITIVES["hypot"]
    origin = {x: 0.0, y: 0.0}
    assert [evaluate(hypot(x, y).diff(name), origin) for name in (x, y)] == [0.0, 0.0]
    assert evaluate(hypot(x, y).diff(x).diff(y), origin) == 0.0
    assert np.imag(hypot.reference(complex(0.0, 1e-30), 0.0)) == 0.0


def test_hypot_neither_overflows_nor_underflows() -> None:
    huge, tiny = {x: 3e300, y: 4e300}, {x: 3e-300, y: 4e-300}
    for values in (huge, tiny):
        assert evaluate(PRIMITIVES["hypot"](x, y).diff(x), values) == pytest.approx(0.6)


def test_derivative_of_asin_near_one() -> None:
    """1 - x^2 would lose half the digits here; the value is 1/sqrt(d(2 - d)) for d = 2^-40."""
    step = 2.0**-40
    found = evaluate(PRIMITIVES["asin"](x).diff(x), {x: 1.0 - step})
    assert found == pytest.approx((step * (2 - step)) ** -0.5, rel=1e-15)


def test_references_take_scalars_arrays_and_empty_arrays() -> None:
    sin, tanh = PRIMITIVES["sin"], PRIMITIVES["tanh"]
    for record in (sin, tanh):
        assert np.shape(record.reference(0.5)) == ()
        assert record.reference(np.zeros((2, 0))).shape == (2, 0)
        assert record.reference(np.zeros((2, 3), dtype=complex)).dtype == np.complex128
