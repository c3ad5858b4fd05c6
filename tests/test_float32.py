"""Problems in float32, against the same data and point in float64 or against values by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import symopt
from symopt.diagnostics import SymoptError
from symopt.model import Model
from symopt.problem import Problem
from tests.programs.references import CASES
from tests.support.agreement import model_of
from tests.support.random_programs import Example, examples

GOOD = sorted((Path(__file__).parent / "programs" / "good").glob("*.sym"))
# A few roundings, 6e-8 each, of terms no larger than the results, which are of order 1 to 100; the
# worst found is 6e-7.
TOLERANCE = 4e-6

LOGISTIC = """\
data X[n, d], y[n], ridge = 1e-3
param w[d] init 0.1, b init 0
model z = X @ w + b
minimize mean(softplus(z) - y*z) + ridge/2 * sumsq(w)
"""


def rounded(data: dict[str, Any]) -> dict[str, Any]:
    """Data whose numbers are floats, as doubles."""
    arrays = {name: np.asarray(value) for name, value in data.items()}
    return {
        name: a.astype(np.float32).astype(float) if a.dtype.kind == "f" else a
        for name, a in arrays.items()
    }


def both(model: Model, data: dict[str, Any], **sizes: int) -> tuple[Problem, Problem]:
    """The problem in float32 and in float64."""
    data = rounded(data)
    return model.bind(data, dtype="float32", **sizes), model.bind(data, **sizes)


def assert_near(found: Any, wanted: Any, what: str, tolerance: float = TOLERANCE) -> None:
    """The same, relative to the greatest; not finite in the same places."""
    found, wanted = np.ravel(found).astype(float), np.ravel(wanted)
    finite = np.isfinite(wanted)
    assert np.array_equal(np.isfinite(found), finite), what
    scale = max(1.0, np.abs(wanted[finite]).max(initial=0.0))
    error = np.abs(found[finite] - wanted[finite]).max(initial=0.0) / scale
    assert error <= tolerance, f"{what}: off by {error:.1e}"


@pytest.fixture
def logistic(rng: np.random.Generator) -> tuple[Problem, Problem]:
    X = rng.normal(size=(1003, 7))
    return both(symopt.parse(LOGISTIC), {"X": X, "y": (X[:, 0] > 0.3) * 1.0})


# ── values and derivatives ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_programs(path: Path, rng: np.random.Generator) -> None:
    single, double = both(symopt.load(path), CASES[path.stem].data(rng))
    p = (double.x0 + 0.1 * rng.standard_normal(double.n)).astype(np.float32)
    value, gradient = single.value_and_grad(p)
    assert type(value) is float and gradient.dtype == np.float32
    wanted, slope = double.value_and_grad(p)
    assert_near(value, wanted, "value")
    assert_near(gradient, slope, "gradient")


@pytest.mark.parametrize("name", ["gather", "several_states", "residuals"])
def test_second_derivatives_of_programs(name: str, rng: np.random.Generator) -> None:
    """Of some with indices, steps and a cut."""
    path = next(path for path in GOOD if path.stem == name)
    single, double = both(symopt.load(path), CASES[name].data(rng))
    p = (double.x0 + 0.1 * rng.standard_normal(double.n)).astype(np.float32)
    v = rng.normal(size=double.n).astype(np.float32)
    assert_near(single.hess(p), double.hess(p), "hess")
    assert_near(single.hvp(p, v), double.hvp(p, v), "hvp")


@pytest.mark.parametrize("name", ["grad", "hess", "residuals", "jac", "fisher"])
def test_functions_of_a_point(name: str, logistic: tuple[Problem, Problem], rng) -> None:
    single, double = logistic
    p = rng.normal(size=single.n).astype(np.float32)
    found = getattr(single, name)(p)
    assert found.dtype == np.float32
    assert_near(found, getattr(double, name)(p), name)
    out = np.empty_like(found)
    assert getattr(single, name)(p, out=out) is out
    assert np.array_equal(out, found)
    assert np.array_equal(getattr(single, name)(p.tolist()), found)  # the long way round


@pytest.mark.parametrize("name", ["hvp", "gnvp", "jvp", "vjp"])
def test_products(name: str, logistic: tuple[Problem, Problem], rng) -> None:
    single, double = logistic
    p = rng.normal(size=single.n).astype(np.float32)
    rows = 1003 if name == "vjp" else single.n
    many = rng.normal(size=(rows, 11)).astype(np.float32)
    found = getattr(single, name)(p, many)
    assert found.dtype == np.float32
    assert_near(found, getattr(double, name)(p, many), name)
    one = getattr(single, name)(p, many[:, 3])
    assert one.dtype == np.float32
    # The code for many vectors adds in another order.
    assert_near(one, found[:, 3], name, 1e-6)


def test_sparse_matrices(logistic: tuple[Problem, Problem], rng) -> None:
    single, double = logistic
    p = rng.normal(size=single.n).astype(np.float32)
    for name in ("jac_sparse", "hess_sparse", "gauss_newton_sparse"):
        found = getattr(single, name)(p)
        assert found.dtype == np.float32
        assert_near(found.toarray(), getattr(double, name)(p).toarray(), name)
        assert getattr(single, name)(p, out=found) is found
        with pytest.raises(symopt.DataError, match="of float32 with shape"):
            getattr(single, name)(p, out=getattr(double, name)(p))
    residuals, matrix = single.residuals_and_jac(p, sparse=True)
    assert residuals.dtype == matrix.dtype == np.float32
    matrix, gradient = single.gauss_newton(p)
    assert_near(matrix, double.gauss_newton(p)[0], "gauss_newton")
    assert_near(gradient, double.grad(p), "its gradient")


def test_by_data_of_definitions_and_of_batches(logistic: tuple[Problem, Problem], rng) -> None:
    single, double = logistic
    p = rng.normal(size=single.n).astype(np.float32)
    by_data = single.grad(p, wrt=["X", "ridge"])
    assert_near(by_data, double.grad(p, wrt=["X", "ridge"]), "by data", 1e-6)
    assert_near(single.jac(p, of="z", wrt="w"), double.jac(p, of="z", wrt="w"), "of z")
    rows = rng.permutation(1003)[:77]
    small, wanted = single.batch(rows), double.batch(rows)
    assert small.dtype == np.float32
    assert_near(small.grad(p), wanted.grad(p), "of a batch")
    again = small.rebind(y=np.zeros(77))
    assert again.dtype == np.float32
    assert_near(again.value(p), wanted.rebind(y=np.zeros(77)).value(p), "of other data")
    points = rng.normal(size=(3, single.n))
    assert single.values(points).dtype == np.float32
    assert_near(single.values(points), double.values(points), "values")
    assert single.eval("z", p).dtype == np.float32


@settings(
    max_examples=12,
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    examples(),
    st.sampled_from([1, 8]),
    st.fixed_dictionaries(
        {
            "recompute": st.sampled_from([6, 0]),
            "written_out": st.sampled_from([512, 0]),
            "registers": st.sampled_from([24, 1]),
        }
    ),
)
def test_random_programs(example: Example, lanes: int, choices: dict[str, int]) -> None:
    try:
        model = model_of(example.text, lanes, **choices)
        single, double = both(model, example.data(), **example.sizes)
        p = example.point(double.n)[0].astype(np.float32)
        value, gradient = single.value_and_grad(p)
        assert_near(value, double.value(p), "value")
        assert_near(gradient, double.grad(p), "gradient")
        assert_near(single.hess(p), double.hess(p), "hess")
    except SymoptError as error:
        assert error.diagnostics, "an error without a diagnostic"


# ── sums and positions ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [10, 1000, 1_000_003])
def test_long_sums_keep_their_digits(n: int, rng: np.random.Generator) -> None:
    """Equal terms are the worst case of adding floats one after another: all errors have one sign.

    In a tile 32 of them are added as floats, off by at most 32·2^-24 in all and half of that on
    average; the rest is in doubles.
    """
    model = symopt.parse("data x[n]\nparam a init 1\nminimize sum(a * x)")
    for x in (np.full(n, 0.1), rng.random(n)):
        single, double = both(model, {"x": x})
        p = np.ones(1, np.float32)
        assert single.value(p) == pytest.approx(double.value(p), rel=1e-6)
        assert single.grad(p)[0] == pytest.approx(double.grad(p)[0], rel=1e-6)


def test_sums_by_group_keep_their_digits() -> None:
    """300,000 equal terms for each of three elements, at which floats would be off by percents."""
    model = symopt.parse(
        "data g[n] in k, y[n]\ndim k = 3\nparam m[k] init 0\n"
        "minimize sum((y[i] - m[g[i]])^2 for i)/n\n"
    )
    n = 900_000
    single, double = both(model, {"g": np.arange(n) % 3, "y": np.full(n, 0.1)})
    p = np.array([0.3, -0.2, 1.7], np.float32)
    np.testing.assert_allclose(single.grad(p), double.grad(p), rtol=1e-6)


def test_winners_beyond_24_bits_are_found() -> None:
    """As floats, 2^24 and 2^24 + 1 would be one position, and both would get the derivative."""
    x = np.zeros(2**24 + 3, np.float32)
    x[2**24], x[2**24 + 1] = 0.5, 1.0
    problem = symopt.parse("data x[n]\nparam a init 1\nminimize max(a * x)").bind(
        x=x, dtype="float32"
    )
    value, gradient = problem.value_and_grad([1.0])
    assert (value, *gradient) == (1.0, 1.0)


def test_integers_are_rounded_once() -> None:
    """An index, a size and a literal as numbers; comparisons of indices are exact."""
    model = symopt.parse(
        "data x[n]\nparam a init 1\n"
        "minimize sum(a * i * x[i] for i) + 16777217 * a + sum(x[i] for i if i < n - 1)"
    )
    problem = model.bind(x=np.ones(20), dtype="float32")
    assert problem.value([1.0]) == pytest.approx(190 + 16777217 + 19, rel=1.2e-7)


# ── what goes in and comes out ───────────────────────────────────────────────────────────────────


def test_everything_is_float32(logistic: tuple[Problem, Problem]) -> None:
    single, double = logistic
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    vectors = (single.x0, single.start(3), *single.bounds, single.pack({"b": 0.1}))
    assert {vector.dtype for vector in vectors} == {np.dtype(np.float32)}
    assert single.unpack(single.x0)["w"].dtype == np.float32
    assert single.unpack(single.pack({"b": 0.1}))["b"] == float(np.float32(0.1))


def test_floats_are_not_copied(rng: np.random.Generator) -> None:
    X = rng.normal(size=(30, 3)).astype(np.float32)
    problem = symopt.parse(LOGISTIC).bind(X=X, y=np.ones(30), dtype=np.float32)
    assert np.shares_memory(problem._bound.arrays["X"], X)


def test_large_whole_numbers_stay_indices() -> None:
    """Given as doubles, 2^24 + 1 is still no other index."""
    model = symopt.parse("data c[m] in n\ndim n\nparam a init 1\nminimize a * sum(c[i] for i)")
    problem = model.bind(c=np.array([2.0**24 + 1]), n=2**25, dtype="float32")
    assert problem._bound.arrays["c"][0] == 2**24 + 1


@pytest.mark.parametrize("dtype", ["float16", "longdouble", int, "reals", None, 32])
def test_other_precisions_are_refused(dtype: Any) -> None:
    model = symopt.parse("param a init 1\nminimize a^2")
    with pytest.raises(symopt.DataError, match="it can be 'float64' or 'float32'"):
        model.bind(dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "f4", np.float32, np.dtype("single")])
def test_ways_to_say_float32(dtype: Any) -> None:
    assert symopt.parse("param a init 1\nminimize a^2").bind(dtype=dtype).dtype == np.float32


def test_a_name_of_the_program_comes_first() -> None:
    problem = symopt.parse("data dtype\nparam a init 1\nminimize dtype * a^2").bind(dtype=3)
    assert (problem.dtype, problem.value([2])) == (np.float64, 12)


def test_results_go_only_where_they_fit(logistic: tuple[Problem, Problem]) -> None:
    for problem, other in (logistic, logistic[::-1]):
        p, wrong = problem.x0, np.empty(problem.n, other.dtype)
        wanted = f"out must be an array of {problem.dtype}.* found {other.dtype}"
        with pytest.raises(symopt.DataError, match=wanted):
            problem.grad(p, out=wrong)
        with pytest.raises(symopt.DataError, match=wanted):
            problem.values([p], out=wrong[:1])
        with pytest.raises(symopt.DataError, match=wanted):
            problem.hvp(p, np.ones((problem.n, 3)), out=np.empty((problem.n, 3), other.dtype))


def test_data_beyond_floats_are_refused() -> None:
    model = symopt.parse("data x[n]\nparam a init 1\nminimize sum(a * x)")
    with pytest.raises(symopt.DataError, match=r"`x\[1\]` is 1e\+300, beyond the numbers of fl"):
        model.bind(x=[1.0, 1e300], dtype="float32")
    assert model.bind(x=[1.0, np.inf], dtype="float32").value([1.0]) == np.inf


def test_points_beyond_floats_are_infinite() -> None:
    problem = symopt.parse("param a init 1\nminimize a").bind(dtype="float32")
    assert problem.value([1e300]) == np.inf


def test_what_overflows_in_float32_alone_is_said() -> None:
    model = symopt.parse("data x[n]\nparam a init 1\nminimize sum(exp(a * x)) * 1e-30")
    problem = model.bind(x=np.full(20, 100.0), dtype="float32")
    assert "beyond those of float32" in str(problem.explain_nonfinite([1.0]))
    assert "beyond those of float32" in str(problem.explain_nonfinite([1.0], "grad"))
    assert problem.explain_nonfinite([0.5]) is None


# ── in use ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["bfgs", "lm", "gradient-descent"])
def test_methods(method: str, logistic: tuple[Problem, Problem]) -> None:
    """Steps are taken in doubles; values have the digits of floats."""
    single, double = logistic
    result = symopt.minimize(single, method=method, max_iter=300)
    best = symopt.minimize(double, method="bfgs")
    assert result.x.dtype == result.grad.dtype == np.float64
    assert result.fun == pytest.approx(best.fun, rel=1e-6)


def test_least_squares(rng: np.random.Generator) -> None:
    """Parameters to the root of a rounding at worst, standard errors to some thousandths."""
    x = np.linspace(0, 4, 60)
    y = 2.5 * np.exp(-1.3 * x) + 0.01 * rng.normal(size=60)
    model = symopt.parse(
        "data x[n], y[n]\nparam a in [0, 10] init 1, k in [0, 5] init 1\n"
        "residual r = a * exp(-k * x) - y"
    )
    single, double = (symopt.minimize(problem) for problem in both(model, {"x": x, "y": y}))
    assert single.success
    np.testing.assert_allclose(single.x, double.x, rtol=3e-4)
    assert single.covariance.dtype == np.float64
    for name in ("a", "k"):
        assert single.stderr[name] == pytest.approx(double.stderr[name], rel=5e-3)


def test_scipy(logistic: tuple[Problem, Problem]) -> None:
    single, double = logistic
    found = scipy.optimize.minimize(**single.scipy(), method="trust-ncg")
    assert found.fun == pytest.approx(symopt.minimize(double).fun, rel=1e-6)
    assert single.operator("hess", single.x0).dtype == np.float32


def test_check(logistic: tuple[Problem, Problem], rng: np.random.Generator) -> None:
    single, _ = logistic
    report = single.check(rng.normal(size=single.n))
    assert report.ok, str(report)
    assert report.max_error < 1e-5


def test_explanations_name_the_precision(logistic: tuple[Problem, Problem]) -> None:
    text = str(logistic[0].explain("value"))
    assert "float32" in text and "16 lanes" in text
    assert "8 lanes" in str(logistic[1].explain("value"))
    model = symopt.parse(LOGISTIC)
    assert "float32" in str(model.explain("value", dtype="float32"))


@pytest.mark.parametrize("method", ["lm", "bfgs", "trust-region", "gauss-newton"])
def test_fits_end_at_the_rounding_of_single_precision(method: str) -> None:
    """Where the objective no longer tells two points apart a fit has succeeded."""
    t = np.arange(60) / 2
    y = 3 * np.exp(-0.8 * t) + 2 + 0.02 * np.sin(37 * t)
    text = "data t[n], y[n]\nparam a init 1, k init 0.5, c init 0\n"
    text += "model f[i] = a * exp(-k * t[i]) + c\nminimize sum((y - f)^2)"
    model = symopt.parse(text)
    found = symopt.minimize(model.bind(t=t, y=y, dtype="float32"), method)
    wanted = symopt.minimize(model.bind(t=t, y=y), "bfgs")
    assert found.success, found.message
    np.testing.assert_allclose(found.x, wanted.x, rtol=1e-3)
