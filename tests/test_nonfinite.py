"""Where a nan or inf came from, in words."""

from __future__ import annotations

import numpy as np
import pytest

import symopt


def explained(text, data=None, p=None, function=None, **more):
    problem = symopt.parse(text, "program.sym").bind(data or {})
    return problem.explain_nonfinite(problem.x0 if p is None else p, function, **more)


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


WHOLE = [
    (
        "data x[n]\nparam s init 1\nz[i] = log(s - x[i])\nminimize sum(z[i] for i)",
        {"x": [0.0, 0.5, 1.5, 1.25]},
        "`log(s - x[i])` at 3:8, i = 2, s - x[i] = -0.5, in the value: "
        "log of -0.5 is nan (line 3, z[2])",
    ),
    (
        "param x init 0\ny = sqrt(x)\nminimize y + x",
        {},
        "`sqrt(x)` at 2:5, x = 0, in the gradient by x: its derivative by x is inf (line 2, y)",
    ),
    (  # an index array: which entry it was
        "data cam[m] in n, o[m]\nparam c[n] init 0\nresidual r[k] = o[k] - 1/(c[cam[k]])",
        {"cam": [0, 2, 1], "n": 3, "o": [1.0, 2.0, 3.0]},
        "`1/(c[cam[k]])` at 3:24, k = 0, cam[k] = 0, c[cam[k]] = 0, in the value: "
        "1.0 / c[cam[k]] is inf (line 3, r[0])",
    ),
    (  # overflow
        "data x[n]\nparam a init 800\nz = exp(a * x)\nminimize sum(z)",
        {"x": [0.1, 1.0]},
        "`exp(a * x)` at 3:5, i = 1, a * x = 800, in the value: exp of 800 is inf (line 3, z[1])",
    ),
    (  # through a reduction that passes a nan on, and not the -inf that logsumexp takes
        "data x[n]\nparam a init 1\nminimize max(log(a-x))",
        {"x": [0.1, 2.0]},
        "`log(a-x)` at 3:14, k = 1, a-x = -1, in the value: "
        "log of -1 is nan (line 3, the objective)",
    ),
    (  # 0/0 of what has no name in the program
        "data x[n]\nparam a init 1\nminimize a + logsumexp(log(a-x)) + mean(x[i] for i if x[i]>5)",
        {"x": [0.1, 1.0]},
        "0 / 0 is nan (line 3, the objective)",
    ),
    (  # nothing to reduce
        "data x[n]\nparam a init 1\nminimize max(a*x)",
        {"x": []},
        "has nothing to run over, in the value",
    ),
    (  # in a function: where it is written there, and which definition called it
        "def f(u) = log(u)\ndata x[n]\nparam a init 1\nz[i] = f(a - x[i])*2\nminimize sum(z)",
        {"x": [0.1, 1.5]},
        "`log(u)` at 1:12, i = 1, u = -0.5, in the value: log of -0.5 is nan (line 4, z[1])",
    ),
    (  # the first of several, and an origin other than 0
        "data x[n]\nparam a init 1\nz[i] = log(a-x[i]) for i in range(1, n)\n"
        "minimize sum(z[i] for i in range(1, n)) + log(-a)",
        {"x": [5.0, 0.5, 2.0]},
        "`log(a-x[i])` at 3:8, i = 2, a-x[i] = -1, in the value: log of -1 is nan (line 3, z[2])",
    ),
    (
        "param x init 0, w[2] init 1\ny[i] = w[i]*sqrt(x+i)\nminimize sum(y)",
        {},
        "`sqrt(x+i)` at 2:13, i = 0, x+i = 0, in the gradient by x: "
        "its derivative by x+i is inf (line 2, y[0])",
    ),
]


