"""The Hessian and the Gauss-Newton matrix by patches, by the evaluator alone."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import symopt
from symopt.derive.functions import derive, patches
from symopt.sparse import symmetric_pattern_of
from symopt.statements.verify import verify
from tests.derive.test_functions import WITH_CUT
from tests.support.oracle import WIDTHS, Oracle, error
from tests.support.small_programs import PROGRAMS

SECOND = 1e-10  # against fourth-order differences of complex-step gradients


@functools.cache
def _case(name: str) -> tuple[Oracle, np.ndarray, np.ndarray]:
    problem, p, v = PROGRAMS[name].bind(np.random.default_rng(len(name)))
    return Oracle(problem), p, v


def _dense(oracle: Oracle, function: str, p: np.ndarray) -> np.ndarray:
    """The statements evaluated, their values put where the pattern says."""
    values = oracle.function(verify(derive(oracle.task, function)), p)
    found = patches(oracle.task, function)
    pattern = symmetric_pattern_of(found, oracle.layout, oracle.dims, oracle.arrays)
    return pattern.matrix(np.real(values)).toarray()


@pytest.mark.parametrize("name", PROGRAMS)
def test_hessian(name: str) -> None:
    oracle, p, v = _case(name)
    found = _dense(oracle, "hess_sparse", p)
    assert (found == found.T).all()
    wanted = oracle.hessian_product(p, v)
    assert error(found @ v, wanted) < SECOND or np.abs(wanted).max() < SECOND


@pytest.mark.parametrize("name", WITH_CUT)
def test_gauss_newton(name: str) -> None:
    oracle, p, v = _case(name)
    found = _dense(oracle, "gauss_newton_sparse", p)
    assert (found == found.T).all()
    if " loss " not in PROGRAMS[name].text:  # whose blocks are raised
        assert any(
            error(found @ v, oracle.gauss_newton_product(p, v, width=width)) < SECOND
            for width in WIDTHS
        )


CHAIN = "param x[n]\nminimize sum(exp(x[i + 1] - x[i]^2) for i in n - 1)"
PAIRS = "data a[n] in q, b[n] in q\nparam x[q]\nminimize sum(exp(x[a[i]] * x[b[i]]) for i)"
GROUPS = """
data g[n] in q, X[n, d]
param W[q, d], s
minimize sum(cosh(sum(W[g[i], j] * X[i, j] for j) * s) for i)
"""
LAYER = """
data X[n, d]
dim h = 3
param U[d, h]
minimize sum(tanh(sum(X[i, j] * U[j, k] for j)) for i, k)
"""


def _described(text: str) -> list[str]:
    task = symopt.parse(text).stages.task
    return [
        f"{patch.rows} x {patch.columns} by {', '.join(map(str, patch.axes)) or 'nothing'}"
        + (", triangle" if patch.triangle else "")
        for patch in patches(task, "hess_sparse")
    ]


def test_what_patches_there_are() -> None:
    """One block per group and for s; the samples of a group are added up natively."""
    assert _described(GROUPS) == [
        "W[g[@0], 0:d] x W[g[@0], 0:d] by g[@0], triangle",
        "s x W[g[@0], 0:d] by g[@0]",
        "s x s by nothing, triangle",
    ]
    assert _described(LAYER) == ["U[0:d, @0] x U[0:d, @0] by @0, triangle"]
    # Of x[i + 1] with x[i] only what is below the diagonal.
    assert _described(CHAIN) == [
        "x[@0 + 1] x x[@0 + 1] by @0, triangle",
        "x[@0 + 1] x x[@0] by @0",
        "x[@0] x x[@0] by @0, triangle",
    ]
    # Which of a[i] and b[i] is greater is not known before data is there.
    assert len(_described(PAIRS)) == 4


def test_a_definition_read_by_several_is_differentiated_once() -> None:
    """Camera by camera: a rotation's own second derivatives do not grow with the observations."""
    text = """
    data cam[m] in q, y[m]
    param c[q]
    turn[k] = sin(c[k]) * exp(c[k])
    residual r[o] = turn[cam[o]] - y[o]
    residual s[o] = y[o] * turn[cam[o]]
    """
    rng = np.random.default_rng(3)
    problem = symopt.parse(text).bind(cam=[1, 1, 0, 1], y=rng.normal(size=4), q=3)
    oracle, p = Oracle(problem), rng.normal(size=3)
    assert error(_dense(oracle, "hess_sparse", p), oracle.hessian(p)) < SECOND
    shapes = {patch.shape[0] for patch in patches(oracle.task, "hess_sparse")}
    assert {str(size) for size in shapes} == {"q"}


def test_a_linear_objective_has_no_entries() -> None:
    problem = symopt.parse("data c[n]\nparam x[n]\nminimize c @ x").bind(c=np.ones(4))
    assert patches(problem.model.stages.task, "hess_sparse") == ()
    found = problem.hess_sparse(np.ones(4))
    assert found.nnz == 0
    assert found.shape == (4, 4)
