"""Points where differentiation needs a rule: kinks, branches, zeros; by evaluator and natively."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.derive.functions import derive
from tests.support.oracle import Oracle


@functools.cache
def _model(text: str) -> symopt.Model:
    return symopt.parse(text)


def both(text: str, p: Any, name: str, v: Any = None, **data: Any) -> np.ndarray:
    """A function at p, computed by the evaluator and natively: the same, exactly where finite."""
    problem = _model(text).bind(**data)
    p = np.asarray(p, dtype=float)
    arguments = () if v is None else (np.asarray(v, dtype=float),)
    slow = Oracle(problem).function(derive(problem.model.stages.task, name), p, *arguments)
    fast = np.ravel(getattr(problem, name)(p, *arguments))
    np.testing.assert_allclose(fast, slow, rtol=1e-14, atol=0)
    return fast


def first(text: str, *p: float, **data: Any) -> list[float]:
    """The gradient."""
    return both(text, p, "grad", **data).tolist()


def second(text: str, *p: float, **data: Any) -> list[list[float]]:
    """The Hessian, whose columns are the Hessian-vector products."""
    n = len(p)
    hessian = both(text, p, "hess", **data).reshape(n, n)
    for column, unit in zip(hessian.T, np.eye(n), strict=True):
        product = both(text, p, "hvp", unit, **data)
        np.testing.assert_allclose(product, column, rtol=1e-13, atol=1e-16)
    return hessian.tolist()


def test_hessian_at_a_zero_residual() -> None:
    """1/2 (sqrt(x) - 2)^2 at x = 4: the residual is 0, and so is its adjoint; its slope is 1/4."""
    for text in (
        "param x\nminimize (sqrt(x) - 2)^2 / 2",
        "param x\nr = sqrt(x) - 2\nminimize r^2 / 2",
        "param x\ns = sqrt(x)\nr = s - 2\nq = r^2\nminimize q / 2",
    ):
        assert first(text, 4.0) == [0.0]
        assert second(text, 4.0) == [[0.0625]]
        assert both(text, [4.0], "hvp", [3.0]).tolist() == [0.1875]


@pytest.mark.parametrize(
    "text",
    [
        "param a, b, c\nminimize a * b * c",
        "param x[3]\nminimize prod(x)",
        "param x[3]\nminimize prod(x[i] for i)",
        "param x[3]\ny[i] = x[i]\nminimize prod(y)",
        "param a, b, c\np = a * b\nminimize p * c",
    ],
)
def test_mixed_derivatives_of_a_product_at_zeros(text: str) -> None:
    assert first(text, 0.0, 0.0, 5.0) == [0.0, 0.0, 0.0]
    assert second(text, 0.0, 0.0, 5.0) == [[0.0, 5.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


# Programs, each with a point at which a branch is not taken and its slope would not be finite.
BRANCHES = {
    "sqrt inline": ("param x\nminimize sqrt(x) if x > 0 else 0", 0.0),
    "sqrt apart": ("param x\ns = sqrt(x)\nminimize s if x > 0 else 0", 0.0),
    "log apart": ("param x\ns = log(x)\nt = s * x\nminimize t if x > 0 else 0", 0.0),
    "division": ("param x\ns = 1 / x\nminimize 0 if x == 0 else s", 0.0),
    "power": ("param x\ns = x^-0.5\nminimize s if x > 0 else 0", 0.0),
    "negative": ("param x\ns = sqrt(x)\nt = exp(s)\nminimize t if x >= 0 else 3", -1.0),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_branches_not_taken_have_no_influence(name: str) -> None:
    text, x = BRANCHES[name]
    assert first(text, x) == [0.0]
    assert second(text, x) == [[0.0]]


def test_entropy_with_an_empty_class() -> None:
    text = "param x[2]\nh[i] = x[i] * log(x[i]) if x[i] > 0 else 0\nminimize sum(h)"
    assert first(text, 0.0, 1.0) == [0.0, 1.0]
    assert second(text, 0.0, 1.0) == [[0.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    "text",
    [
        "param x\nminimize exp(x) if x < 700 else x",
        "param x\ne = exp(x)\nminimize e if x < 700 else x",
        "param x\ne = exp(x)\nf = e * e\nminimize f if x < 300 else x",
    ],
)
def test_overflow_in_a_branch_not_taken(text: str) -> None:
    assert both(text, [800.0], "value").tolist() == [800.0]
    assert first(text, 800.0) == [1.0]
    assert second(text, 800.0) == [[0.0]]


def test_ties_go_whole_to_the_first_winner() -> None:
    for text in ("param x[4]\nminimize max(x)", "param x[4]\nminimize max(x[i] for i)"):
        assert first(text, 1.0, 3.0, 3.0, 0.0) == [0.0, 1.0, 0.0, 0.0]
        assert not np.any(second(text, 1.0, 3.0, 3.0, 0.0))
    assert first("param x[3]\nminimize min(x)", 2.0, 2.0, 2.0) == [1.0, 0.0, 0.0]
    assert first("param a, b\nminimize max(a, b)", 1.0, 1.0) == [1.0, 0.0]
    assert first("param a, b\nminimize min(a, b)", 1.0, 1.0) == [1.0, 0.0]
    rows = "data A[n, d]\nparam w[d]\nm[i] = max(A[i, j] * w[j] for j)\nminimize sum(m)"
    assert first(rows, 1.0, 1.0, A=[[2.0, 2.0], [1.0, 3.0]]) == [2.0, 3.0]


@pytest.mark.parametrize(
    ("function", "at", "slope", "curvature"),
    [
        ("relu(x)", 0.0, 0.0, 0.0),
        ("relu(x)", 2.0, 1.0, 0.0),
        ("abs(x)", 0.0, 0.0, 0.0),
        ("abs(x)", -2.0, -1.0, 0.0),
        ("huber(x, 1)", 0.5, 0.5, 1.0),
        ("huber(x, 1)", 1.0, 1.0, 1.0),  # at the kink of the slope: the inner side
        ("huber(x, 1)", -3.0, -1.0, 0.0),
        ("clip(x, -1, 1)", 3.0, 0.0, 0.0),
        ("sign(x) * x", 0.0, 0.0, 0.0),
        ("x % 3", 7.5, 1.0, 0.0),
        ("x^2", 0.0, 0.0, 2.0),
        ("x^3", -2.0, 12.0, -12.0),
        ("x^2.0", -3.0, -6.0, 2.0),
        ("sinc(x)", 0.0, 0.0, -1 / 3),
        ("softplus(x)", 0.0, 0.5, 0.25),
    ],
)
def test_fixed_subgradients(function: str, at: float, slope: float, curvature: float) -> None:
    for text in (f"param x\nminimize {function}", f"param x\nf = {function}\nminimize f * 1"):
        assert first(text, at) == pytest.approx([slope], rel=1e-15, abs=1e-300)
        assert second(text, at)[0] == pytest.approx([curvature], rel=1e-14, abs=1e-300)


def test_norm_at_zero() -> None:
    text = "param x[3]\nminimize norm(x)"
    assert first(text, 0.0, 0.0, 0.0) == [0.0, 0.0, 0.0]
    assert not np.any(second(text, 0.0, 0.0, 0.0))
    assert first(text, 0.0, 3.0, 4.0) == pytest.approx([0.0, 0.6, 0.8], rel=1e-15)


def test_powers_at_zero() -> None:
    text = "param x, y\nminimize x^y"
    assert first(text, 0.0, 2.0) == [0.0, 0.0]
    assert first(text, 0.0, 1.0) == [1.0, 0.0]
    assert first(text, 2.0, 0.0) == pytest.approx([0.0, np.log(2)], rel=1e-15)
    assert second(text, 0.0, 2.0) == [[2.0, 0.0], [0.0, 0.0]]
    assert second(text, 0.0, 3.0) == [[0.0, 0.0], [0.0, 0.0]]
    assert second("data y\nparam x\nminimize x^y", 0.0, y=2.0) == [[2.0]]


def test_logsumexp_with_missing_and_huge_terms() -> None:
    text = "data a[n]\nparam x[n]\nminimize logsumexp(x[i] + a[i] for i)"
    gone = np.array([0.0, -np.inf, 0.0])
    assert first(text, 1.0, 5.0, 1.0, a=gone) == pytest.approx([0.5, 0.0, 0.5], rel=1e-15)
    quarter = [[0.25, 0.0, -0.25], [0.0, 0.0, 0.0], [-0.25, 0.0, 0.25]]
    assert np.allclose(second(text, 1.0, 5.0, 1.0, a=gone), quarter, rtol=1e-15, atol=0)
    plain = "param x[3]\nminimize logsumexp(x)"
    assert first(plain, 1e4, 0.0, -1e4) == [1.0, 0.0, 0.0]
    assert not np.any(second(plain, 1e4, 0.0, -1e4))
    logs = "param x[3]\nl[i] = log(x[i])\nminimize logsumexp(l)"
    assert first(logs, 0.0, 1.0, 3.0) == pytest.approx([0.0, 0.25, 0.25], rel=1e-15)
    assert np.isfinite(second(logs, 0.0, 1.0, 3.0)).all()


def test_a_zero_weight_masks_a_residual_with_infinite_slope() -> None:
    """w*sqrt(x) with w = x = 0, where grad, jac and Gauss-Newton go different ways round."""
    text = "data w[n]\nparam x[n]\ns[i] = sqrt(x[i])\nresidual r[i] = w[i] * s[i]"
    data = {"w": [0.0, 2.0]}
    p, v = [0.0, 4.0], [1.0, 1.0]
    assert first(text, *p, **data) == [0.0, 4.0]
    assert np.isfinite(second(text, *p, **data)).all()
    assert both(text, p, "jac", **data).tolist() == [0.0, 0.0, 0.0, 0.5]
    assert both(text, p, "jvp", v, **data).tolist() == [0.0, 0.5]
    assert both(text, p, "gnvp", v, **data).tolist() == [0.0, 0.5]


def test_filters_and_guards_keep_clamped_reads_out() -> None:
    text = """
    data x[n], keep[n]
    param w[n]
    d[i] = (w[i + 1] - w[i])^2 if i < n - 1 else 0 for i in n
    minimize sum(d) + sum(sqrt(w[i]) * x[i] for i if keep[i] > 0)
    """
    data = {"x": [1.0, 1.0, 1.0], "keep": [1.0, 0.0, 1.0]}
    w = [1.0, 0.0, 4.0]  # the root of w[1] is filtered away
    assert first(text, *w, **data) == [2.0 + 0.5, -2.0 - 8.0, 8.0 + 0.25]
    wanted = np.array([[2.0, -2.0, 0.0], [-2.0, 4.0, -2.0], [0.0, -2.0, 2.0]])
    wanted += np.diag([-0.25, 0.0, -0.25 / 8])
    assert second(text, *w, **data) == wanted.tolist()


def test_hessians_are_symmetric_at_kinks() -> None:
    text = "param x[3]\nminimize max(x) * relu(x[1]) + abs(x[0] * x[2]) + norm(x) * min(x)"
    for p in itertools.product((-1.0, 0.0, 1.0), repeat=3):
        hessian = np.array(second(text, *p))
        assert np.allclose(hessian, hessian.T, rtol=1e-14, atol=1e-15)
