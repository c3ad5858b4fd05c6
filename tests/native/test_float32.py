"""Functions and kernels of floats: against mpmath, against doubles, and beside guard pages."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest

from symopt.native.emit import attribute_groups
from symopt.native.jit import Library, compile_ir
from symopt.native.maths import FUNCTIONS, IN_SINGLE, Cpu, elementary
from symopt.native.targets import host
from symopt.native.text import FunctionText, Value
from symopt.primitives.record import Elementwise
from symopt.primitives.registry import PRIMITIVES
from tests.support.guarded import run_guarded
from tests.support.kernels import arguments_of, map_samples, points_of

LANES = 16
HOST = host()
CPUS = tuple({HOST, Cpu(), Cpu(fma=False)})
PRECISE = {
    "llvm.exp": mpmath.exp,
    "llvm.exp2": lambda x: mpmath.power(2, x),
    "expm1": mpmath.expm1,
    "llvm.tanh": mpmath.tanh,
    "llvm.log": mpmath.log,
    "llvm.log2": lambda x: mpmath.log(x, 2),
    "llvm.log10": mpmath.log10,
    "log1p": mpmath.log1p,
    "llvm.sin": mpmath.sin,
    "llvm.cos": mpmath.cos,
}
ULP = 2.0**-24  # of 1, to one side
OWN_CODE = 1.6  # units in the last place; the worst of all floats is 1.51, of expm1
BY_DOUBLES = 0.51  # two roundings


@cache
def compiled(name: str, cpu: Cpu) -> Library:
    """A function from one array of floats to another."""
    text = FunctionText(LANES, single=True)
    with text.loop(Value("0", "i64"), Value("%count", "i64"), LANES) as place:
        x = text.load(text.element("%x", place, kind="float"), "float", True)
        text.store(elementary(name, text, cpu, x), text.element("%y", place, kind="float"))
    lines = [
        *text.declarations.values(),
        "define void @apply(ptr %table) #0 {",
        "entry:",
        "  %x = load ptr, ptr %table",
        "  %second = getelementptr i64, ptr %table, i64 1",
        "  %y = load ptr, ptr %second",
        "  %third = getelementptr i64, ptr %table, i64 2",
        "  %count = load i64, ptr %third",
        *text.head,
        *text.lines,
        "  ret void",
        "}",
        attribute_groups(),
    ]
    return compile_ir("\n".join(lines), "apply")


def apply(name: str, x: np.ndarray, cpu: Cpu) -> np.ndarray:
    padded = np.concatenate([x, np.zeros(-len(x) % LANES, np.float32)])
    result = np.empty_like(padded)
    table = np.array([padded.ctypes.data, result.ctypes.data, len(padded)], dtype=np.int64)
    compiled(name, cpu).entry(ctypes.c_void_p(table.ctypes.data))
    return result[: len(x)]


def everywhere(rng: np.random.Generator, count: int) -> np.ndarray:
    """Floats of every exponent and sign, subnormal ones, infinities and nans among them."""
    bits = rng.integers(0, 2**32, count, dtype=np.uint64).astype(np.uint32)
    special = [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 1.17549435e-38, np.inf, -np.inf, np.nan]
    special += [88.72283, 88.7229, -103.97, -103.98, 0.625, -0.625, 3.4028235e38, -1.0000001]
    return np.concatenate([bits.view(np.float32), np.array(special, np.float32)])


def assert_near(found: np.ndarray, x: np.ndarray, name: str, ulps: float) -> None:
    """Each result within so many units in the last place; what is not finite the same."""
    for here, at in zip(found.tolist(), x.tolist(), strict=True):
        wanted = _precise(name, at)
        if mpmath.isnan(wanted):
            assert np.isnan(here), f"{name}({at}) = {here}"
            continue
        nearest = np.float32(float(wanted))
        if not np.isfinite(nearest) or not np.isfinite(here):
            assert here == nearest, f"{name}({at}) = {here}"
            continue
        unit = max(abs(float(np.spacing(nearest))), 2.0**-149)
        error = float(abs(mpmath.mpf(here) - wanted)) / unit
        assert error <= ulps, f"{name}({at}) = {here}, off by {error:.2f} ulp"
        if here == 0 == at:
            assert np.signbit(here) == np.signbit(nearest), f"the sign of {name}({at})"


def _precise(name: str, at: float) -> Any:
    """The value with mpmath; infinite and nan as NumPy says."""
    standard = getattr(np, name.removeprefix("llvm."))
    with np.errstate(all="ignore"):
        plain = float(standard(np.float64(at)))
    if at == 0 or not np.isfinite(at) or not np.isfinite(plain):
        return plain
    with mpmath.workprec(200):
        return PRECISE[name](mpmath.mpf(at))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("cpu", CPUS, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_near(name: str, cpu: Cpu, rng: np.random.Generator) -> None:
    ordinary = rng.normal(0, 4, 400).astype(np.float32)
    x = np.concatenate([everywhere(rng, 1200), ordinary])
    limit = OWN_CODE if name in IN_SINGLE else BY_DOUBLES
    assert_near(apply(name, x, cpu), x, name, limit)


@pytest.mark.parametrize("cpu", CPUS, ids=str)
@pytest.mark.parametrize("name", IN_SINGLE)
def test_millions_of_floats(name: str, cpu: Cpu) -> None:
    """NumPy in double precision, whose errors are 1e-9 of a float's, instead of mpmath."""
    x = np.arange(0, 2**32, 4093, dtype=np.uint64).astype(np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        found = apply(name, x, cpu).astype(float)
        wanted = getattr(np, name.removeprefix("llvm."))(x.astype(float))
        nearest = wanted.astype(np.float32)
        finite = np.isfinite(nearest)
        units = np.spacing(np.abs(nearest[finite])).astype(float)
    assert np.array_equal(np.isfinite(found), finite)
    assert (np.abs(found[finite] - wanted[finite]) / units).max() <= OWN_CODE


RANGE = 1e30  # of floats, less some room for products
# A few roundings of floats each, relative to value and condition; the worst found is 2.7.
ROUNDINGS = 8


def _drawn(interval: tuple[float, float], rng: np.random.Generator, count: int) -> np.ndarray:
    """Numbers in an interval, small and large, that are floats."""
    low, high = interval
    if low == high:
        return np.full(count, low)
    low, high = max(low, -RANGE), min(high, RANGE)
    even = rng.uniform(low, high, count)
    scales = rng.choice([-1, 1], count) * 10.0 ** rng.uniform(-6, 3, count)
    mixed = np.where((scales > low) & (scales < high), scales, even)
    return np.where(rng.random(count) < 0.5, even, mixed).astype(np.float32).astype(float)


@pytest.mark.parametrize("record", PRIMITIVES.values(), ids=lambda record: record.name)
def test_primitives(record: Elementwise, rng: np.random.Generator) -> None:
    """Each in lanes of floats against its reference in doubles, hypot(1e30, 1e30) among them."""
    columns = [_drawn(interval, rng, 160) for interval in record.domain]
    arguments, reads = arguments_of(record)
    data = {name: x.astype(np.float32) for name, x in points_of(record, columns).items()}
    found = map_samples(record(*arguments), reads, data, LANES, single=True)
    assert found.dtype == np.float32
    with np.errstate(all="ignore"):
        wanted = np.asarray(record.reference(*columns), float)
        scale = np.abs(wanted)
        for k in range(len(columns)):
            moved = [x * (1 + 1e-6) if j == k else x for j, x in enumerate(columns)]
            change = np.abs(np.asarray(record.reference(*moved), float) - wanted) / 1e-6
            scale = scale + np.where(np.isfinite(change), change, 0.0)
    # Beyond these, a float overflows or has lost digits.
    kept = (np.abs(wanted) < 1e37) & (np.abs(wanted) > 1e-36) & (scale < 1e37)
    error = np.abs(found[kept] - wanted[kept]) / (scale[kept] * ULP)
    assert error.max(initial=0.0) <= ROUNDINGS


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects pages of memory")
def test_nothing_is_touched_beyond_arrays_of_floats() -> None:
    """Of an odd number of floats, too: nothing reads eight bytes where there are four."""
    assert run_guarded([3, 9], lanes=8, dtype="float32") == ""
