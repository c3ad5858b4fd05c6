"""Every primitive as native code, judged by mpmath in its domain and by NumPy at special values."""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

from symopt.primitives.operators import divide, power_by_integer, smul
from symopt.primitives.record import Constant, Elementwise
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.program import read_of
from symopt.types import index
from tests.support.kernels import LANES, arguments_of, map_samples, points_of

EPSILON = float(np.finfo(float).eps)
COUNT = 21  # not a multiple of any number of lanes
# At infinities, poles or denormals native code gives the limit, where NumPy's meaning has none.
LIMITS = frozenset({"silu", "gelu", "digamma", "polygamma", "lgamma"})
RECORDS = [pytest.param(record, id=name) for name, record in PRIMITIVES.items()]
SPECIAL = np.array(
    [
        np.nan,
        np.inf,
        -np.inf,
        0.0,
        -0.0,
        5e-324,
        -2e-310,
        1e-200,
        -1e-30,
        0.5,
        -1.0,
        1.0,
        3.0,
        -40.0,
        800.0,
        -800.0,
        1e17,
        -1e17,
        1e200,
        -1.7e308,
    ]
)


def _samples(record: Elementwise) -> list[np.ndarray]:
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    columns = []
    for low, high in record.domain:
        near = low + (high - low) * 10.0 ** rng.uniform(-9, 0, COUNT)
        columns.append(np.where(rng.random(COUNT) < 0.5, near, rng.uniform(low, high, COUNT)))
    return columns


def _special(interval: tuple[float, float]) -> np.ndarray:
    """Special values; for scales and sums of squares only those they can have, and nan."""
    low, high = interval
    if low == high:
        return np.array([low])
    if low > 0:
        return SPECIAL[~(SPECIAL <= 1e-100) & ~(SPECIAL >= 1e100)]
    return SPECIAL[~np.signbit(SPECIAL)] if low == 0 else SPECIAL


def _truth(record: Elementwise, point: tuple[float, ...]) -> tuple[Any, float]:
    """The value, and its size plus what a relative change of the arguments by 1 does to it."""
    with mpmath.workprec(400):
        numbers = [mpmath.mpf(x) for x in point]
        value = record.precise(*numbers)  # type: ignore[misc]
        scale = abs(value)
        for k, x in enumerate(numbers):
            low, high = record.domain[k]
            if low == high or record.constant:
                continue
            step = abs(x) * mpmath.ldexp(1, -60)
            moved = [record.precise(*numbers[:k], x + s, *numbers[k + 1 :]) for s in (step, -step)]  # type: ignore[misc]
            scale += abs(moved[0] - moved[1]) * mpmath.ldexp(1, 59)
        return value, float(scale)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("record", RECORDS)
def test_values_in_the_domain(record: Elementwise, lanes: int) -> None:
    """Within 8 ulp of the value or of what rounding the arguments does to it."""
    columns = _samples(record)
    arguments, reads = arguments_of(record)
    found = map_samples(record(*arguments), reads, points_of(record, columns), lanes)
    for value, *point in zip(found, *(column.tolist() for column in columns), strict=True):
        truth, scale = _truth(record, tuple(point))
        error = float(abs(mpmath.mpf(float(value)) - truth))
        assert error <= 8 * EPSILON * scale + 1e-300, (point, value, float(truth))


@pytest.mark.parametrize("record", RECORDS)
def test_special_values(record: Elementwise) -> None:
    """nan, infinities, zeros and denormals as in the NumPy meaning; lanes change no bit."""
    arguments, reads = arguments_of(record)
    grid = np.array(list(itertools.product(*map(_special, record.domain))))
    columns = [np.ascontiguousarray(column) for column in grid.T]
    data = points_of(record, columns)
    found = [map_samples(record(*arguments), reads, data, lanes) for lanes in LANES]
    with np.errstate(all="ignore"):
        wanted = np.broadcast_to(record.reference(*columns), len(grid))
    for lane_values in found[1:]:
        assert np.array_equal(found[0], lane_values, equal_nan=True)
    with np.errstate(all="ignore"):
        close = np.isclose(found[0], wanted, rtol=1e-12, atol=1e-300, equal_nan=True)
    # A nan may be selected away, or spread; infinities may meet in another order.
    close |= np.isnan(grid).any(axis=1) & np.isnan(found[0])
    if record.name in LIMITS:
        close |= ~np.isnan(found[0]) & ~np.isnan(grid).any(axis=1)
    bad = np.flatnonzero(~close)
    assert not len(bad), [(grid[k].tolist(), found[0][k], float(wanted[k])) for k in bad[:5]]


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("n", [-5, -2, -1, 0, 1, 2, 3, 7, 12])
def test_integer_powers_are_exact(n: int, lanes: int) -> None:
    x = np.array([-3.0, -1.0, 0.0, 1.0, 2.0, 5.0, -7.0, 0.5, -0.25])
    read = read_of("x", (index("i"),))
    found = map_samples(power_by_integer(read.symbol, n), [read], {"x": x}, lanes)
    with np.errstate(all="ignore"):
        wanted = 1 / x ** float(-n) if n < 0 else x ** float(n)
    # Powers of these are exact; a reciprocal is rounded once.
    assert np.allclose(found, wanted, rtol=EPSILON, atol=0)


@pytest.mark.parametrize("lanes", LANES)
def test_shared_parts_and_nested_sums(lanes: int) -> None:
    x = np.linspace(-2, 2, COUNT)
    read = read_of("x", (index("i"),))
    s = read.symbol
    square = s * s
    expression = sympy.Add(square, -sympy.Mul(Constant(3.0), square, s), Constant(0.125), -s)
    found = map_samples(divide(expression, 1 + square), [read], {"x": x}, lanes)
    wanted = [(v * v - 3 * v * v * v + 0.125 - v) / (1 + v * v) for v in x.tolist()]
    assert np.allclose(found, wanted, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("lanes", LANES)
def test_strong_zero_wins_over_infinity_and_nan(lanes: int) -> None:
    a = np.array([0.0, -0.0, 0.0, 2.0, np.nan])
    b = np.array([np.inf, np.nan, 3.0, np.inf, 0.0])
    reads = [read_of(name, (index("i"),)) for name in "ab"]
    product = smul(*(read.symbol for read in reads))
    found = map_samples(product, reads, {"a": a, "b": b}, lanes)
    assert np.array_equal(found, [0.0, 0.0, 0.0, np.inf, np.nan], equal_nan=True)
