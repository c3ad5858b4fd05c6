"""Newton-Krylov: one step by hand, three kinds of products, negative curvature."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.second_order.newton_krylov import NewtonKrylov
from tests.optim.second_order.test_newton import stepped
from tests.optim.second_order.test_trust_region import (
    ROSENBROCK,
    SADDLE,
    quadratic,
    rosenbrock,
    rosenbrock_hessian,
)

NETWORK = """
data X[n, d], y[n]
dim h = 3
param U[d, h], v[h]
model z[i] = sum(v[k] * tanh(sum(X[i, j] * U[j, k] for j)) for k)
minimize mean(softplus(z) - y * z) + 0.01 * sumsq(U) + 0.01 * sumsq(v)
"""


def network(rng):
    x = rng.normal(size=(40, 2))
    return symopt.parse(NETWORK).bind(X=x, y=(x[:, 0] * x[:, 1] > 0) * 1.0)


def test_one_step_by_hand():
    """f = (x² + 9y²)/2 from (1, 1), half forced: one product leaves |r|/|g| = 0.49 of (1, 9)."""
    problem = quadratic(np.diag([1.0, 9.0]), np.zeros(2)).sized(2)
    gradient = np.array([1.0, 9.0])
    length = gradient @ gradient / (gradient @ (np.diag([1.0, 9.0]) @ gradient))
    residual = gradient - length * np.diag([1.0, 9.0]) @ gradient
    assert np.linalg.norm(residual) < 0.5 * np.linalg.norm(gradient)
    settings = NewtonKrylov(search="none")
    state = stepped(settings, problem, [1.0, 1.0])
    np.testing.assert_allclose(state.point.x, 1 - length * gradient, rtol=1e-12)


def test_without_forcing_it_is_newtons_step(rng):
    root = rng.normal(size=(5, 5))
    matrix, minimum = root @ root.T + np.eye(5), rng.normal(size=5)
    settings = NewtonKrylov(forcing=0.0, search="none")
    state = stepped(settings, quadratic(matrix, minimum).sized(5), np.ones(5))
    np.testing.assert_allclose(state.point.x, minimum, rtol=1e-8)


def test_complex_steps_give_the_same_products(rng):
    problem = network(rng)
    p, v = rng.normal(size=problem.n), rng.normal(size=problem.n)
    by_step, by_derivatives = problem.hvp_complex_step(p, v), problem.hvp(p, v)
    size = np.linalg.norm(by_derivatives)
    assert np.linalg.norm(by_step - by_derivatives) < 1e-14 * size * problem.n  # to rounding


@pytest.mark.parametrize("product", ["hvp", "complex-step", "gauss-newton"])
def test_all_products_reach_a_stationary_point(rng, product):
    problem, options = network(rng), {"product": product}
    start = 0.5 * rng.normal(size=problem.n)
    result = minimize(problem, "newton-krylov", x0=start, options=options)
    assert result.success, result.message
    assert np.abs(result.grad).max() < 1e-8
    assert result.fun < problem.value(start)


def test_complex_steps_make_the_same_run(rng):
    problem = network(rng)
    start = 0.5 * rng.normal(size=problem.n)
    runs = [
        minimize(problem, "Newton-CG", x0=start, max_iter=2, options={"product": product}).x
        for product in ("hvp", "complex-step")
    ]
    # Conjugate gradients magnify the rounding by which the products differ.
    np.testing.assert_allclose(*runs, rtol=1e-7)


def test_negative_curvature_is_descended():
    result = minimize(SADDLE, "newton-krylov", x0=[1.0, 1e-3])
    assert result.success
    np.testing.assert_allclose(result.x, [0, np.sqrt(0.5)], atol=1e-8)
    hill = objective(
        lambda x: float(np.cos(x[0])),
        grad=lambda x: -np.sin(x),
        hess=lambda x: np.array([[-np.cos(x[0])]]),
    )
    assert minimize(hill, "newton-krylov", x0=[0.1]).fun == pytest.approx(-1.0)


def test_rosenbrock_with_products_alone():
    problem = objective(
        rosenbrock, grad=ROSENBROCK["grad"], hvp=lambda x, v: rosenbrock_hessian(x) @ v
    )
    result = minimize(problem, "newton-krylov", x0=[-1.2, 1.0])
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-8)


def test_bounds():
    bounds = [(-2.0, 0.7), (0.0, 2.0)]
    problem = objective(rosenbrock, **ROSENBROCK, bounds=bounds)
    result = minimize(problem, "newton-krylov", x0=[-1.2, 1.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [0.7, 0.49], rtol=1e-8)


def test_products_that_there_are_not():
    problem = objective(rosenbrock, **ROSENBROCK)
    for product in ("complex-step", "gauss-newton"):
        with pytest.raises(DataError, match="newton-krylov with product"):
            minimize(problem, "newton-krylov", x0=[0.0, 0.0], options={"product": product})


@pytest.mark.parametrize("settings", [{"product": "dual"}, {"forcing": 1.0}, {"rate": 0.0}])
def test_bad_settings(settings):
    with pytest.raises(DataError):
        NewtonKrylov(**settings)