@pytest.mark.parametrize(("text", "data", "words"), WHOLE)
def test_the_operation_is_shown_as_it_is_written(text, data, words):
    found = explained(text, {k: np.asarray(v) for k, v in data.items()})
    assert found is not None
    assert words in found


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("hvp", "in the Hessian-vector product by x: its second derivative by x is inf"),
        ("hess", "in the Hessian by x and x: its second derivative by x is inf"),
        ("hess_sparse", "in the Hessian by x and x"),
    ],
)
def test_second_derivatives(function, words):
    text = "param x init 0\ny = x^1.5\nminimize y + x"
    assert explained(text) is None  # value and gradient are finite
    found = explained(text, function=function)
    assert found is not None
    assert found.startswith("`x^1.5` at 2:5, x = 0, in the Hessian")
    assert words in found


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("jac", "in the Jacobian of y[1] by x[1]"),
        ("jac_sparse", "in the Jacobian of y[1] by x[1]"),
        ("jvp", "in the Jacobian-vector product of y[1]"),
        ("vjp", "in the vector-Jacobian product by x[1]"),
        ("gauss_newton", "in the Gauss-Newton matrix by x[1]"),
        ("gnvp", "in the Gauss-Newton product by x[1]"),
        (None, "in the gradient by x[1]"),
    ],
)
def test_functions_of_the_cut(function, words):
    text = (
        "param x[2] init 0\nmodel y[i] = sqrt(x[i]) if i == 1 else x[i]\n"
        "minimize sum((y[i] - 1)^2 for i)"
    )
    found = explained(text, function=function)
    assert found is not None
    assert found.startswith(f"`sqrt(x[i])` at 2:14, i = 1, x[i] = 0, {words}")


def test_weights_and_directions_that_are_given():
    text = "param x[2] init 0\nmodel y[i] = sqrt(x[i])\nminimize sum(y)"
    found = explained(text, function="vjp", u=[0.0, 1.0])
    assert found is not None
    assert "i = 1" in found  # a weight of 0 blames nothing


def test_a_branch_not_taken_is_not_blamed():
    problem = symopt.parse(
        "data x[n]\nparam s init 0.2\nq[i] = log(x[i] - s)\n"
        "minimize sum(q[i] if x[i] > s else s^2 for i) + log(s - 1)"
    ).bind(x=[0.1, 0.5])
    explained = problem.explain_nonfinite(problem.x0)
    assert explained is not None
    assert "log of -0.8" in explained


def test_what_is_given_is_blamed_itself():
    found = explained("data x[n]\nparam a init 1\nminimize a*sum(x)", {"x": [1.0, np.inf]})
    assert found == "`x[1]` is inf, in the value"
    found = explained("param a[2] init 1\nminimize sum(a)", p=[1.0, np.nan])
    assert found == "`a[1]` is nan, in the value"


def test_a_sum_that_overflows_as_a_whole():
    found = explained("data x[n]\nparam a init 1\nminimize sum(a*x)", {"x": [1e308, 1e308]})
    assert found is not None
    assert "the sum for" in found
    assert "overflows, in the value" in found


def test_a_fit_that_runs_into_it_says_so():
    problem = symopt.parse("param s init 1\nminimize log(s) + s/1000").bind()
    result = symopt.minimize(problem, "gradient-descent", options={"rate": 3.0})
    assert not result.success
    assert "`log(s)` at 2:10" in result.message


def test_recurrences():
    text = (
        "data u[T]\nparam a init 2\nh[0] = 1\n"
        "h[t] = log(h[t-1] - a*u[t-1]) for t in range(1, T+1)\nminimize h[T]"
    )
    found = explained(text, {"u": [-1.0, -1.0, 2.0]})
    assert found is not None
    assert found.startswith("`log(h[t-1] - a*u[t-1])` at 4:8, t = 3, h[t-1] - a*u[t-1] = -2.86")
    assert "(line 4, h[3])" in found
    text = text.replace("log(h[t-1] - a*u[t-1])", "h[t-1] + sqrt(a)*u[t-1]")
    found = explained(text, {"u": [1.0, 1.0]}, [0.0])
    assert found is not None
    assert "`sqrt(a)` at 4:17" in found
    assert "in the gradient by a: its derivative by a is inf" in found


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("inv", "the inverse in line 3 is of a matrix that is singular, i = 1, in the value"),
        (
            "cholesky",
            "Cholesky factor in line 3 is of a matrix that is not positive definite, i = 1",
        ),
        ("logdet", "line 3 is of a matrix whose determinant is not above 0, i = 1, in the value"),
        (
            "det",
            "the inverse in line 3 is of a matrix that is singular, i = 1, in the gradient by s",
        ),
    ],
)
def test_functions_of_matrices(function, expected):
    text = f"data A[m, d, d]\nparam s init 1\nz[i] = {function}(A[i] - s)\nminimize sum(z)"
    matrices = np.array([[[2.0, 0.0], [0.0, 3.0]], [[2.0, 3.0], [3.0, 5.0]]])
    found = explained(text, {"A": matrices})
    assert found is not None
    assert expected in found


def test_finite_points_need_no_explanation():
    problem = symopt.parse("param s init 2\nminimize log(s)").bind()
    assert problem.explain_nonfinite(problem.x0) is None
