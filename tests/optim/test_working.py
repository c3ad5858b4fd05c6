"""The problem as methods see it: signs, fixed entries, counts."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim import Needs, Point, objective
from symopt.optim.working import WorkingProblem

HESSIAN = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 4.0]])
FREE = np.array([True, False, True])
ANCHOR = np.array([1.0, 10.0, 2.0])
P = np.array([5.0, 6.0])
FULL = np.array([5.0, 10.0, 6.0])


def view(maximize=False):
    whole = objective(
        lambda x: float(x @ HESSIAN @ x) / 2,
        grad=lambda x: HESSIAN @ x,
        hess=lambda x: HESSIAN,
        gauss_newton=lambda x: (HESSIAN, HESSIAN @ x),
        bounds=[(0, 1), (2, 3), (4, 5)],
        names=("a", "b", "c"),
        maximize=maximize,
    )
    return WorkingProblem(whole.sized(3), ANCHOR, FREE)


@pytest.mark.parametrize(("maximize", "sign"), [(False, 1), (True, -1)])
def test_everything_is_the_free_part_with_the_right_sign(maximize, sign):
    problem, block = view(maximize), HESSIAN[np.ix_(FREE, FREE)]
    gradient = (HESSIAN @ FULL)[FREE]
    v = np.array([1.0, -2.0])
    assert problem.n == 2
    assert problem.names == ("a", "c")
    assert problem.maximize is False
    assert problem.value(P) == sign * (FULL @ HESSIAN @ FULL) / 2
    np.testing.assert_array_equal(problem.x0, [1, 2])
    np.testing.assert_array_equal(problem.bounds, ([0, 4], [1, 5]))
    np.testing.assert_array_equal(problem.open_bounds, np.zeros((2, 2), bool))
    np.testing.assert_array_equal(problem.grad(P), sign * gradient)
    np.testing.assert_array_equal(problem.value_and_grad(P)[1], sign * gradient)
    np.testing.assert_array_equal(problem.hess(P), sign * block)
    np.testing.assert_array_equal(problem.hvp(P, v), sign * block @ v)
    np.testing.assert_array_equal(problem.gnvp(P, v), sign * block @ v)
    matrix, slope = problem.gauss_newton(P)
    np.testing.assert_array_equal(matrix, sign * block)
    np.testing.assert_array_equal(slope, sign * gradient)
    assert dict(problem.unpack(P)) == {"a": 5.0, "b": 10.0, "c": 6.0}


def test_points_as_written():
    written = view(maximize=True).as_written(Point(P, -7.0, np.array([1.0, 2.0])))
    assert written.value == 7.0
    np.testing.assert_array_equal(written.x, FULL)
    np.testing.assert_array_equal(written.gradient, [-1, 0, -2])


def test_residuals_and_jacobian_of_the_free_entries():
    whole = objective(residuals=lambda x: HESSIAN @ x, jac=lambda x: HESSIAN).sized(3)
    problem = WorkingProblem(whole, ANCHOR, FREE)
    np.testing.assert_array_equal(problem.residuals(P), HESSIAN @ FULL)
    np.testing.assert_array_equal(problem.jac(P), HESSIAN[:, FREE])


def test_a_maximized_sum_of_squares_is_no_least_squares_problem():
    whole = objective(residuals=lambda x: x, jac=np.diag, maximize=True).sized(3)
    problem = WorkingProblem(whole, ANCHOR, FREE)
    assert Needs.RESIDUALS not in problem.provides
    assert not problem.least_squares


def test_calls_are_counted():
    problem = view()
    problem.value(P), problem.value_and_grad(P), problem.grad(P)
    problem.gauss_newton(P), problem.hess(P), problem.hvp(P, P), problem.gnvp(P, P)
    counts = problem.counts
    assert (counts.values, counts.gradients, counts.hessians) == (2, 3, 3)


def test_the_last_nonfinite_place_is_remembered():
    whole = objective(lambda x: float(np.sqrt(x[0]))).sized(1)
    problem = WorkingProblem(whole, np.ones(1), np.ones(1, bool))
    problem.value(np.array([4.0]))
    assert problem.counts.nonfinite is None
    with np.errstate(invalid="ignore"):
        problem.value(np.array([-4.0]))
        np.testing.assert_array_equal(problem.counts.nonfinite, [-4.0])
        explanation = problem.explain_nonfinite(np.array([-4.0]))
    assert explanation == "the function returned nan at x = [-4.]"
