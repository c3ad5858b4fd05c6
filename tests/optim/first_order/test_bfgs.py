"""BFGS against certified values and SciPy, and its update against the textbook's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

from symopt.diagnostics import DataError
from symopt.optim import Point, minimize, objective
from symopt.optim.first_order.bfgs import BFGS, _direction, _updated
from tests.support.nist import load_problems, log_relative_error

NIST = load_problems()


@pytest.mark.parametrize("name", NIST)
def test_nist_from_the_second_start(name):
    problem = NIST[name]
    result = minimize(problem.plain_objective(), "BFGS", x0=problem.starts[1])
    assert result.success, result.message
    found = _in_order(result.x) if name.startswith("Lanczos") else result.x
    assert log_relative_error(found, problem.certified) >= 6


def _in_order(parameters):
    """Amplitudes and rates of sums of exponentials by their rates: the terms may change places."""
    terms = parameters.reshape(-1, 2)
    return terms[np.argsort(terms[:, 1])].ravel()


def test_units_do_not_matter():
    """Powers of two rescale without rounding, so the two runs are the same run."""
    problem = NIST["Misra1a"]
    units = np.array([2.0**10, 2.0**-20])
    scaled = objective(
        lambda u: np.sum(problem.residuals(u * units) ** 2),
        grad=lambda u: 2 * units * (problem.jacobian(u * units).T @ problem.residuals(u * units)),
        names=["b1", "b2"],
    )
    plain = minimize(problem.plain_objective(), "bfgs", x0=problem.starts[0])
    other = minimize(scaled, "bfgs", x0=problem.starts[0] / units)
    np.testing.assert_allclose(other.x * units, plain.x, rtol=1e-9)
    assert abs(other.nit - plain.nit) <= 2


def test_update_is_the_textbook_formula(rng):
    """METHODS: B += ss'/(s.y) - (By)(By)'/(y.By) + (y.By) uu', u = s/(s.y) - By/(y.By)."""
    n = 5
    root = rng.normal(size=(n, n))
    inverse = root @ root.T + np.eye(n)
    step, change = rng.normal(size=n), rng.normal(size=n)
    if step @ change < 0:
        change = -change
    old = Point(np.zeros(n), 1.0, np.zeros(n))
    new = Point(step, 0.5, change)
    product = inverse @ change
    u = step / (step @ change) - product / (change @ product)
    expected = (
        inverse
        + np.outer(step, step) / (step @ change)
        - np.outer(product, product) / (change @ product)
        + (change @ product) * np.outer(u, u)
    )
    found = _updated(inverse, old, new, rescale=False)
    # A few hundred roundings of entries of order 10.
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found @ change, step, rtol=1e-10)


def test_negative_curvature_is_not_learnt():
    old = Point(np.zeros(2), 1.0, np.array([1.0, 0.0]))
    new = Point(np.array([-1.0, 0.0]), 0.0, np.array([2.0, 0.0]))
    np.testing.assert_array_equal(_updated(np.eye(2), old, new, rescale=True), np.eye(2))


def test_held_entries_leave_the_newton_step_of_the_rest(rng):
    root = rng.normal(size=(4, 4))
    hessian = root @ root.T + np.eye(4)
    gradient = rng.normal(size=4)
    held = np.array([False, True, False, True])
    found = _direction(np.linalg.inv(hessian), gradient, ~held)
    expected = -np.linalg.solve(hessian[np.ix_(~held, ~held)], gradient[~held])
    np.testing.assert_allclose(found[~held], expected, rtol=1e-10)
    np.testing.assert_array_equal(found[held], 0)


def test_rosenbrock_with_bounds_agrees_with_lbfgsb():
    def value(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    def gradient(x):
        inner = 200 * (x[1] - x[0] ** 2)
        return np.array([-2 * x[0] * inner - 2 * (1 - x[0]), inner])

    bounds = [(-2.0, 0.7), (0.0, 2.0)]
    result = minimize(objective(value, grad=gradient, bounds=bounds), "bfgs", x0=[-1.2, 1.0])
    expected = scipy_minimize(
        value, [-1.2, 1.0], jac=gradient, bounds=bounds, method="L-BFGS-B", tol=1e-14
    )
    assert result.success, result.message
    assert result.x[0] == 0.7
    np.testing.assert_allclose(result.x, expected.x, rtol=1e-6)


def test_many_bounds():
    """The projection of a point onto a box, all bounds active but two."""
    target = np.linspace(-3, 3, 20)
    result = minimize(
        objective(
            lambda x: float(np.sum((x - target) ** 4 + (x - target) ** 2)),
            grad=lambda x: 4 * (x - target) ** 3 + 2 * (x - target),
            bounds=[(-0.3, 0.3)] * 20,
        ),
        "bfgs",
        x0=np.zeros(20),
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, np.clip(target, -0.3, 0.3), atol=1e-9)


def test_backs_off_from_where_the_objective_is_not_defined():
    result = minimize(
        objective(lambda x: float(x[0] - np.log(x[0])), grad=lambda x: 1 - 1 / x),
        "bfgs",
        x0=[1e-3],
    )
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-8)


@pytest.mark.parametrize("settings", [{"decrease": 0.7}, {"curvature": 1.5}])
def test_bad_settings(settings):
    with pytest.raises(DataError):
        BFGS(**settings)
