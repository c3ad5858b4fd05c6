"""Problems: the contract of value and derivatives, of the flat vector, and of starts."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import scipy.optimize

import symopt
from symopt.optim import Needs

TEXT = """\
data X[n, d], y[n]
param w[d] init normal(0, 0.5), b > -10 init 0
model z = X @ w + b
minimize mean(softplus(z) - y * z) + sumsq(w) / 2
"""


@pytest.fixture(scope="module")
def problem() -> symopt.Problem:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 3))
    return symopt.parse(TEXT).bind(X=X, y=(X[:, 0] > 0) * 1.0)


def test_shapes(problem):
    p, v, u = problem.start(1), np.ones(4), np.ones(40)
    assert problem.n == 4
    assert problem.names == ("w[0]", "w[1]", "w[2]", "b")
    assert isinstance(problem.value(p), float)
    assert problem.values(np.stack([p, p])).tolist() == [problem.value(p)] * 2
    assert problem.grad(p).shape == problem.hvp(p, v).shape == (4,)
    assert problem.hess(p).shape == (4, 4)
    assert problem.residuals(p).shape == problem.jvp(p, v).shape == (40,)
    assert problem.jac(p).shape == (40, 4)
    assert problem.vjp(p, u).shape == problem.gnvp(p, v).shape == (4,)
    matrix, gradient = problem.gauss_newton(p)
    assert matrix.shape == (4, 4)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_allclose(gradient, problem.grad(p), rtol=1e-13)
    assert problem.eval("z", p).shape == (40,)
    assert isinstance(problem.eval("b", p), float)


def test_out_receives_the_result_and_results_are_fresh(problem):
    p, v = problem.start(1), np.arange(4.0)
    out = np.empty(4)
    assert problem.grad(p, out=out) is out
    np.testing.assert_array_equal(out, problem.grad(p))
    value, gradient = problem.value_and_grad(p, out=out)
    assert gradient is out
    assert value == problem.value(p)
    first, second = problem.hvp(p, v), problem.hvp(p, 2 * v)
    np.testing.assert_array_equal(2 * first, second)
    matrix = np.empty((4, 4))
    assert problem.hess(p, out=matrix) is matrix


def test_methods_taken_before_the_first_call(problem):
    fresh = problem.rebind()
    value, gradient = fresh.value, fresh.grad
    p = problem.start(1)
    for _ in range(2):
        assert value(p) == fresh.value(p) == problem.value(p)
        np.testing.assert_array_equal(gradient(p), fresh.grad(p, out=np.zeros(4)))


def test_out_of_two_results(problem):
    p = problem.start(1)
    matrix, gradient = np.empty((4, 4)), np.empty(4)
    found = problem.gauss_newton(p, out=(matrix, gradient))
    assert found[0] is matrix
    assert found[1] is gradient
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_allclose(gradient, problem.grad(p), rtol=1e-13)


@pytest.mark.parametrize("shape", [(3,), (5,), (), (4, 1), (1, 4)])
def test_a_vector_of_another_shape_is_refused(problem, shape):
    with pytest.raises(symopt.DataError, match=r"p must have shape \(4,\), found"):
        problem.grad(np.zeros(shape))
    if shape != (4, 1):  # which are the columns of a matrix, one of them
        with pytest.raises(symopt.DataError, match=r"v must have shape \(4,\), found"):
            problem.hvp(problem.start(1), np.zeros(shape))


def test_starts_bounds_and_packing(problem):
    np.testing.assert_array_equal(problem.x0, problem.start(0))
    assert not np.array_equal(problem.start(1)[:3], problem.start(2)[:3])
    lower, upper = problem.bounds
    assert lower.tolist() == [-np.inf] * 3 + [-10]
    assert np.isposinf(upper).all()
    assert problem.open_bounds[0].tolist() == [False] * 3 + [True]
    p = problem.pack({"b": 2.0})
    np.testing.assert_array_equal(p[:3], problem.x0[:3])
    assert problem.unpack(p)["b"] == 2.0


def test_rebind_keeps_what_is_not_replaced(problem):
    other = problem.rebind(y=np.zeros(40))
    p = problem.start(1)
    assert other.value(p) != problem.value(p)
    assert other.rebind(y=problem._given["y"]).value(p) == problem.value(p)


def test_scipy_takes_ours(problem):
    result = scipy.optimize.minimize(**problem.scipy(), method="trust-constr")
    ours = symopt.minimize(problem)
    assert result.fun == pytest.approx(ours.fun, rel=1e-6)


def test_maximize_is_reported_as_written():
    text = "param x init 1\nmaximize 3 - (x - 2)^2"
    problem = symopt.parse(text).bind()
    assert problem.maximize
    assert problem.value([1.0]) == 2.0
    assert problem.grad([1.0]).tolist() == [2.0]
    result = symopt.minimize(problem)
    assert result.fun == pytest.approx(3)
    again = scipy.optimize.minimize(**problem.scipy(), method="trust-ncg")
    assert again.x == pytest.approx([2], abs=1e-4)


def test_what_a_problem_provides(problem):
    assert Needs.GAUSS_NEWTON in problem.provides
    assert Needs.RESIDUALS not in problem.provides
    plain = symopt.parse("param x init 1\nminimize x^4").bind()
    assert Needs.GAUSS_NEWTON not in plain.provides
    for ask in (plain.jac, plain.residuals, plain.gauss_newton):
        with pytest.raises(symopt.DerivativeUnavailable, match="model z"):
            ask([1.0])


def test_a_parameter_seen_only_through_steps_has_no_derivative():
    problem = symopt.parse("param a init 1, b init 2\nminimize a^2 + floor(b)").bind()
    assert problem.value([1.0, 2.5]) == 3.0
    with pytest.raises(symopt.DerivativeUnavailable, match="depends on `b` only through"):
        problem.grad([1.0, 2.0])


def test_unknown_definition(problem):
    with pytest.raises(symopt.DataError, match="there is no definition `zz`"):
        problem.eval("zz", problem.x0)


def test_threads_do_not_mix_results(problem):
    points = [problem.start(seed) for seed in range(8)]
    expected = [problem.grad(p) for p in points]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(300):
            if not np.array_equal(problem.grad(points[k]), expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_derivatives_of_a_definition(problem):
    p, v = problem.start(1), np.arange(4.0)
    jacobian = problem.jac(p, of="z")
    np.testing.assert_array_equal(jacobian, problem.jac(p))
    np.testing.assert_allclose(problem.jvp(p, v, of="z"), jacobian @ v, rtol=1e-13)
    u = np.linspace(-1, 1, 40)
    np.testing.assert_allclose(problem.vjp(p, u, of="z"), u @ jacobian, rtol=1e-12, atol=1e-14)
    with pytest.raises(symopt.DataError, match="there is no definition `zz`"):
        problem.jac(p, of="zz")


def test_standard_errors_of_reports_follow_from_the_covariance():
    """A straight line: the standard error of its value at t has a textbook formula."""
    rng = np.random.default_rng(5)
    x = np.linspace(0, 3, 20)
    y = 1 + 2 * x + rng.normal(0, 0.1, 20)
    model = symopt.parse(
        "data x[n], y[n], t\nparam a init 0, b init 0, c init 1\n"
        "residual r[i] = y[i] - a - b * x[i]\n"
        "report at = a + b * t\nreport f[i] = a + b * x[i]\nreport lost = c * b\n"
        "report count = sum(1 if y[i] > a else 0 for i)"
    )
    problem = model.bind(x=x, y=y, t=5.0)
    result = symopt.minimize(problem, method="lm")
    s2 = np.sum(result.residuals**2) / 18

    def textbook(t):
        return np.sqrt(s2 * (1 / 20 + (t - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)))

    def error(name):
        return problem.stderr_of(name, result.x, result.covariance)

    assert error("at") == pytest.approx(textbook(5.0), rel=1e-9)
    np.testing.assert_allclose(error("f"), textbook(x), rtol=1e-9)
    assert error("lost") == np.inf  # nothing determines c
    with pytest.raises(symopt.DerivativeUnavailable, match="`count` depends on `a` only through"):
        error("count")
