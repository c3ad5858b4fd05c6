"""Newton's method: exact on quadratics, as published where asked for, robust otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.optimizer import Status
from symopt.optim.schedules import Inverse
from symopt.optim.second_order.newton import Newton
from tests.optim.second_order.test_trust_region import (
    ROSENBROCK,
    SADDLE,
    quadratic,
    rosenbrock,
    rosenbrock_gradient,
    rosenbrock_hessian,
)


def stepped(settings, problem, x, count=1):
    state = settings.init(problem, np.array(x))
    for _ in range(count):
        state = settings.step(problem, state)
    return state


@pytest.mark.parametrize("modify", ["ldl", "eigenvalues", "none"])
@pytest.mark.parametrize("n", [1, 5])
def test_one_step_on_a_quadratic(rng, modify, n):
    root = rng.normal(size=(n, n))
    matrix, minimum = root @ root.T + np.eye(n), rng.normal(size=n)
    problem = quadratic(matrix, minimum)
    state = stepped(Newton(modify=modify), problem.sized(n), np.zeros(n))
    np.testing.assert_allclose(state.point.x, minimum, rtol=1e-10)
    result = minimize(problem, "newton", x0=np.zeros(n), options={"modify": modify})
    assert result.success
    assert result.nit <= 2  # the second one is of rounding


@pytest.mark.parametrize("rate", [1.0, 0.3, 1.7])
def test_one_step_by_the_formula(rate):
    """w -= η H⁻¹ g; the default's search accepts the first length on Rosenbrock's function here."""
    x = np.array([-1.2, 1.0])
    step = np.linalg.solve(rosenbrock_hessian(x), rosenbrock_gradient(x))
    problem = objective(rosenbrock, **ROSENBROCK).sized(2)
    state = stepped(Newton(rate=rate, modify="none"), problem, x)
    np.testing.assert_allclose(state.point.x, x - rate * step, rtol=1e-12)
    if rate == 1.0:
        state = stepped(Newton(), problem, x)
        np.testing.assert_allclose(state.point.x, x - step, rtol=1e-9)


def test_damped_steps_shrink_the_error_by_what_is_left():
    """On a quadratic the error is multiplied by 1 - η: η = 2 never ends, 2.1 diverges."""
    problem, start = quadratic(np.diag([1.0, 40.0]), np.zeros(2)).sized(2), [1.0, -2.0]
    for rate in (0.5, 1.5, 2.0, 2.1):
        state = stepped(Newton(rate=rate, modify="none"), problem, start, count=6)
        expected = (1 - rate) ** 6 * np.array(start)
        np.testing.assert_allclose(state.point.x, expected, rtol=1e-10)


def test_as_published_it_goes_to_saddles_and_the_default_does_not():
    start = [0.3, 0.2]
    published = minimize(SADDLE, "newton", x0=start, options={"modify": "none"})
    np.testing.assert_allclose(published.x, 0.0, atol=1e-8)
    for modify in ("ldl", "eigenvalues"):
        result = minimize(SADDLE, "newton", x0=start, options={"modify": modify})
        assert result.success
        np.testing.assert_allclose(np.abs(result.x), [0, np.sqrt(0.5)], atol=1e-7)


def test_as_published_it_diverges_where_curvature_falls_off():
    """f = sqrt(1 + x²): the step leads from x to -x³."""
    problem = objective(
        lambda x: float(np.sqrt(1 + x[0] ** 2)),
        grad=lambda x: x / np.sqrt(1 + x**2),
        hess=lambda x: np.diag((1 + x**2) ** -1.5),
    )
    state = stepped(Newton(modify="none"), problem.sized(1), [1.5], count=3)
    assert state.point.x == pytest.approx(-(1.5**27), rel=1e-6)
    published = minimize(problem, "newton", x0=[1.5], options={"modify": "none"})
    assert not published.success
    assert published.fun == pytest.approx(np.sqrt(1 + 1.5**2))  # the best point so far
    assert minimize(problem, "newton", x0=[1.5]).x == pytest.approx(0.0, abs=1e-8)


def test_the_rate_follows_a_schedule():
    problem, start = quadratic(np.eye(1), np.zeros(1)).sized(1), [1.0]
    state = stepped(Newton(modify="none", schedule=Inverse()), problem, start, count=1)
    assert state.point.x == 0.0
    settings = Newton(modify="none", rate=0.5, schedule=Inverse())
    state = stepped(settings, problem, start, count=3)
    assert state.point.x == pytest.approx((1 - 0.5) * (1 - 0.5 / 2) * (1 - 0.5 / 3))


@pytest.mark.parametrize("modify", ["ldl", "eigenvalues"])
@pytest.mark.parametrize("search", ["auto", "armijo", "strong-wolfe", "hager-zhang"])
def test_rosenbrock(modify, search):
    options = {"modify": modify, "search": search}
    result = minimize(
        objective(rosenbrock, **ROSENBROCK), "newton", x0=[-1.2, 1.0], options=options
    )
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-8)
    assert result.nit < 40


def test_bounds():
    bounds = [(-2.0, 0.7), (0.0, 2.0)]
    result = minimize(objective(rosenbrock, **ROSENBROCK, bounds=bounds), "newton", x0=[-1.2, 1.0])
    assert result.success, result.message
    assert result.x[0] == 0.7
    np.testing.assert_allclose(result.x, [0.7, 0.49], rtol=1e-8)


def test_singular_hessian():
    problem = objective(
        lambda x: float((x[0] + x[1] - 1) ** 2),
        grad=lambda x: 2 * (x[0] + x[1] - 1) * np.ones(2),
        hess=lambda x: 2 * np.ones((2, 2)),
    )
    result = minimize(problem, "newton", x0=[3.0, 0.0])
    assert result.success
    assert result.x.sum() == pytest.approx(1.0, rel=1e-12)
    published = minimize(problem, "newton", x0=[3.0, 0.0], options={"modify": "none"})
    assert published.status == Status.STALLED.code


def test_a_wrong_gradient_is_found_out():
    problem = objective(
        lambda x: float(x @ x) + 1, grad=lambda x: -2 * x, hess=lambda x: 2 * np.eye(2)
    )
    assert minimize(problem, "newton", x0=[1.0, 2.0]).status == Status.STALLED.code


def test_a_hessian_that_is_not_finite():
    problem = objective(
        lambda x: float(x @ x), grad=lambda x: 2 * x, hess=lambda x: np.full((2, 2), np.nan)
    )
    assert minimize(problem, "newton", x0=[1.0, 2.0]).status == Status.NONFINITE.code


def test_backs_off_from_where_the_objective_is_not_defined():
    problem = objective(
        lambda x: float(x[0] - np.log(x[0])),
        grad=lambda x: 1 - 1 / x,
        hess=lambda x: np.array([[1 / x[0] ** 2]]),
    )
    result = minimize(problem, "newton", x0=[3.0])
    assert result.success
    assert result.x == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("settings", [{"modify": "abs"}, {"rate": -1.0}, {"search": "golden"}])
def test_bad_settings(settings):
    with pytest.raises(DataError):
        Newton(**settings)
