"""Every record of the registry against mpmath: value, partials, complex step, lowering.

Oracles are mpmath's values of `precise` and its numerical derivatives at many digits. An error is
judged against |f| + sum |x_i df/dx_i|: what a change of the inputs by one ulp would do, so that
zeros of a function, where no method keeps relative accuracy, need no exceptions.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

from symopt.primitives.record import Elementwise, Expand
from symopt.primitives.registry import PRIMITIVES
from symopt.primitives.robust import ROBUST_LOSSES
from tests.support.expressions import evaluate, evaluate_precisely

EPSILON = float(np.finfo(float).eps)
SMALLEST, LARGEST = 1e-290, 1e290  # outside, doubles lose digits or overflow
COUNT = 5  # points of each of the four kinds of samples

RECORDS = [pytest.param(record, id=name) for name, record in PRIMITIVES.items()]
ANALYTIC = [pytest.param(r, id=n) for n, r in PRIMITIVES.items() if not r.constant]
EXPANDED = [pytest.param(r, id=n) for n, r in PRIMITIVES.items() if isinstance(r.lower, Expand)]
FINITE = [pytest.param(r, id=n) for n, r in PRIMITIVES.items() if r.finite]

# Robust losses subtract nearly equal terms in derivatives by the scale k (documented there):
# their error is relative to f / k.
SCALED = frozenset(
    form.name
    for loss in ROBUST_LOSSES.values()
    for form in (loss.residual, loss.rho, loss.rho1, loss.rho2)
)


@dataclass(frozen=True)
class Truth:
    """Value, gradient and Hessian at one point, with mpmath."""

    point: tuple[float, ...]
    value: Any
    gradient: tuple[Any, ...]
    hessian: tuple[tuple[Any, ...], ...]

    def input_error(self) -> float:
        """Σ |x_i ∂f/∂x_i|."""
        return float(sum(abs(x * d) for x, d in zip(self.point, self.gradient, strict=True)))

    def gradient_scale(self, i: int) -> float:
        """|∂f/∂x_i| and what input errors do to it."""
        moved = sum(abs(x * d) for x, d in zip(self.point, self.hessian[i], strict=True))
        return float(abs(self.gradient[i]) + moved)


def _is_integer_argument(interval: tuple[float, float]) -> bool:
    """An interval of one point marks a constant integer argument, such as an exponent."""
    return interval[0] == interval[1]


def _samples(interval: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    low, high = interval
    if _is_integer_argument(interval):
        return np.full(4 * COUNT, low)
    uniform = rng.uniform(low, high, COUNT)
    decades = 10.0 ** -rng.uniform(0, 12, (2, COUNT))
    width = min(high - low, max(abs(low), abs(high), 1.0))
    near_low = low + decades[0] * min(width, max(abs(low), 1e-3))
    near_high = high - decades[1] * min(width, abs(high) or width)
    if low > 0:
        middle = np.exp(rng.uniform(np.log(low), np.log(high), COUNT))
    elif low < 0 < high:
        middle = rng.choice([-1, 1], COUNT) * 10.0 ** rng.uniform(-12, 0, COUNT)
        middle *= np.where(middle < 0, min(-low, 30.0), min(high, 30.0))
    else:
        middle = high * 10.0 ** -rng.uniform(0, 12, COUNT)
    points = np.concatenate([uniform, near_low, near_high, middle])
    points = np.where((points <= low) | (points >= high), uniform.repeat(4), points)
    return rng.permutation(points)


def _symbols(record: Elementwise) -> tuple[sympy.Expr, ...]:
    return tuple(
        sympy.Integer(int(interval[0]))
        if _is_integer_argument(interval)
        else sympy.Symbol(f"x{position}", real=True)
        for position, interval in enumerate(record.domain)
    )


def _bindings(record: Elementwise, columns: Any) -> dict[sympy.Expr, Any]:
    pairs = zip(_symbols(record), columns, strict=True)
    return {symbol: column for symbol, column in pairs if symbol.is_Symbol}


def _difference(record: Elementwise, point: tuple[Any, ...], orders: tuple[int, ...]) -> Any:
    """Nested central differences with relative steps of 2^-80: an error of about 2^-160."""
    position = next((i for i, order in enumerate(orders) if order), None)
    if position is None:
        assert record.precise is not None
        return record.precise(*point)
    if _is_integer_argument(record.domain[position]):
        return mpmath.mpf(0)
    rest = tuple(n - (i == position) for i, n in enumerate(orders))
    step = (abs(point[position]) or 1) * mpmath.ldexp(1, -80)

    def moved(distance: Any) -> Any:
        x = point[position] + distance
        return _difference(record, (*point[:position], x, *point[position + 1 :]), rest)

    return (moved(step) - moved(-step)) / (2 * step)


def _derivative(record: Elementwise, point: tuple[float, ...], orders: tuple[int, ...]) -> Any:
    """The derivative, at a precision that doubling leaves as it is.

    Tails need many digits, and there a 0 found with few of them (tanh(90) is 1) says nothing.
    """
    previous = mpmath.inf
    for precision in (300, 600, 1200, 2400, 4800):
        with mpmath.workprec(precision):
            value = _difference(record, tuple(mpmath.mpf(x) for x in point), orders)
            if value == 0 and precision == 4800:
                return value
            if value != 0 and abs(value - previous) <= 1e-25 * abs(value) + 1e-300:
                return value
            previous = value
    raise AssertionError(f"no derivative {orders} of {record.name} at {point}")


@functools.cache
def truths(record: Elementwise) -> tuple[Truth, ...]:
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    columns = [_samples(interval, rng) for interval in record.domain]
    unit = np.eye(record.arity, dtype=int)
    found = []
    for point in zip(*(column.tolist() for column in columns), strict=True):

        def derivative(orders: Any, point: tuple[float, ...] = point) -> Any:
            return _derivative(record, point, tuple(int(n) for n in orders))

        found.append(
            Truth(
                point,
                derivative(0 * unit[0]),
                tuple(derivative(row) for row in unit),
                tuple(tuple(derivative(a + b) for b in unit) for a in unit),
            )
        )
    return tuple(found)


def _columns(record: Elementwise) -> tuple[np.ndarray, ...]:
    return tuple(np.array([truth.point for truth in truths(record)]).T)


def _assert_close(found: Any, wanted: list[Any], scale: list[float], tolerance: float) -> None:
    found = np.broadcast_to(found, len(wanted))
    for index, (value, truth, size) in enumerate(zip(found, wanted, scale, strict=True)):
        if max(abs(truth), size) > LARGEST:
            continue
        error = float(abs(mpmath.mpf(float(value)) - truth))
        assert error <= tolerance * size + SMALLEST, (index, float(value), float(truth), error)


def _value_scale(record: Elementwise) -> list[float]:
    return [float(abs(t.value)) + t.input_error() for t in truths(record)]


@pytest.mark.parametrize("record", RECORDS)
def test_reference_has_the_precise_value(record: Elementwise) -> None:
    with np.errstate(all="ignore"):
        found = record.reference(*_columns(record))
    _assert_close(found, [t.value for t in truths(record)], _value_scale(record), 8 * EPSILON)


@pytest.mark.parametrize("record", ANALYTIC)
def test_complex_step_of_reference_gives_the_derivative(record: Elementwise) -> None:
    for position, interval in enumerate(record.domain):
        if _is_integer_argument(interval):
            continue
        for step in (1e-30, 1e-100):
            arguments = list(_columns(record))
            arguments[position] = arguments[position] + 1j * step
            with np.errstate(all="ignore"):
                found = np.imag(record.reference(*arguments)) / step
            wanted = [t.gradient[position] for t in truths(record)]
            scale = [t.gradient_scale(position) for t in truths(record)]
            # An imaginary part too small for a double says nothing.
            kept = [i for i, size in enumerate(scale) if size * step > SMALLEST]
            scale = _with_slack(record, position, scale)
            _assert_close(
                np.broadcast_to(found, len(wanted))[kept],
                [wanted[i] for i in kept],
                [scale[i] for i in kept],
                16 * EPSILON,
            )


def _with_slack(record: Elementwise, position: int, scale: list[float]) -> list[float]:
    if record.name not in SCALED:
        return scale
    pairs = zip(scale, truths(record), strict=True)
    return [s + float(abs(t.value / t.point[position])) for s, t in pairs]


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("expand", [False, True], ids=["whole", "expanded"])
def test_partials_are_the_derivatives(record: Elementwise, expand: bool) -> None:
    values = _bindings(record, _columns(record))
    for position, partial in enumerate(record.partials(*_symbols(record))):
        wanted = [t.gradient[position] for t in truths(record)]
        scale = [t.gradient_scale(position) for t in truths(record)]
        found = evaluate(partial, values, expand=expand)
        _assert_close(found, wanted, _with_slack(record, position, scale), 24 * EPSILON)


def _second_scale(record: Elementwise, i: int, j: int) -> list[float]:
    """|f''|, what input errors do to it, and |f'| max(1, 1/x): f'' may vanish between terms."""
    scales = []
    for truth in truths(record):
        x = truth.point[j]
        orders = np.eye(record.arity, dtype=int)[i] + 2 * np.eye(record.arity, dtype=int)[j]
        moved = x * _derivative(record, truth.point, tuple(int(n) for n in orders))
        scale = abs(truth.hessian[i][j]) + abs(moved)
        scale += abs(truth.gradient[i]) * max(1, abs(1 / x))
        if record.name in SCALED:
            scale += abs(truth.value / (truth.point[i] * x))
        scales.append(float(scale))
    return scales


