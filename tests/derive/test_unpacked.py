"""Closed forms with packed parameters: full arrays, whose derivatives count both halves."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import symopt
from symopt.statements.verify import verify
from tests.support.closed import value
from tests.support.oracle import Oracle

KINDS = ("lower", "strict lower", "symmetric")
TEXT = """
data X[n, d], k[n] in K
param L[K, d, d] as {kind} init 0
u = X[0] @ L[0]
z[i, a] = sum(L[k[i], a, b] * X[i, b] for b in range(a))
minimize sum(exp(z)) + sum(u^3) + sum(sin(L[1])) + sum(L[0, a, b] * L[1, b, a] for a, b)
"""


def bound(kind, rng):
    model = symopt.parse(TEXT.format(kind=kind))
    problem = model.bind(X=rng.normal(size=(4, 3)), k=[0, 1, 1, 0], K=2)
    return problem, rng.normal(size=problem.n)


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_derivatives_are_those_of_the_loss(kind, rng):
    problem, p = bound(kind, rng)
    model = problem.model
    verify(model._readable.program)
    known = {**problem.dims, **problem._bound.arrays, **problem.unpack(p)}
    # Sums of some tens of terms of order 10, in another order.
    assert value(model.expression(), known) == pytest.approx(problem.value(p), rel=1e-12)
    gradient = Oracle(problem).gradient(p)
    symbol, derivative = model.symbol("L"), model.derive("L")
    for name, wanted in zip(problem.names, gradient, strict=True):
        place = tuple(map(int, name.removeprefix("L[").removesuffix("]").split(",")))
        here = {index.name: part for index, part in zip(symbol.indices, place, strict=True)}
        assert value(derivative, {**known, **here}) == pytest.approx(wanted, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_places_in_storage_are_not_shown(kind, rng):
    model = bound(kind, rng)[0].model
    shown = [model.latex(), str(model.expression()), str(model.derive("L")), str(model.symbol("L"))]
    assert not any("pos" in text for text in shown)
    assert len(model.symbol("L").indices) == 3


def test_half_of_a_symmetric_array_stands_for_both():
    model = symopt.parse("data x[d]\nparam A[d, d] as symmetric init 0\nminimize sum(x @ A * x)")
    a, b = model.symbol("A").indices
    x = sympy.IndexedBase(sympy.Symbol("x", real=True))
    found = model.derive("A")
    assert found.subs({a: 0, b: 0}) == x[0] ** 2
    assert sympy.simplify(found.subs({a: 1, b: 0}) - 2 * x[0] * x[1]) == 0
    # By differences of the loss itself.
    problem = model.bind(x=np.array([2.0, 3.0]))
    assert problem.value([0, 1, 0]) - problem.value([0, 0, 0]) == 2 * 2.0 * 3.0
