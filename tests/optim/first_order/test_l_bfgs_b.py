"""L-BFGS-B on problems with published and with closed-form solutions, and beside SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

from symopt.diagnostics import DataError
from symopt.optim import iterate, minimize, objective
from symopt.optim.first_order.l_bfgs import LBFGS
from symopt.optim.first_order.l_bfgs_b import LBFGSB
from tests.optim.first_order.quadratics import quadratic


def _rosenbrock(x):
    return float(100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)


def _rosenbrock_gradient(x):
    inner = 200 * (x[1] - x[0] ** 2)
    return np.array([-2 * x[0] * inner - 2 * (1 - x[0]), inner])


def _hs5(x):
    return float(np.sin(x[0] + x[1]) + (x[0] - x[1]) ** 2 - 1.5 * x[0] + 2.5 * x[1] + 1)


def _hs5_gradient(x):
    wave, apart = np.cos(x[0] + x[1]), 2 * (x[0] - x[1])
    return np.array([wave + apart - 1.5, wave - apart + 2.5])


def _hs110(x):
    return float(np.sum(np.log(x - 2) ** 2 + np.log(10 - x) ** 2) - np.prod(x) ** 0.2)


def _hs110_gradient(x):
    logs = 2 * np.log(x - 2) / (x - 2) - 2 * np.log(10 - x) / (10 - x)
    return logs - 0.2 * np.prod(x) ** 0.2 / x


# Hock and Schittkowski, LNEMS 187 (1981): bounds, start and minima. HS2 has two; from its start
# (moved into the bounds) local methods end in the one that is not global.
HOCK_SCHITTKOWSKI = {
    "1": (_rosenbrock, _rosenbrock_gradient, [(None, None), (-1.5, None)], [-2, 1], (0.0,)),
    "2": (
        _rosenbrock,
        _rosenbrock_gradient,
        [(None, None), (1.5, None)],
        [-2, 1.5],
        (0.0504261879, 4.941229318),
    ),
    "5": (_hs5, _hs5_gradient, [(-1.5, 4), (-3, 3)], [0, 0], (-np.sqrt(3) / 2 - np.pi / 3,)),
    "110": (_hs110, _hs110_gradient, [(2.001, 9.999)] * 10, [9] * 10, (-45.77846971,)),
}


@pytest.mark.parametrize("name", HOCK_SCHITTKOWSKI)
def test_hock_schittkowski(name):
    value, gradient, bounds, start, minima = HOCK_SCHITTKOWSKI[name]
    result = minimize(objective(value, grad=gradient, bounds=bounds), "L-BFGS-B", x0=start)
    assert result.success, result.message
    # As many digits as are published.
    assert min(abs(result.fun - minimum) for minimum in minima) <= 1e-8
    expected = scipy_minimize(
        value, start, jac=gradient, bounds=bounds, method="L-BFGS-B", tol=1e-14
    )
    np.testing.assert_allclose(result.fun, expected.fun, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("scaled", [True, False])
def test_random_quadratics_meet_the_optimality_conditions(scaled):
    """Gradients vanish inside, and point outward at bounds: for convex problems that is all."""
    for seed in range(10):
        q = quadratic(12, condition=100.0, seed=seed)
        problem = q.objective(bounds=[(-0.4, 0.4)] * 12)
        result = minimize(
            problem, "l-bfgs-b", x0=np.zeros(12), options={"scaled": scaled, "memory": 5}
        )
        assert result.success, result.message
        g = q.gradient(result.x)
        low, high = result.x == -0.4, result.x == 0.4
        assert low.any() or high.any()
        # Relative to gradients of the order 10.
        np.testing.assert_allclose(g[~low & ~high], 0, atol=1e-5)
        assert (g[low] >= 0).all()
        assert (g[high] <= 0).all()


def test_one_step_is_the_formula():
    """The first model is a multiple of the unit matrix: its minimum in the box is a clipped
    gradient step, and the quadratic's minimum on the way there follows in closed form."""
    q, x = quadratic(3, condition=2.0), np.zeros(3)
    problem = q.objective(bounds=[(-0.01, 0.01), (-10, 10), (-10, 10)]).sized(3)
    method = LBFGSB(search="exact", scaled=False)
    found = method.step(problem, method.init(problem, x))
    g = q.gradient(x)
    target = np.clip(-0.1 / np.max(np.abs(g)) * g, [-0.01, -10, -10], [0.01, 10, 10])
    longest = 0.01 / abs(target[0])
    expected = min(q.exact_length(x, target), longest) * target
    np.testing.assert_allclose(found.point.x, expected, rtol=1e-12)


def test_without_bounds_it_is_l_bfgs():
    start = [-1.2, 1.0]
    problem = objective(_rosenbrock, grad=_rosenbrock_gradient)
    paths = [
        [at.point.x for at in iterate(problem, method, x0=start)] for method in (LBFGS(), LBFGSB())
    ]
    np.testing.assert_array_equal(paths[0], paths[1])


def test_iterates_stay_inside():
    def value(x):
        assert (np.abs(x) <= 0.3).all()
        return float(np.sum((x - target) ** 4 + (x - target) ** 2))

    target = np.linspace(-3, 3, 20)
    result = minimize(
        objective(
            value,
            grad=lambda x: 4 * (x - target) ** 3 + 2 * (x - target),
            bounds=[(-0.3, 0.3)] * 20,
        ),
        "l-bfgs-b",
        x0=np.zeros(20),
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, np.clip(target, -0.3, 0.3), atol=1e-9)


@pytest.mark.parametrize("settings", [{"memory": 0}, {"curvature": 2.0}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of l-bfgs-b must be"):
        LBFGSB(**settings)