@pytest.mark.parametrize("record", RECORDS)
def test_second_derivatives(record: Elementwise) -> None:
    values = _bindings(record, _columns(record))
    symbols = _symbols(record)
    for i, partial in enumerate(record.partials(*symbols)):
        for j, symbol in enumerate(symbols):
            if not symbol.is_Symbol or partial == 0:
                continue
            wanted = [t.hessian[i][j] for t in truths(record)]
            found = evaluate(partial.diff(symbol), values)
            _assert_close(found, wanted, _second_scale(record, i, j), 32 * EPSILON)


@pytest.mark.parametrize("record", ANALYTIC)
def test_third_derivatives_are_obtainable(record: Elementwise) -> None:
    """The trees, in mpmath arithmetic, agree with differences; constants have double precision."""
    symbols = _symbols(record)
    position = next(i for i, symbol in enumerate(symbols) if symbol.is_Symbol)
    orders = tuple(3 * (i == position) for i in range(record.arity))
    expression = record.partials(*symbols)[position]
    expression = expression.diff(symbols[position]).diff(symbols[position])
    for truth in truths(record)[:6]:
        wanted = _derivative(record, truth.point, orders)
        with mpmath.workprec(1600):
            point = tuple(mpmath.mpf(x) for x in truth.point)
            found = evaluate_precisely(expression, _bindings(record, point))
            distance = max(1, 1 / abs(point[position]))
            scale = abs(wanted) + distance * abs(truth.hessian[position][position])
            scale += distance**2 * abs(truth.gradient[position])
            assert abs(found - wanted) <= 16 * EPSILON * scale + SMALLEST, truth.point


