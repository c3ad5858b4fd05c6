"""Derivatives by the chain rule, definition by definition: their form, and their values."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

import symopt
from symopt.derive.latex import expression_latex, name_latex
from tests.support.closed import value
from tests.support.small_programs import PROGRAMS, Small

MLP = """
data X[n, d], y[n]
param W[h, d] init 1, a[h] init 0, u[h] init 1
p[i, j] = tanh(sum(W[j, k] * X[i, k] for k) + a[j])
model f[i] = sum(u[j] * p[i, j] for j)
minimize mean((f[i] - y[i])^2 for i)
"""
MORE = {
    "network": Small(
        MLP, lambda rng: {"X": rng.normal(size=(4, 3)), "y": rng.normal(size=4), "h": 2}
    ),
    "mixture": Small(
        """
        data x[n, d]
        param alpha[K], mu[K, d], s[K, d]
        e[i, k] = alpha[k] + sum(s[k, j] - (x[i, j] - mu[k, j])^2 * exp(2 * s[k, j]) / 2 for j)
        minimize sum(logsumexp(alpha) - logsumexp(e[i, k] for k) for i)
        """,
        lambda rng: {"x": rng.normal(size=(5, 2)), "K": 3},
    ),
    "cameras": Small(
        """
        data cam[m] in nc, pt[m] in np, obs[m, 2]
        param C[nc, 3], P[np, 3]
        t[k, a] = P[pt[k], a] - C[cam[k], a] + (3 if a == 2 else 0)
        residual e[k, a] = t[k, a] / t[k, 2] - obs[k, a] for a in 2
        """,
        lambda rng: {
            "cam": [0, 1, 1],
            "pt": [1, 0, 1],
            "obs": rng.normal(size=(3, 2)),
            "nc": 2,
            "np": 2,
        },
    ),
    "robust": Small(
        """
        data x[n], y[n]
        param a, b, s
        residual r[i] = (y[i] - a * x[i] - b) / s loss huber(1.0)
        """,
        lambda rng: {"x": rng.normal(size=6), "y": 2 * rng.normal(size=6)},
        low=0.5,
    ),
    "recurrence": Small(
        """
        data y[n]
        param a, start
        h[0] = start
        h[t] = tanh(a * h[t - 1]) + y[t - 1] for t in range(1, n + 1)
        residual r[t] = y[t] - h[t] for t in range(n)
        """,
        lambda rng: {"y": rng.normal(size=5)},
    ),
    "logistic": PROGRAMS["logistic_with_ridge"],
}


@pytest.mark.parametrize("name", MORE)
def test_values(name) -> None:
    problem, p, _ = MORE[name].bind(np.random.default_rng(3))
    model = problem.model
    known = {**problem._bound.arrays, **problem.unpack(p), **problem.dims}
    known |= {one: problem.eval(one, p) for one in model.definitions}
    chain = model.chain_rule()
    found = {}
    for symbol, derivative in chain.items():
        base = str(getattr(symbol, "base", symbol))
        indices = list(map(str, getattr(symbol, "indices", ())))
        plain = unicodedata.normalize("NFD", base).removesuffix("\N{COMBINING MACRON}")
        slopes = np.zeros(np.shape(known[plain]))
        # A state's adjoint needs those of later steps, which are computed first.
        for place in reversed(list(np.ndindex(slopes.shape))):
            known[base] = slopes if plain != base else known[base]
            at = dict(zip(indices, place, strict=True))
            slopes[place] = value(derivative, {**known, **at})
        if plain == base:
            found[base] = slopes
        else:
            known[base] = slopes if indices else slopes[()]
    expected = problem.unpack(problem.grad(p))
    assert found.keys() == expected.keys()
    for parameter, slopes in expected.items():
        np.testing.assert_allclose(found[parameter], slopes, rtol=1e-11, atol=1e-12)


def test_the_form_that_people_read() -> None:
    shown = [f"{symbol} = {slope}" for symbol, slope in symopt.parse(MLP).chain_rule().items()]
    assert [unicodedata.normalize("NFD", line) for line in shown] == [
        unicodedata.normalize("NFD", line)
        for line in (
            "f̄[i] = 2*(f[i] - y[i])/n",
            "p̄[i, j] = f̄[i]*u[j]",
            "W[j, k] = Sum((1 - p[i, j]**2)*X[i, k]*p̄[i, j], (i, 0, n - 1))",
            "a[j] = Sum((1 - p[i, j]**2)*p̄[i, j], (i, 0, n - 1))",
            "u[j] = Sum(f̄[i]*p[i, j], (i, 0, n - 1))",
        )
    ]


def test_only_what_is_needed() -> None:
    chain = symopt.parse(MLP).chain_rule("u")
    assert [str(symbol) for symbol in chain] == ["f̄[i]", "u[j]"]


def test_latex_has_a_bar() -> None:
    first, *_ = symopt.parse(MLP).chain_rule()
    assert expression_latex(first) == r"{\bar{f}}_{i}"
    assert name_latex(unicodedata.normalize("NFC", "a\N{COMBINING MACRON}")) == r"\bar{a}"
    assert name_latex("sigma\N{COMBINING MACRON}") == r"\bar{\sigma}"


def test_a_winner_has_no_closed_form() -> None:
    model = symopt.parse("data x[n]\nparam a[n] init 1\nm = max(a[i] * x[i] for i)\nminimize m^2")
    with pytest.raises(symopt.DerivativeUnavailable, match="no closed form"):
        model.chain_rule("a")
