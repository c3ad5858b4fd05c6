"""The NumPy evaluator: every reduction in real, complex and dual arithmetic, at the edges too."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from symopt.primitives import operators
from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.evaluate import Values, evaluate, points
from symopt.statements.program import Program, Role, Winner, count_of
from symopt.statements.verify import verify
from symopt.types import Entry, Range, atom, index
from tests.support.hand_built import assign, loop, place, program, read, same, tensor

REDUCTIONS = ("sum", "prod", "max", "min", "logsumexp")
INF, NAN = np.inf, np.nan
STEP = 1e-40
I, J = loop("i", "n"), loop("j", "d")  # noqa: E741 (as in the mathematics)
X = tensor("x", "n", role=Role.DATA)


def reducing(reduction: str) -> Program:
    """`s ⊕= x[i]`."""
    winner = Winner("s.winner", index("i")) if reduction in ("max", "min") else None
    statement = assign(read("s"), (I,), reduction, same, read("x", "i"), winner=winner)
    return verify(program(X, tensor("s"), tensor("s.winner"), statement, outputs=("s",)))


def reduce(reduction: str, x, tangent=None) -> Values:
    x = np.asarray(x)
    tangents = None if tangent is None else {"x": tangent}
    return evaluate(reducing(reduction), {"n": len(x)}, {"x": x}, tangents)


def value(reduction: str, x):
    return reduce(reduction, x).tensors["s"][()]


CASES = {
    "plain": [0.3, -2.0, 1.5, 0.7],
    "one": [-3.0],
    "empty": [],
    "ties": [1.0, 2.0, 2.0, -1.0, -1.0],
    "zeros": [0.0, 2.0, 0.0, -0.0],
    "infinite": [1.0, -INF, 2.0],
    "both infinite": [INF, -INF],
    "huge": [1e300, 800.0, -1e300],
    "nothing but -inf": [-INF, -INF],
    "nan": [1.0, NAN, 3.0],
}
NUMPY = {
    "sum": np.sum,
    "prod": np.prod,
    "max": lambda x: np.max(x, initial=-INF),
    "min": lambda x: np.min(x, initial=INF),
    "logsumexp": lambda x: np.logaddexp.reduce(x, initial=-INF),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_values_are_those_of_numpy(reduction: str, case: str) -> None:
    x = np.array(CASES[case])
    with np.errstate(all="ignore"):
        wanted = NUMPY[reduction](x)
    np.testing.assert_allclose(value(reduction, x), wanted, rtol=1e-15, atol=0)
    # Complex arithmetic has the same real part: nothing imaginary may leak into it.
    found = value(reduction, x.astype(complex))
    np.testing.assert_allclose(np.real(found), wanted, rtol=1e-15, atol=0)


SLOPES = {
    "sum": lambda x: np.ones(len(x)),
    "prod": lambda x: np.array([np.prod(np.delete(x, k)) for k in range(len(x))]),
    "max": lambda x: np.eye(len(x))[np.argmax(x)],
    "min": lambda x: np.eye(len(x))[np.argmin(x)],
    "logsumexp": lambda x: np.exp(x - np.logaddexp.reduce(x)),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", ["plain", "one", "ties", "zeros", "infinite"])
def test_derivatives_in_complex_and_dual_arithmetic(reduction: str, case: str) -> None:
    x = np.array(CASES[case])
    with np.errstate(all="ignore"):
        wanted = SLOPES[reduction](x)
    for k, slope in enumerate(wanted):
        unit = np.eye(len(x))[k]
        dual = reduce(reduction, x, unit).tangents["s"][()]
        stepped = np.imag(value(reduction, x + 1j * STEP * unit)) / STEP
        np.testing.assert_allclose(dual, slope, rtol=1e-15)
        if np.isfinite(x).all():
            np.testing.assert_allclose(stepped, slope, rtol=1e-15)


def test_empty_reductions_have_no_derivative_and_no_winner() -> None:
    for reduction in REDUCTIONS:
        found = reduce(reduction, np.zeros(0), np.zeros(0))
        assert found.tangents["s"] == 0
        if reduction in ("max", "min"):
            assert found.tensors["s.winner"] == -1


@pytest.mark.parametrize(
    ("reduction", "x", "winner"),
    [
        ("max", [1.0, 3.0, 3.0], 1),
        ("min", [2.0, 1.0, 1.0], 1),
        ("max", [1.0, NAN, INF, NAN], 1),  # the first nan wins, and stays
        ("min", [NAN, -INF], 0),
        ("max", [-INF, -INF], -1),  # nothing is greater than the start
        ("max", [-0.0, 0.0], 0),
    ],
)
def test_the_first_winner_is_kept(reduction: str, x: list[float], winner: int) -> None:
    assert reduce(reduction, x).tensors["s.winner"] == winner


def test_logsumexp_of_log_of_zero_has_a_finite_tangent() -> None:
    log = PRIMITIVES["log"]
    statement = assign(read("s"), (I,), "logsumexp", log, read("x", "i"))
    found = evaluate(
        program(X, tensor("s"), statement), {"n": 3}, {"x": [0.0, 1.0, 3.0]}, {"x": np.ones(3)}
    )
    assert found.tensors["s"] == pytest.approx(np.log(4), rel=1e-15)
    assert found.tangents["s"] == pytest.approx(0.5, rel=1e-15)  # of the two present terms


def test_a_sum_collects_its_statements_and_scatters() -> None:
    cam = tensor("cam", "m", role=Role.INDICES)
    entry = atom(Entry("cam", (index("i"),)))
    k = loop("i", "m")
    v = tensor("v", "m", role=Role.DATA)
    parts = (
        assign(read("g", entry), (k,), "sum", same, read("v", "i")),
        assign(read("g", 0), (k,), "sum", lambda x: x * x, read("v", "i")),
    )
    values = {"cam": np.array([2, 0, 2]), "v": np.array([1.0, 2.0, 4.0])}
    whole = verify(program(cam, v, tensor("g", 3), *parts))
    assert evaluate(whole, {"m": 3}, values).tensors["g"].tolist() == [2.0 + 21.0, 0.0, 5.0]


def test_elements_that_no_point_reaches_have_the_identity() -> None:
    x = np.array([5.0, 6.0])
    for reduction, identity in (("=", 0.0), ("prod", 1.0), ("logsumexp", -INF)):
        statement = assign(read("t", "i"), (I,), reduction, same, read("x", "i"))
        found = evaluate(program(X, tensor("t", 4), statement), {"n": 2}, {"x": x}).tensors["t"]
        assert found.tolist() == [5.0, 6.0, identity, identity]


def test_outputs_that_nothing_writes_are_zero() -> None:
    found = evaluate(program(X, tensor("t", "n", 2), outputs=("t",)), {"n": 3}, {})
    assert found.tensors["t"].tolist() == [[0.0, 0.0]] * 3


def test_points_of_ragged_and_dependent_ranges() -> None:
    i, j = Range("i", place(0), place(3)), Range("j", index("i"), place(3))
    found, total = points((i, j), {}, {})
    assert total == 6
    assert list(zip(found["i"].tolist(), found["j"].tolist(), strict=True)) == [
        (a, b) for a in range(3) for b in range(a, 3)
    ]
    off = {"off": np.array([0, 2, 2, 5])}
    lower, upper = (atom(Entry("off", (index("i") + k,))) for k in (0, 1))
    found, total = points((i, Range("j", lower, upper)), {}, off)
    assert found["i"].tolist() == [0, 0, 2, 2, 2]
    assert found["j"].tolist() == [0, 1, 2, 3, 4]
    backwards = Range("j", place(3), index("i"))
    assert points((i, backwards), {}, {})[1] == 0


def test_integers_as_numbers() -> None:
    count = count_of(index("i") * 2 + 1)
    statement = assign(read("t", "i"), (I,), "=", same, count)
    found = evaluate(program(tensor("t", "n"), statement), {"n": 3}, {})
    assert found.tensors["t"].tolist() == [1.0, 3.0, 5.0]


A, B = (sympy.Symbol(name, real=True) for name in "ab")
EXP, LOG, SQRT = (PRIMITIVES[name] for name in ("exp", "log", "sqrt"))
EXPRESSIONS = {
    "sum": A + B,
    "difference": A - B,
    "product": A * B * Constant(-0.5),
    "square": A**2 * B**3,
    "quotient": operators.divide(A, B),
    "power": operators.power(B, A),
    "integer power": operators.power_by_integer(A, -3),
    "composed": EXP(SQRT(B) * LOG(B + Constant(2.0))) * A,
    "select": operators.select(operators.less(A, B), A * B, EXP(A)),
    "strong product": operators.smul(A - B, LOG(B)),
    "extrema": operators.maximum(A, B) * operators.minimum(A, Constant(0.1)),
    "shared": EXP(A * B) + EXP(A * B) ** 2,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_dual_numbers_agree_with_the_complex_step(name: str, rng: np.random.Generator) -> None:
    a, b = rng.normal(size=20), rng.uniform(0.2, 3.0, 20)
    da, db = rng.normal(size=(2, 20))
    given = (tensor("a", 20, role=Role.DATA), tensor("b", 20, role=Role.DATA))
    k = loop("i", 20)

    def build(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
        return EXPRESSIONS[name].xreplace({A: x, B: y})

    whole = verify(
        program(
            *given,
            tensor("t", 20),
            assign(read("t", "i"), (k,), "=", build, read("a", "i"), read("b", "i")),
        )
    )
    dual = evaluate(whole, {}, {"a": a, "b": b}, {"a": da, "b": db})
    stepped = evaluate(whole, {}, {"a": a + 1j * STEP * da, "b": b + 1j * STEP * db})
    real = evaluate(whole, {}, {"a": a, "b": b})
    assert np.array_equal(real.tensors["t"], dual.tensors["t"])
    np.testing.assert_allclose(np.real(stepped.tensors["t"]), real.tensors["t"], rtol=1e-14)
    np.testing.assert_allclose(
        dual.tangents["t"], np.imag(stepped.tensors["t"]) / STEP, rtol=1e-12, atol=1e-14
    )


def test_branches_not_taken_do_not_poison_complex_or_dual_values() -> None:
    p = tensor("p", role=Role.PARAM)
    root = assign(read("r"), (), "=", SQRT, read("p"))

    def chosen(x: sympy.Expr, r: sympy.Expr) -> sympy.Expr:
        return operators.select(operators.greater(x, operators.ZERO), r, operators.ZERO)

    use = assign(read("s"), (), "=", chosen, read("p"), read("r"))
    whole = verify(program(p, tensor("r"), tensor("s"), root, use))
    dual = evaluate(whole, {}, {"p": 0.0}, {"p": 1.0})
    assert np.isinf(dual.tangents["r"])
    assert dual.tangents["s"] == 0
    assert evaluate(whole, {}, {"p": np.array(1j * STEP)}).tensors["s"] == 0


def test_products_with_infinite_parts_stay_real() -> None:
    """inf times a complex number without imaginary part is inf, not inf + nan i."""
    x = np.array([INF, 2.0 + 0j])
    assert value("prod", x) == INF
    whole = program(X, tensor("s"), assign(read("s"), (I,), "sum", lambda a: a * a, read("x", "i")))
    found = evaluate(whole, {"n": 2}, {"x": x}).tensors["s"][()]
    assert (found.real, found.imag) == (INF, 0.0)