# Lowerings whose error is a few ulp of the inputs rather than of the result: exponentials and
# tails of a rounded square, and functions with zeros that are sums of terms of both signs.
CONDITIONED = frozenset(
    [
        "gaussian",
        "normal_density",
        "normal_distribution",
        "gelu",
        "normal_logpdf",
        "digamma",
        "polygamma",
        "sinc_derivative",
        "rotation_cosine",
        "rotation_sine",
        "rotation_rest",
    ]
)


@pytest.mark.parametrize("record", EXPANDED)
def test_expansion_has_the_precise_value(record: Elementwise) -> None:
    expression = record(*_symbols(record))
    found = evaluate(expression, _bindings(record, _columns(record)), expand=True)
    scale = (
        _value_scale(record)
        if record.name in CONDITIONED
        else [float(abs(t.value)) for t in truths(record)]
    )
    _assert_close(found, [t.value for t in truths(record)], scale, 8 * EPSILON)


@pytest.mark.parametrize("record", EXPANDED)
def test_expansion_spreads_nan(record: Elementwise) -> None:
    for position, symbol in enumerate(_symbols(record)):
        if symbol.is_Symbol:
            point = [0.5] * record.arity
            point[position] = np.nan
            found = evaluate(record(*_symbols(record)), _bindings(record, point), expand=True)
            assert np.isnan(found), symbol


@pytest.mark.parametrize("record", FINITE)
def test_finite_records_are_finite_everywhere(record: Elementwise) -> None:
    extremes = [0.0, -0.0, 5e-324, -1e-300, 1e-5, 1.0, -1.0, 745.0, -1e5, 1e300, -1.7e308]
    grid = np.meshgrid(*[extremes] * record.arity, indexing="ij")
    values = _bindings(record, [axis.ravel() for axis in grid])
    symbols = _symbols(record)
    for expression in (record(*symbols), *record.partials(*symbols)):
        for expand in (False, True):
            assert np.all(np.isfinite(evaluate(expression, values, expand=expand))), expression


@pytest.mark.parametrize("record", RECORDS)
def test_records_describe_themselves(record: Elementwise) -> None:
    assert record.summary and record.precise is not None
    assert len(record.partials(*_symbols(record))) == record.arity
    assert not record.arguments or len(record.arguments) == record.arity
    if record.constant:
        assert set(record.partials(*_symbols(record))) == {sympy.S.Zero}
