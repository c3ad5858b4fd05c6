"""Closed derivatives: their form where people read it, and their values against complex steps."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import symopt
from tests.support.closed import value
from tests.support.oracle import Oracle
from tests.support.small_programs import PROGRAMS, Small

MISRA = """
data y[n], x[n]
param b1 init 500, b2 init 1e-4
residual r[i] = y[i] - b1 * (1 - exp(-b2 * x[i]))
"""
MORE = {
    "gather": Small(
        """
        data obs[m, d], x[m], cam[m] in c
        param C[c, d], s
        residual e[i, j] = obs[i, j] - exp(s * x[i]) * C[cam[i], j]^2
        """,
        lambda rng: {
            "obs": rng.normal(size=(4, 2)),
            "x": rng.normal(size=4),
            "cam": [0, 2, 2, 1],
            "c": 3,
        },
    ),
    "vector_activations": Small(
        """
        data X[n, d], label[n] in k
        param W[d, k], v[k]
        minimize mean(cross_entropy(X @ W, label)) + sum(softmax(v) * v) + sum(log_softmax(W[0, :]))
        """,
        lambda rng: {"X": rng.normal(size=(5, 2)), "label": [0, 2, 1, 1, 0], "k": 3},
    ),
    "conditions_and_shifts": Small(
        """
        data x[n], c[n]
        param w[n], s
        d2[i] = (w[i + 1] - w[i])^2 * c[i] for i in range(1, n - 1)
        first = sum(sqrt(w[i]) if w[i] > 0 else s * x[i] for i)
        second = sum(w[i - 1] * s for i in range(n) if i > 0)
        third = sum(d2[i] * i for i in range(2, n - 1))
        minimize first + second + third + sum(w[n - 1 - i] * c[i] for i in range(n))
        """,
        lambda rng: {"x": rng.normal(size=6), "c": rng.normal(size=6)},
    ),
    "nested_choices": Small(
        """
        data x[n, d], keep[n, d]
        param w[d], s
        inner[i] = sum(x[i, j] * w[j]^2 for j if keep[i, j] > x[i, 0]) + s
        minimize sum(exp(inner[i]) * (s if x[i, 0] > 0 else s^2) for i)
        """,
        lambda rng: {"x": rng.normal(size=(4, 3)), "keep": rng.normal(size=(4, 3))},
    ),
    "dependent_ranges": Small(
        """
        data u[d]
        param L[d, d]
        q[a] = sum(L[a, b] * u[b] for b in range(a + 1)) for a in d
        minimize sum(q[a]^2 for a) + sum(log(1 + L[i, i]^2) for i)
        """,
        lambda rng: {"u": rng.normal(size=4)},
    ),
    "strided_places": Small(
        """
        data c[n]
        param x[n]
        minimize logsumexp(x[i] for i if c[i] > 0) + sum(x[i // 2]^2 * c[i % 3] for i in range(n))
        """,
        lambda rng: {"c": rng.normal(size=7)},
    ),
    "convolution": Small(
        """
        data y[n]
        param f[3], x[n]
        p[i] = sum(f[j] * x[i + j] for j) for i in range(n - 2)
        minimize sum((p[i] - y[i])^2 for i in range(n - 2))
        """,
        lambda rng: {"y": rng.normal(size=5)},
    ),
    "special_functions": Small(
        """
        data x[n]
        param a, k
        first = sum(lgamma(a + x[i]) + sinc(a * x[i]) + erf(k) * gelu(x[i] * k) for i)
        second = sum(huber(a * x[i], k) + soft_l1(x[i], k) + cbrt(k) + clip(a, x[i], 2) for i)
        minimize first + second + normal_logpdf(a, k, 2) + n * digamma(a)
        """,
        lambda rng: {"x": rng.uniform(0.1, 1.0, 4)},
        low=0.3,
        high=1.5,
    ),
}
CASES = {**PROGRAMS, **MORE}
# A derivative that needs a winner has no closed form; `deep` is a tower of products of cosines.
REFUSED = {("extrema", "w"): "not-closed", ("deep", "a"): "too-large", ("deep", "b"): "too-large"}


@pytest.fixture(autouse=True)
def _silent():
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    problem, p, _ = CASES[name].bind(np.random.default_rng(len(name)))
    oracle, model = Oracle(problem), problem.model
    known = {**problem._bound.arrays, **problem.unpack(p), **problem.dims}
    expected = np.real(oracle.value(p))
    assert value(model.expression(), known) == pytest.approx(expected, rel=1e-12, nan_ok=True)
    # Both go through the same operations in another order: a few roundings of the largest term.
    for parameter, slopes in problem.unpack(oracle.gradient(p)).items():
        if (name, parameter) in REFUSED:
            continue
        derivative, symbol = model.derive(parameter), model.symbol(parameter)
        for place, slope in np.ndenumerate(np.asarray(slopes)):
            at = dict(zip(map(str, symbol.indices), place, strict=True)) if place else {}
            found = value(derivative, {**known, **at})
            assert found == pytest.approx(slope, rel=1e-11, abs=1e-11, nan_ok=True), (symbol, place)


@pytest.mark.parametrize("name", ["logistic_with_ridge", "gather", "dependent_ranges"])
def test_native_gradients_agree(name):
    problem, p, _ = CASES[name].bind(np.random.default_rng(1))
    known = {**problem._bound.arrays, **problem.unpack(p), **problem.dims}
    found = []
    for parameter in problem.model.params:
        derivative, symbol = problem.model.derive(parameter), problem.model.symbol(parameter)
        for place in np.ndindex(np.shape(known[parameter])):
            at = dict(zip(map(str, symbol.indices), place, strict=True)) if place else {}
            found.append(value(derivative, {**known, **at}))
    np.testing.assert_allclose(problem.grad(p), found, rtol=1e-12, atol=1e-12)


def test_sums_are_kept_and_sympy_evaluates_them():
    derivative = symopt.parse(MISRA).derive("b1")
    assert derivative.has(sympy.Sum) and not derivative.has(sympy.Derivative)
    n = sympy.Symbol("n", integer=True)
    assert n in derivative.free_symbols
    x, y = (sympy.IndexedBase(name, real=True) for name in "xy")
    b1, b2 = sympy.symbols("b1 b2", real=True)
    rise = [1 - sympy.exp(-b2 * x[i]) for i in range(3)]
    by_hand = sum(-2 * (y[i] - b1 * rise[i]) * rise[i] for i in range(3))
    assert sympy.expand(derivative.subs(n, 3).doit() - by_hand) == 0


def test_lambdify_takes_them():
    model = symopt.parse(MISRA)
    arguments = [model.symbol(name).base for name in "xy"] + [model.symbol(b) for b in ("b1", "b2")]
    n = sympy.Symbol("n", integer=True)
    function = sympy.lambdify([*arguments, n], model.derive("b2"))
    x, y = np.array([1.0, 2.0, 4.0]), np.array([0.5, 1.0, 3.0])
    decay = np.exp(-0.2 * x)
    by_hand = np.sum(-2 * (y - 3 * (1 - decay)) * 3 * x * decay)
    assert function(x, y, 3.0, 0.2, 3) == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(
    "text, name, expected",
    [
        ("param a init 1, b init 1\nminimize a^2 * b + 3 * a", "a", "2*a*b + 3"),
        ("data x[n]\nparam w[n] init 0\nminimize sumsq(w - x)", "w", "2*(w[k] - x[k])"),
        (
            "data x[n]\nparam w init 0\nminimize sum(x) * w + n * w",
            "w",
            "n + Sum(x[k], (k, 0, n - 1))",
        ),
        (
            "data X[n, d]\nparam w[d] init 0\nz = X @ w\nminimize sumsq(z)",
            "w",
            "2*Sum(X[i, k]*Sum(X[i, j]*w[j], (j, 0, d - 1)), (i, 0, n - 1))",
        ),
        (
            "data v[m], g[m] in k\nparam w[k] init 0\nminimize sum(w[g[i]] * v[i] for i)",
            "w",
            "Sum(KroneckerDelta(i, g[j])*v[j], (j, 0, m - 1))",
        ),
    ],
)
def test_the_form_that_people_read(text, name, expected):
    assert str(symopt.parse(text).derive(name)) == expected


def test_the_derivative_of_a_definition():
    model = symopt.parse(
        "data X[n, d]\nparam w[d] init 0, b init 0\nz[i] = sum(X[i, j] * w[j] for j) + b\n"
        "e[i] = exp(z[i])\nminimize sum(e)"
    )
    assert str(model.derive("w", of="z")) == "X[i, j]"
    assert str(model.derive("b", of="z")) == "1"
    assert str(model.derive("w", of="e")) == "exp(b + Sum(X[i, k]*w[k], (k, 0, d - 1)))*X[i, j]"
    assert str(model.derive("X", of="z")) == "KroneckerDelta(i, k)*w[j]"


def test_definitions_count_from_where_they_are_written():
    model = symopt.parse(
        "data x[n]\nparam w[n] init 0\nd[i] = w[i] - w[i - 1] for i in range(1, n)\n"
        "minimize sum(d[i]^2 for i in range(1, n))"
    )
    assert str(model.symbol("d")) == "d[i]"
    assert str(model.expression("d")) == "-w[i - 1] + w[i]"
    n = sympy.Symbol("n", integer=True)
    w = sympy.IndexedBase("w", real=True)
    total = model.expression().subs(n, 3).doit()
    assert total == (w[1] - w[0]) ** 2 + (w[2] - w[1]) ** 2


def test_a_parameter_without_influence_has_derivative_zero():
    assert symopt.parse("param a init 1, b init 1\nminimize a^2").derive("b") == 0


@pytest.mark.parametrize(
    "text, name, of, code, says",
    [
        (MISRA, "bb1", None, "unknown-parameter", "did you mean `b1`?"),
        (MISRA, "b1", "rr", "unknown-definition", "did you mean `r`?"),
        (
            "data g[n] in k\nparam w[k] init 0\nminimize sum(w[g[i]] for i)",
            "g",
            None,
            "integer-data",
            "w",
        ),
        ("param a init 1\nminimize floor(a)", "a", None, "no-derivative", "piecewise constant"),
        (
            "data x[n]\nparam a[n] init 1\nminimize max(a[i] * x[i] for i)",
            "a",
            None,
            "not-closed",
            "max",
        ),
    ],
)
def test_what_cannot_be_derived(text, name, of, code, says):
    with pytest.raises(symopt.SymoptError) as caught:
        symopt.parse(text).derive(name, of=of)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert says in str(caught.value)


def test_towers_of_powers_cost_nothing():
    assert symopt.parse("param a init 1\nminimize a * 9^9^9^9").derive("a") == sympy.oo


def test_an_expression_too_large_to_write_out_is_refused():
    chain = "".join(f"d{k} = d{k - 1} * sin(d{k - 1})\n" for k in range(1, 40))
    model = symopt.parse(f"param a init 1\nd0 = a\n{chain}minimize d39")
    with pytest.raises(symopt.DerivativeUnavailable, match="too large"):
        model.derive("a")
    long = "".join(f"d{k} = sin(d{k - 1})\n" for k in range(1, 400))
    with pytest.raises(symopt.DerivativeUnavailable, match="too large"):
        symopt.parse(f"param a init 1\nd0 = a\n{long}minimize d399").derive("a")


def test_indices_of_different_loops_stay_apart():
    model = symopt.parse(
        "data x[n], y[n]\nparam a init 1\n"
        "s[i, j] = sum(x[k] * exp(a * y[i] * x[j] * y[k]) for k)\n"
        "minimize sum(s[i, j] * sum(exp(s[j, k] * x[i]) for k) for i, j)"
    )
    x, y = np.array([0.3, -0.2]), np.array([0.5, 0.1])
    known = {"x": x, "y": y, "a": 0.7, "n": 2}

    def loss(a):
        s = np.einsum("k,ijk->ij", x, np.exp(a * np.einsum("i,j,k->ijk", y, x, y)))
        return np.einsum("ij,ijk->", s, np.exp(np.einsum("jk,i->ijk", s, x)))

    assert value(model.expression(), known) == pytest.approx(loss(0.7), rel=1e-14)
    slope = np.imag(loss(0.7 + 1e-30j)) / 1e-30
    assert value(model.derive("a"), known) == pytest.approx(slope, rel=1e-13)
