"""The elementary functions in IR: against mpmath, at special values, and the same in every lane."""

from __future__ import annotations

import ctypes
import re
from functools import cache

import mpmath
import numpy as np
import pytest

from symopt.loops.options import Options
from symopt.model import Model
from symopt.native.emit import attribute_groups
from symopt.native.jit import Library, compile_ir
from symopt.native.maths import FUNCTIONS, Cpu, Maths
from symopt.native.targets import host
from symopt.native.text import FunctionText, Value
from symopt.source import Source

WIDTHS = (1, 4, 8)
HOST = host()
CPUS = tuple({HOST, Cpu(), Cpu(fma=False)})
COUNT = 1500


@cache
def compiled(name: str, lanes: int, cpu: Cpu) -> Library:
    """A function from one array to another."""
    text = FunctionText(lanes)
    with text.loop(Value("0", "i64"), Value("%count", "i64"), lanes) as place:
        x = text.load(text.element("%x", place), "double", True)
        text.store(FUNCTIONS[name](Maths(text, cpu), x), text.element("%y", place))
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


def apply(name: str, x: np.ndarray, lanes: int = 8, cpu: Cpu = HOST) -> np.ndarray:
    padded = np.concatenate([x, np.zeros(-len(x) % max(WIDTHS))])
    result = np.empty_like(padded)
    table = np.array([padded.ctypes.data, result.ctypes.data, len(padded)], dtype=np.int64)
    compiled(name, lanes, cpu).entry(ctypes.c_void_p(table.ctypes.data))
    return result[: len(x)]


def spread(low: float, high: float):
    return lambda rng: rng.uniform(low, high, COUNT)


def magnitudes(low: float, high: float, sign: float = 1.0, around: float = 0.0):
    return lambda rng: around + sign * 10.0 ** rng.uniform(low, high, COUNT)


def near_quarter_turns(rng) -> np.ndarray:
    """The doubles nearest to multiples of π/2: where reductions of the argument cancel."""
    with mpmath.workprec(200):
        return np.array([float(k * mpmath.pi / 2) for k in rng.integers(1, 10**6, COUNT).tolist()])


# Per function: where it is sampled, its meaning, how many units in the last place it may be off.
CASES = {
    "llvm.exp": ((spread(-745, 709.7), spread(-1, 1), magnitudes(-20, 0)), mpmath.exp, 2),
    "llvm.exp2": ((spread(-1074, 1023.9), spread(-1, 1)), lambda x: mpmath.power(2, x), 4),
    "expm1": (
        (spread(-40, 709), spread(-1, 1), magnitudes(-300, 0), magnitudes(-20, 0, -1)),
        mpmath.expm1,
        4,
    ),
    "llvm.tanh": ((spread(-20, 20), spread(-1, 1), magnitudes(-300, 0)), mpmath.tanh, 4),
    "llvm.log": (
        (
            magnitudes(-323, 308),
            spread(0.5, 2),
            magnitudes(-16, -1, 1, 1),
            magnitudes(-16, -1, -1, 1),
        ),
        mpmath.log,
        2,
    ),
    "llvm.log2": (
        (magnitudes(-323, 308), spread(0.5, 2), magnitudes(-16, -1, 1, 1)),
        lambda x: mpmath.log(x) / mpmath.log(2),
        4,
    ),
    "llvm.log10": (
        (magnitudes(-323, 308), spread(0.5, 2), magnitudes(-16, -1, 1, 1)),
        mpmath.log10,
        4,
    ),
    "log1p": (
        (magnitudes(-300, 300), magnitudes(-300, -0.001, -1), spread(-0.9, 3)),
        mpmath.log1p,
        4,
    ),
    "llvm.sin": (
        (spread(-10, 10), spread(-1e6, 1e6), near_quarter_turns, magnitudes(-300, 0)),
        mpmath.sin,
        2,
    ),
    "llvm.cos": (
        (spread(-10, 10), spread(-1e6, 1e6), near_quarter_turns, magnitudes(-300, 0)),
        mpmath.cos,
        2,
    ),
}
NUMPY = {
    "llvm.exp": np.exp,
    "llvm.exp2": np.exp2,
    "expm1": np.expm1,
    "llvm.tanh": np.tanh,
    "llvm.log": np.log,
    "llvm.log2": np.log2,
    "llvm.log10": np.log10,
    "log1p": np.log1p,
    "llvm.sin": np.sin,
    "llvm.cos": np.cos,
}


def worst_error(x: np.ndarray, found: np.ndarray, meaning) -> float:
    """The largest error in units in the last place of the true value."""
    worst = 0.0
    with mpmath.workprec(200):
        for argument, value in zip(x.tolist(), found.tolist(), strict=True):
            true = meaning(mpmath.mpf(argument))
            unit = float(np.spacing(abs(float(true))))
            worst = max(worst, float(abs(mpmath.mpf(value) - true) / unit))
    return worst


def test_every_function_is_tested():
    assert CASES.keys() == NUMPY.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", CASES)
def test_errors(name, cpu, rng):
    samples, meaning, bound = CASES[name]
    for sample in samples:
        x = sample(rng)
        assert worst_error(x, apply(name, x, cpu=cpu), meaning) <= bound


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", CASES)
def test_same_bits_for_every_width(name, cpu, rng):
    for sample in CASES[name][0]:
        x = sample(rng)
        bits = [apply(name, x, lanes, cpu).view(np.int64) for lanes in WIDTHS]
        np.testing.assert_array_equal(bits[0], bits[1])
        np.testing.assert_array_equal(bits[0], bits[2])


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("name", CASES)
def test_special_values(name, lanes):
    inf = np.inf
    edges = [709.782712893384, 710.0, -746.0, 800.0, -800.0, 1e308, -1e308]
    x = np.array([0.0, -0.0, inf, -inf, np.nan, 1.0, -1.0, 5e-324, -5e-324, 1e-310, *edges])
    with np.errstate(all="ignore"):
        expected = NUMPY[name](x)
    found = apply(name, x, lanes)
    # 4 ulp, as everywhere; zeros with their sign, infinities and nans where NumPy has them.
    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=0)
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))


@pytest.mark.parametrize("lanes", [1, 8])
def test_many_functions_become_calls_of_one(lanes):
    """Code stays small in a long chain, and the value is what it would be inline."""
    count = 120
    chain = "".join(f"a{k}[i] = sin(a{k - 1}[i]) + 0.5\n" for k in range(1, count))
    text = f"data x[n]\nparam s init 1\na0[i] = s * x[i]\n{chain}minimize sum(a{count - 1})"
    model = Model(Source("chain.sym", text), Options(lanes=lanes))
    ir = model.compiled("value_and_grad").ir
    names = set(re.findall(r"define internal .* @(own_\w+)\(", ir))
    assert names == {f"own_sin_{lanes}", f"own_cos_{lanes}"}
    x = np.linspace(-2, 2, 11)
    value, slope = 0.7 * x, x
    for _ in range(1, count):
        value, slope = np.sin(value) + 0.5, np.cos(value) * slope
    found, gradient = model.bind(x=x).value_and_grad([0.7])
    assert found == pytest.approx(value.sum(), rel=1e-13)
    assert gradient[0] == pytest.approx(slope.sum(), rel=1e-12, abs=1e-300)
