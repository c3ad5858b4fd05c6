"""Where a nan or inf came from, in words."""

from __future__ import annotations

import pytest

import symopt

CASES = [
    ("param s init -0.3\nminimize log(s) + s^2", {}, ["log of -0.3", "line 2", "the objective"]),
    (
        "data x[n]\nparam s init 1\nz[i] = log(s - x[i])\nminimize sum(z[i] for i)",
        {"x": [0.0, 0.5, 1.5, 0.1]},
        ["log of -0.5", "line 3", "z[2]"],
    ),
    (
        "data x[n]\nparam s init 0\nr[i] = x[i] / s\nminimize sumsq(r)",
        {"x": [1.0, 2.0]},
        ["x[i] / s is inf", "line 3"],
    ),
    (
        "param x init 0\ny = sqrt(x)\nminimize y + x",
        {},
        ["line 2", "the gradient by x"],
    ),
]


@pytest.mark.parametrize(("text", "data", "words"), CASES)
def test_the_start_is_refused_with_the_reason(text, data, words):
    problem = symopt.parse(text).bind(**data)
    with pytest.raises(symopt.NonFiniteError) as caught:
        symopt.minimize(problem)
    for word in words:
        assert word in str(caught.value)


def test_a_branch_not_taken_is_not_blamed():
    problem = symopt.parse(
        "data x[n]\nparam s init 0.2\nq[i] = log(x[i] - s)\n"
        "minimize sum(q[i] if x[i] > s else s^2 for i) + log(s - 1)"
    ).bind(x=[0.1, 0.5])
    explained = problem.explain_nonfinite(problem.x0)
    assert explained is not None
    assert "log of -0.8" in explained


def test_finite_points_need_no_explanation():
    problem = symopt.parse("param s init 2\nminimize log(s)").bind()
    assert problem.explain_nonfinite(problem.x0) is None
