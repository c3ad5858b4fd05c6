"""The standard form of every primitive means what its record says, in high precision."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import sympy

from symopt.derive.formula import formula, integer_formula, number
from symopt.primitives.operators import divide, integer_power, power
from symopt.primitives.record import Constant, Primitive
from symopt.primitives.registry import PRIMITIVES
from symopt.types import Clamp, Entry, Quotient, Remainder, atom, constant, dim, index

_INTEGER_FIRST = {"polygamma", "sinc_derivative"}  # and `integer_power`, by its second argument


@pytest.mark.parametrize("name", PRIMITIVES)
def test_standard_forms(name, rng):
    record = PRIMITIVES[name]
    symbols = sympy.symbols(f"x:{record.arity}", real=True)
    for _ in range(5):
        # A part of the domain where nothing overflows or cancels to nothing in 40 digits.
        point = [rng.uniform(max(low, -4), min(high, 4)) for low, high in record.domain]
        arguments = list(symbols)
        for place, fixed in enumerate(low == high for low, high in record.domain):
            if fixed:
                point[place] = int(record.domain[place][0])
                arguments[place] = sympy.Integer(point[place])
        free = [a for a in arguments if a.is_Symbol]
        shown = formula(record(*arguments), {symbol: symbol for symbol in free})
        assert not shown.has(Primitive, Constant)
        at = {s: sympy.Float(v, 40) for s, v in zip(arguments, point, strict=True) if s in free}
        with mpmath.workdps(40):
            expected = record.precise(*map(mpmath.mpf, point))
            # Constants such as 2 pi are doubles in expansions.
            assert mpmath.almosteq(
                mpmath.mpmathify(shown.xreplace(at).evalf(40)), expected, 1e-14, 1e-14
            )


@pytest.mark.parametrize(
    "value, expected",
    [
        (2.0, sympy.Integer(2)),
        (-0.5, -sympy.S.Half),
        (0.1, sympy.Float(0.1)),
        (math.pi, sympy.pi),
        (-math.pi, -sympy.pi),
        (math.inf, sympy.oo),
        (-math.inf, -sympy.oo),
        (1e300, sympy.Float(1e300)),
    ],
)
def test_numbers(value, expected):
    assert number(value) == expected


def test_not_a_number_stays_one():
    assert number(math.nan) is sympy.nan


def test_functions_of_numbers_are_exact_while_they_are_small():
    assert formula(divide(Constant(1.0), Constant(3.0)), {}) == sympy.Rational(1, 3)
    assert formula(PRIMITIVES["sqrt"](Constant(2.0)), {}) == sympy.sqrt(2)
    assert formula(integer_power(Constant(10.0), sympy.Integer(-3)), {}) == sympy.Rational(1, 1000)


def test_functions_of_large_numbers_are_doubles():
    nine = Constant(9.0)
    assert formula(power(nine, power(nine, power(nine, nine))), {}) == sympy.oo
    found = formula(PRIMITIVES["lgamma"](Constant(1e6)), {})
    assert found.is_Float and float(found) == pytest.approx(math.lgamma(1e6), rel=1e-15)


def test_integers():
    n, i = sympy.symbols("n i", integer=True)
    cam = sympy.IndexedBase("cam", integer=True)
    known = {"k": i}
    entry = atom(Entry("cam", (index("k") + 1,)))
    assert integer_formula(2 * dim("n") - index("k") + 3, known) == 2 * n - i + 3
    assert integer_formula(entry, known) == cam[i + 1]
    assert integer_formula(atom(Quotient(index("k"), constant(2))), known) == sympy.floor(i / 2)
    assert integer_formula(atom(Remainder(index("k"), dim("n"))), known) == sympy.Mod(i, n)
    assert integer_formula(atom(Clamp(index("k") - 1, dim("n"))), known) == i - 1


def test_no_double_is_rounded():
    for value in np.random.default_rng(0).normal(size=20):
        assert float(number(value)) == value
