"""Trust-region Newton: one step by hand, saddles, bounds, few evaluations, honest ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.methods import find_method
from symopt.optim.optimizer import Status
from symopt.optim.second_order.trust_region import TrustRegion

BOTH = pytest.mark.parametrize("name", ["trust-exact", "trust-ncg"])


def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def rosenbrock_gradient(x):
    inner = 200 * (x[1] - x[0] ** 2)
    return np.array([-2 * x[0] * inner - 2 * (1 - x[0]), inner])


def rosenbrock_hessian(x):
    return np.array([[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200.0]])


ROSENBROCK = {"grad": rosenbrock_gradient, "hess": rosenbrock_hessian}


def saddle(x):
    return float(x[0] ** 2 - x[1] ** 2 + x[1] ** 4)


SADDLE = objective(
    saddle,
    grad=lambda x: np.array([2 * x[0], -2 * x[1] + 4 * x[1] ** 3]),
    hess=lambda x: np.diag([2.0, -2 + 12 * x[1] ** 2]),
)


def quadratic(matrix, minimum):
    return objective(
        lambda x: float((x - minimum) @ matrix @ (x - minimum) / 2),
        grad=lambda x: matrix @ (x - minimum),
        hess=lambda x: matrix,
    )


@BOTH
def test_a_step_within_the_region_is_newtons(name, rng):
    root = rng.normal(size=(4, 4))
    matrix, minimum = root @ root.T + np.eye(4), rng.normal(size=4)
    problem = quadratic(matrix, minimum).sized(4)
    settings = find_method(name).settings({"radius": 1e6})
    state = settings.step(problem, settings.init(problem, np.ones(4)))
    # Truncated steps solve to a tenth; the second and third are tighter.
    for _ in range(0 if name == "trust-exact" else 5):
        state = settings.step(problem, state)
    np.testing.assert_allclose(state.point.x, minimum, atol=1e-3 if name == "trust-ncg" else 1e-12)


def test_one_step_on_the_boundary_by_hand():
    """f = (x² + 4y²)/2 from (1, 1): sizes are 1, so |s| <= radius √2; s = -(H + λ)⁻¹ g there."""
    problem = quadratic(np.diag([1.0, 4.0]), np.zeros(2)).sized(2)
    settings = TrustRegion(radius=0.5)
    state = settings.step(problem, settings.init(problem, np.ones(2)))
    length = 0.5 * np.sqrt(2)
    multipliers = np.roots(
        np.polysub(
            length**2 * np.polymul(np.poly([-1.0, -1.0]), np.poly([-4.0, -4.0])),
            np.polyadd(np.poly([-4.0, -4.0]), 16 * np.poly([-1.0, -1.0])),
        )
    )
    multiplier = max(m.real for m in multipliers if abs(m.imag) < 1e-9)
    expected = 1 - np.array([1 / (1 + multiplier), 4 / (4 + multiplier)])
    # The subproblem's length is exact to 1e-3.
    np.testing.assert_allclose(state.point.x, expected, atol=2e-3)
    # The model is the objective: the ratio is 1, and the radius doubles.
    assert state.radius == pytest.approx(2 * length, rel=1e-3)


@BOTH
def test_a_step_that_rises_is_taken_back_to_where_the_parabola_is_least(name):
    """f = x - ln x from 3: the Newton step ends at -3, where there is no logarithm."""
    problem = objective(
        lambda x: float(x[0] - np.log(x[0])),
        grad=lambda x: 1 - 1 / x,
        hess=lambda x: np.array([[1 / x[0] ** 2]]),
    ).sized(1)
    settings = find_method(name).settings({"radius": 10.0})
    with np.errstate(invalid="ignore"):
        state = settings.step(problem, settings.init(problem, np.array([3.0])))
    # Tenths of the step of -6 that failed: -0.6.
    assert state.point.x == pytest.approx(2.4)


def test_a_saddle_with_no_gradient_is_left():
    settings = TrustRegion()
    problem = SADDLE.sized(2)
    state = settings.step(problem, settings.init(problem, np.zeros(2)))
    assert state.point.value < 0
    result = minimize(SADDLE, "trust-region", x0=[1.0, 0.0])
    assert result.success
    np.testing.assert_allclose(np.abs(result.x), [0, np.sqrt(0.5)], atol=1e-8)


@BOTH
def test_saddles_are_left(name):
    result = minimize(SADDLE, name, x0=[1.0, 1e-5])
    assert result.success
    np.testing.assert_allclose(result.x, [0, np.sqrt(0.5)], atol=1e-8)
    assert result.fun == pytest.approx(-0.25, rel=1e-14)


@BOTH
def test_to_rounding_with_no_more_evaluations_than_scipy(name):
    theirs = scipy_minimize(
        rosenbrock,
        [-1.2, 1.0],
        method=name,
        jac=rosenbrock_gradient,
        hess=rosenbrock_hessian,
    )
    result = minimize(objective(rosenbrock, **ROSENBROCK), name, x0=[-1.2, 1.0])
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-10)
    assert result.nfev <= theirs.nfev + 3  # and further: to rounding instead of to 1e-4


@BOTH
def test_bounds(name):
    bounds = [(-2.0, 0.7), (0.0, 2.0)]
    result = minimize(objective(rosenbrock, **ROSENBROCK, bounds=bounds), name, x0=[-1.2, 1.0])
    assert result.success, result.message
    assert result.x[0] == 0.7
    np.testing.assert_allclose(result.x, [0.7, 0.49], rtol=1e-8)


@BOTH
def test_many_bounds(name):
    target = np.linspace(-3, 3, 20)
    result = minimize(
        objective(
            lambda x: float(np.sum((x - target) ** 4 + (x - target) ** 2)),
            grad=lambda x: 4 * (x - target) ** 3 + 2 * (x - target),
            hess=lambda x: np.diag(12 * (x - target) ** 2 + 2),
            bounds=[(-0.3, 0.3)] * 20,
        ),
        name,
        x0=np.zeros(20),
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, np.clip(target, -0.3, 0.3), atol=1e-9)


@BOTH
def test_singular_hessian(name):
    """(x + y - 1)² + ... has a line of minima: the shortest way to it is taken."""
    problem = objective(
        lambda x: float((x[0] + x[1] - 1) ** 2),
        grad=lambda x: 2 * (x[0] + x[1] - 1) * np.ones(2),
        hess=lambda x: 2 * np.ones((2, 2)),
    )
    result = minimize(problem, name, x0=[3.0, 0.0])
    assert result.success
    np.testing.assert_allclose(result.x, [2.0, -1.0], atol=1e-6)


@BOTH
def test_a_minimum_with_no_curvature(name):
    problem = objective(
        lambda x: float(np.sum((x - 1) ** 4)),
        grad=lambda x: 4 * (x - 1) ** 3,
        hess=lambda x: np.diag(12 * (x - 1) ** 2),
    )
    result = minimize(problem, name, x0=[3.0, 0.0])
    assert result.success
    assert result.nit < 100
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)


@BOTH
@pytest.mark.parametrize("x0", [-3.0, 0.5])
def test_one_unknown(name, x0):
    problem = objective(
        lambda x: float(x[0] ** 4 + x[0]),
        grad=lambda x: 4 * x**3 + 1,
        hess=lambda x: np.array([[12 * x[0] ** 2]]),
    )
    result = minimize(problem, name, x0=[x0])
    assert result.success
    assert result.x[0] == pytest.approx(-(0.25 ** (1 / 3)), rel=1e-8)


@BOTH
def test_a_wrong_gradient_is_found_out(name):
    problem = objective(
        lambda x: float(x @ x) + 1, grad=lambda x: -2 * x, hess=lambda x: 2 * np.eye(2)
    )
    result = minimize(problem, name, x0=[1.0, 2.0])
    assert not result.success
    assert result.status == Status.STALLED.code
    np.testing.assert_array_equal(result.x, [1.0, 2.0])


@BOTH
def test_a_hessian_that_is_not_finite(name):
    problem = objective(
        lambda x: float(x @ x), grad=lambda x: 2 * x, hess=lambda x: np.full((2, 2), np.nan)
    )
    result = minimize(problem, name, x0=[1.0, 2.0])
    assert result.status == Status.NONFINITE.code


def test_hessian_by_products_alone():
    problem = objective(
        rosenbrock, grad=rosenbrock_gradient, hvp=lambda x, v: rosenbrock_hessian(x) @ v
    )
    result = minimize(problem, "trust-exact", x0=[-1.2, 1.0])
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-8)


def test_the_better_of_two_models_is_used():
    """Where residuals are zero in the end, Gauss-Newton foretells better from far away."""

    def residuals(x):
        return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    def jacobian(x):
        return np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])

    problem = objective(residuals=residuals, jac=jacobian, hess=rosenbrock_hessian)
    start = [-12.0, 10.0]
    both = minimize(problem, "trust-region", x0=start)
    one = minimize(problem, "trust-region", x0=start, options={"curvature": "hessian"})
    np.testing.assert_allclose(both.x, 1.0, rtol=1e-8)
    np.testing.assert_allclose(one.x, 1.0, rtol=1e-8)
    assert both.nfev < one.nfev


@pytest.mark.parametrize("settings", [{"subproblem": "dogleg"}, {"radius": 0.0}, {"curvature": ""}])
def test_bad_settings(settings):
    with pytest.raises(DataError):
        TrustRegion(**settings)
