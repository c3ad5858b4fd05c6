"""Derivatives by chosen names, data among them, against complex steps of the NumPy evaluator."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.derive.functions import derive
from symopt.layout import Layout
from symopt.problem import Problem
from tests.support.oracle import Oracle, error
from tests.support.small_programs import PROGRAMS

EXACT = 1e-12  # first derivatives: a few roundings, relative to the greatest entry
SECOND = 1e-9  # second derivatives, against fourth-order differences
FLAT = {"keep"}  # data that is only compared
# Compiled; all programs are looked at as statements.
COMPILED = ("least_squares", "gather_and_scatter", "branches", "marks_on_a_path", "neighbours")


class ByNames(Oracle):
    """Derivatives by some parameters and data, at fixed values of all the rest."""

    def __init__(self, problem: Problem, p: np.ndarray, names: Sequence[str]) -> None:
        super().__init__(problem)
        self.fixed = super().parts(p)
        arrays = {**self.arrays, **self.fixed}
        self.layout = Layout({name: np.shape(arrays[name]) for name in names})
        self.point = self.layout.pack({name: arrays[name] for name in names})

    def parts(self, p: np.ndarray) -> dict[str, Any]:
        return {**self.fixed, **self.layout.arrays(np.asarray(p))}


def _names(problem: Problem) -> tuple[str, ...]:
    """All float data, and then the parameters, the last one first."""
    data = (d.name for d in problem.model.data.values() if d.index_of is None)
    return (*(name for name in data if name not in FLAT), *reversed(tuple(problem.model.params)))


@functools.cache
def _case(name: str) -> tuple[Problem, np.ndarray, tuple[str, ...], ByNames]:
    problem, p, _ = PROGRAMS[name].bind(np.random.default_rng(len(name)))
    names = _names(problem)
    return problem, p, names, ByNames(problem, p, names)


@pytest.mark.parametrize("name", PROGRAMS)
def test_statements_of_derivatives_by_data(name: str, rng: np.random.Generator) -> None:
    _, _, names, oracle = _case(name)
    q, task = oracle.point, oracle.task.by(names)
    v = rng.normal(size=len(q))
    assert error(oracle.function(derive(task, "grad"), q), oracle.gradient(q)) < EXACT
    product = oracle.hessian_product(q, v)
    assert error(oracle.function(derive(task, "hvp"), q, v), product) < SECOND
    if task.cut:
        jacobian = oracle.jacobian(q)
        found = oracle.function(derive(task, "jac"), q).reshape(jacobian.shape)
        assert error(found, jacobian) < EXACT


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_derivatives_by_data(name: str, rng: np.random.Generator) -> None:
    problem, p, names, oracle = _case(name)
    q = oracle.point
    v = rng.normal(size=len(q))
    gradient, hessian = oracle.gradient(q), oracle.hessian(q)
    assert error(problem.grad(p, wrt=names), gradient) < EXACT
    value, found = problem.value_and_grad(p, wrt=list(names))
    assert value == problem.value(p)
    assert error(found, gradient) < EXACT
    assert error(problem.hess(p, wrt=names), hessian) < SECOND
    assert error(problem.hess_sparse(p, wrt=names).toarray(), hessian) < SECOND
    assert error(problem.hvp(p, v, wrt=names), hessian @ v) < SECOND


@pytest.mark.parametrize("name", [name for name in COMPILED if name != "branches"])
def test_compiled_derivatives_of_the_cut_by_data(name: str, rng: np.random.Generator) -> None:
    problem, p, names, oracle = _case(name)
    q = oracle.point
    v = rng.normal(size=len(q))
    jacobian = oracle.jacobian(q)
    u = rng.normal(size=len(jacobian))
    curvature = np.array([oracle.gauss_newton_product(q, unit) for unit in np.eye(len(q))])
    residuals, found = problem.residuals_and_jac(p, wrt=names)
    np.testing.assert_allclose(residuals, problem.residuals(p), rtol=1e-14)
    assert error(found, jacobian) < EXACT
    residuals, sparse = problem.residuals_and_jac(p, wrt=names, sparse=True)
    assert error(sparse.toarray(), jacobian) < EXACT
    assert error(problem.jac(p, wrt=names), jacobian) < EXACT
    assert error(problem.jac_sparse(p, wrt=names).toarray(), jacobian) < EXACT
    assert error(problem.jvp(p, v, wrt=names), jacobian @ v) < EXACT
    assert error(problem.vjp(p, u, wrt=names), jacobian.T @ u) < EXACT
    matrix, gradient = problem.gauss_newton(p, wrt=names)
    assert error(matrix, curvature) < SECOND
    assert error(gradient, oracle.gradient(q)) < EXACT
    assert error(problem.gauss_newton_sparse(p, wrt=names).toarray(), curvature) < SECOND
    assert error(problem.gnvp(p, v, wrt=names), curvature @ v) < SECOND


# ── formulas ─────────────────────────────────────────────────────────────────────────────────────

LOGISTIC = """\
data X[n, d], y[n], group[n] in k
param w[d] init 0.5, b init 0, c[k] init 0
model z[i] = sum(X[i, j] * w[j] for j) + b + c[group[i]]
report odds[i] = exp(z[i])
half[i] = z[i] / 2
minimize mean(softplus(z[i]) - y[i] * z[i] for i)
"""


@pytest.fixture(scope="module")
def logistic() -> Problem:
    rng = np.random.default_rng(7)
    given = {"X": rng.normal(size=(700, 3)), "y": rng.integers(0, 2, 700) * 1.0}
    return symopt.parse(LOGISTIC).bind(given, group=rng.integers(0, 4, 700), k=4)


def _parts(problem: Problem, p: np.ndarray) -> dict[str, Any]:
    found = {**{n: problem.eval(n, p) for n in ("X", "y", "group", "z")}, **problem.unpack(p)}
    found["slope"] = (1 / (1 + np.exp(-found["z"])) - found["y"]) / problem.dims["n"]
    return found


def test_the_gradient_by_each_sample(logistic: Problem, rng: np.random.Generator) -> None:
    p = rng.normal(size=logistic.n)
    at = _parts(logistic, p)
    by_x = logistic.grad(p, wrt="X").reshape(700, 3)
    np.testing.assert_allclose(by_x, np.outer(at["slope"], at["w"]), rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(logistic.grad(p, wrt="y"), -at["z"] / 700, rtol=1e-13)
    joined = logistic.grad(p, wrt=("c", "y", "b"))
    by_group = np.bincount(at["group"], at["slope"], minlength=4)
    wanted = np.concatenate([by_group, -at["z"] / 700, [at["slope"].sum()]])
    np.testing.assert_allclose(joined, wanted, rtol=1e-11, atol=1e-17)


def test_definitions_that_the_objective_does_not_use(
    logistic: Problem, rng: np.random.Generator
) -> None:
    p = rng.normal(size=logistic.n)
    at = _parts(logistic, p)
    odds = np.exp(at["z"])
    for name, wanted, slope in (("odds", odds, odds), ("half", at["z"] / 2, 0.5 + 0 * odds)):
        np.testing.assert_allclose(logistic.residuals(p, of=name), wanted, rtol=1e-13)
        jacobian = slope[:, None] * at["X"]
        np.testing.assert_allclose(logistic.jac(p, of=name, wrt="w"), jacobian, rtol=1e-12)
        sparse = logistic.jac_sparse(p, of=name, wrt=["b", "c"])
        assert sparse.nnz == 2 * 700
        wanted = slope[:, None] * np.column_stack([np.ones(700), np.eye(4)[at["group"]]])
        np.testing.assert_allclose(sparse.toarray(), wanted, rtol=1e-12)
        u, v = rng.normal(size=700), rng.normal(size=3)
        np.testing.assert_allclose(
            logistic.jvp(p, v, of=name, wrt="w"), jacobian @ v, rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(
            logistic.vjp(p, u, of=name, wrt="w"), u @ jacobian, rtol=1e-9, atol=1e-12
        )


def test_the_sparse_jacobian_by_samples_is_as_sparse_as_it_is(logistic: Problem) -> None:
    p = logistic.x0
    matrix = logistic.jac_sparse(p, wrt="X")
    assert matrix.shape == (700, 2100)
    assert matrix.nnz == 2100
    np.testing.assert_array_equal(matrix.indices, np.arange(2100))


def test_all_parameters_by_name_are_the_default(logistic: Problem) -> None:
    compiled = dict(logistic.model._compiled)
    p = logistic.x0
    gradient = logistic.grad(p)
    here = set(logistic.model._compiled) - set(compiled)
    np.testing.assert_array_equal(logistic.grad(p, wrt=["w", "b", "c"]), gradient)
    assert set(logistic.model._compiled) - set(compiled) == here
    turned = logistic.grad(p, wrt=["c", "w", "b"])
    np.testing.assert_allclose(turned, [*gradient[4:], *gradient[:4]], rtol=1e-13)


def test_packed_parameters_by_name() -> None:
    text = "param a, S[3, 3] as symmetric\nminimize a * sum(S[i, j]^2 * (i + 1) for i, j)"
    problem = symopt.parse(text).bind()
    p = np.arange(1.0, 8.0)
    found = problem.grad(p, wrt="S")
    np.testing.assert_array_equal(found, problem.grad(p)[1:])
    hessian = problem.hess(p, wrt=["S", "a"])
    order = [*range(1, 7), 0]
    np.testing.assert_array_equal(hessian, problem.hess(p)[np.ix_(order, order)])


# ── what derivatives cannot be by ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wrt", "message"),
    [
        ("W", r"no parameter or data `W`(.|\n)*did you mean `w`|no parameter or data `W`"),
        (["w", "nothing"], "no parameter or data `nothing`"),
        ("z", "`z` is a definition"),
        ("n", "no parameter or data `n`"),
        ("group", "`group` holds indices"),
        (("b", "w", "b"), "`b` is in wrt twice"),
        ([], "wrt has no names"),
        (3, "a name or several, found int"),
        ([3], "a name or several, found int"),
    ],
)
def test_names_that_are_refused(logistic: Problem, wrt: Any, message: str) -> None:
    asks = (logistic.grad, logistic.hess, logistic.jac, logistic.jac_sparse, logistic.hess_sparse)
    for ask in asks:
        with pytest.raises(symopt.DataError, match=message):
            ask(logistic.x0, wrt=wrt)
    with pytest.raises(symopt.DataError, match=message):
        logistic.hvp(logistic.x0, logistic.x0, wrt=wrt)


def test_names_that_play_no_part() -> None:
    text = (
        "data x[n], unused[n], level\nparam a, b, c\nreport r = c * level\n"
        "minimize sum((a * x[i])^2 for i) + floor(b) + (1 if level > a else 0)"
    )
    problem = symopt.parse(text).bind(x=[1.0, 2.0], unused=[0.0, 0.0], level=3.0)
    p = [1.0, 2.0, 3.0]
    assert problem.grad(p, wrt="a").tolist() == [10.0]
    for name in ("b", "level"):
        with pytest.raises(symopt.DerivativeUnavailable, match=f"on `{name}` only through"):
            problem.grad(p, wrt=("a", name))
    for name in ("c", "unused"):
        with pytest.raises(symopt.DerivativeUnavailable, match=f"does not depend on `{name}`"):
            problem.hess(p, wrt=name)
    assert problem.jac(p, of="r", wrt=["c", "level"]).tolist() == [[3.0, 3.0]]
    with pytest.raises(symopt.DerivativeUnavailable, match="`r` does not depend on `a`"):
        problem.jac(p, of="r", wrt="a")


@pytest.mark.parametrize("name", ["nothing", "z.bar", "w"])
def test_of_something_that_is_no_definition(logistic: Problem, name: str) -> None:
    for ask in (logistic.residuals, logistic.jac, logistic.jac_sparse):
        with pytest.raises(symopt.DataError, match="there is no definition"):
            ask(logistic.x0, of=name)


def test_vectors_have_the_length_of_the_names(logistic: Problem) -> None:
    p = logistic.x0
    assert logistic.hvp(p, np.ones(3), wrt="w").shape == (3,)
    with pytest.raises(symopt.DataError, match=r"v must have shape \(3,\), found \(8,\)"):
        logistic.hvp(p, np.ones(8), wrt="w")
    out = np.empty(2100)
    assert logistic.grad(p, wrt="X", out=out) is out
    with pytest.raises(symopt.DataError, match=r"float64 with shape \(2100,\), found"):
        logistic.grad(p, wrt="X", out=np.empty(8))


def test_a_task_by_other_names_keeps_the_rest() -> None:
    task = symopt.parse(LOGISTIC).stages.task
    assert task.by(None) == task
    assert task.by(("y",), "odds") == replace(task, params=("y",), cut=("odds",))
