"""Problems made of plain functions: what they provide, and how they complain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import Bounds

from symopt.diagnostics import DataError
from symopt.optim import Needs, objective

MATRIX = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])


def squares(**extra):
    return objective(residuals=lambda x: MATRIX @ x - 1, jac=lambda x: MATRIX, **extra).sized(2)


def test_provides_what_was_given_and_what_follows():
    def provided(**functions):
        return objective(lambda x: 0.0, **functions).sized(2).provides

    first_order = Needs.VALUE | Needs.GRADIENT | Needs.FISHER
    assert provided() == Needs.VALUE
    assert provided(grad=abs) == first_order
    assert provided(hvp=abs) == Needs.VALUE | Needs.HVP
    assert provided(grad=abs, hess=abs) == first_order | Needs.HESSIAN | Needs.HVP
    assert provided(gauss_newton=abs) == first_order | Needs.GAUSS_NEWTON
    assert squares().provides == first_order | Needs.RESIDUALS | Needs.GAUSS_NEWTON
    assert objective(residuals=abs).sized(2).provides == Needs.VALUE


def test_least_squares_derivatives_are_without_a_half():
    problem, x = squares(), np.array([0.5, -1.0])
    residuals = MATRIX @ x - 1
    assert problem.least_squares
    assert problem.value(x) == residuals @ residuals
    np.testing.assert_array_equal(problem.grad(x), 2 * MATRIX.T @ residuals)
    matrix, gradient = problem.gauss_newton(x)
    np.testing.assert_array_equal(matrix, 2 * MATRIX.T @ MATRIX)
    np.testing.assert_array_equal(gradient, problem.grad(x))
    np.testing.assert_array_equal(problem.gnvp(x, x), 2 * MATRIX.T @ (MATRIX @ x))
    value, slope = problem.value_and_grad(x)
    assert value == problem.value(x)
    np.testing.assert_array_equal(slope, problem.grad(x))


def test_hessian_products_come_from_the_hessian_or_from_their_own_function():
    hessian = np.array([[2.0, 1.0], [1.0, 3.0]])
    v = np.array([1.0, -1.0])
    dense = objective(lambda x: 0.0, hess=lambda x: hessian).sized(2)
    product = objective(lambda x: 0.0, hvp=lambda x, v: hessian @ v).sized(2)
    np.testing.assert_array_equal(dense.hvp(v, v), hessian @ v)
    np.testing.assert_array_equal(product.hvp(v, v), hessian @ v)


def test_names():
    plain, named = squares(), squares(names=("a", "b"))
    x = np.array([1.0, 2.0])
    assert plain.names == ("x[0]", "x[1]")
    np.testing.assert_array_equal(plain.unpack(x)["x"], x)
    assert dict(named.unpack(x)) == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize(
    "bounds", [[(0, None), (None, 2)], Bounds([0, -np.inf], [np.inf, 2])], ids=["pairs", "scipy"]
)
def test_bounds(bounds):
    lower, upper = squares(bounds=bounds).bounds
    np.testing.assert_array_equal(lower, [0, -np.inf])
    np.testing.assert_array_equal(upper, [np.inf, 2])
    assert not np.any(squares(bounds=bounds).open_bounds)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: objective(), "needs `fun` or `residuals`"),
        (lambda: objective(abs, residuals=abs), "not both"),
        (lambda: squares(names=("a",)), "`names` has length 1, expected 2"),
        (lambda: squares(bounds=[(0, 1)]), "`bounds` has length 1, expected 2"),
        (lambda: squares(bounds=[(0, 1), (2, 1)]), "entry 1 has the lower bound 2.0 above"),
        (lambda: squares(bounds=Bounds([0] * 3, [1] * 3)), "`bounds` has length 3"),
    ],
)
def test_refused_when_made(make, words):
    with pytest.raises(DataError, match=words):
        make()


def test_wrong_results_name_the_function():
    x = np.zeros(2)
    with pytest.raises(DataError, match=r"`grad` returned shape \(3,\), expected \(2,\)"):
        objective(abs, grad=lambda x: np.zeros(3)).sized(2).grad(x)
    with pytest.raises(DataError, match=r"`jac` returned shape \(2, 3\), expected \(…, 2\)"):
        objective(residuals=abs, jac=lambda x: np.zeros((2, 3))).sized(2).jac(x)
    with pytest.raises(DataError, match="`grad` is not an array of numbers"):
        objective(abs, grad=lambda x: ["a", "b"]).sized(2).grad(x)
    with pytest.raises(DataError, match="made without `hess`"):
        objective(abs).sized(2).hess(x)


@pytest.mark.parametrize("value", [2.0, 2, np.float32(2), np.array(2.0), np.array([[2.0]]), [2]])
def test_a_value_may_be_any_single_number(value):
    assert objective(lambda x: value).sized(2).value(np.zeros(2)) == 2.0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "`fun` returned None, expected a number"),
        ("a", "`fun` returned 'a', expected a number"),
        (np.ones(2), r"`fun` returned shape \(2,\), expected \(\)"),
    ],
)
def test_what_is_no_value(value, words):
    with pytest.raises(DataError, match=words):
        objective(lambda x: value).sized(2).value(np.zeros(2))
