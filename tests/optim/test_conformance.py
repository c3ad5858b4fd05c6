"""Every method on every problem with a known minimum, and what all methods promise."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, fields, is_dataclass

import numpy as np
import pytest

from symopt.optim import METHODS, iterate, minimize
from symopt.optim.callables import objective
from tests.optim.known_minima import PROBLEMS

MATRIX = [
    pytest.param(method, problem, id=f"{method.name}-{problem.name}")
    for method in METHODS
    for problem in PROBLEMS
]


@pytest.mark.parametrize(("method", "problem"), MATRIX)
def test_finds_the_minimum(method, problem):
    if method.name == "gradient-descent" and not problem.easy:
        pytest.skip("slow by its condition number, as the theory says")
    result = minimize(problem.least_squares(), method.name, x0=problem.start)
    assert result.success, result.message
    # First-order methods stop at a relative gradient of 1e-6; the others go to rounding.
    digits = 1e-3 if method.name == "gradient-descent" else 1e-8
    np.testing.assert_allclose(result.x, problem.minimum, rtol=digits, atol=digits)
    np.testing.assert_allclose(result.fun, problem.value, rtol=1e-5, atol=1e-5 * digits)


@pytest.mark.parametrize(("method", "problem"), MATRIX)
def test_never_rises(method, problem):
    """All methods so far are monotone, but for the rounding of the value."""
    result = minimize(problem.least_squares(), method.name, x0=problem.start, max_iter=200)
    values = result.trace["value"]
    assert (np.diff(values) <= 1e-8 * np.abs(values[:-1])).all()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_step_is_pure(method):
    problem = PROBLEMS[0].least_squares().sized(2)
    settings = method.optimizer()
    state = settings.init(problem, PROBLEMS[0].start)
    for _ in range(3):
        before = copy.deepcopy(state)
        first, second = settings.step(problem, state), settings.step(problem, state)
        _assert_equal(state, before)
        _assert_equal(first, second)
        state = first


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_settings_and_states_are_frozen(method):
    settings = method.optimizer()
    assert settings == method.optimizer()
    assert hash(settings) == hash(method.optimizer())
    state = settings.init(PROBLEMS[0].least_squares().sized(2), PROBLEMS[0].start)
    with pytest.raises(FrozenInstanceError):
        state.point = None
    with pytest.raises(ValueError, match="read-only"):
        state.point.x[0] = 1.0


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_does_not_write_into_the_start(method):
    start = PROBLEMS[1].start.copy()
    minimize(PROBLEMS[1].least_squares(), method.name, x0=start, max_iter=5)
    np.testing.assert_array_equal(start, PROBLEMS[1].start)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_starting_at_the_minimum_ends_at_once(method):
    problem = PROBLEMS[0]
    result = minimize(problem.least_squares(), method.name, x0=problem.minimum)
    assert result.success
    assert result.nit == 0
    np.testing.assert_array_equal(result.x, problem.minimum)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_maximize_is_minimize_of_the_negative(method):
    def hill(x):
        return -float(np.sum((x - 2) ** 2 * [1, 3]))

    def curvature(x):
        return -np.diag([2.0, 6.0]), -2 * (x - 2) * [1, 3]

    result = minimize(
        objective(hill, gauss_newton=curvature, maximize=True), method.name, x0=[0.0, 1.0]
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, 2.0, rtol=1e-3)
    assert -1e-5 < result.fun <= 0
    assert result.trace["value"][0] == hill(np.array([0.0, 1.0]))
    np.testing.assert_allclose(
        result.grad, curvature(result.x)[1], atol=1e-12, err_msg="gradient as written"
    )


@pytest.mark.parametrize("method", [m for m in METHODS if m.bounds], ids=lambda m: m.name)
def test_iterates_respect_bounds(method):
    problem = PROBLEMS[1]  # Beale; free minimum at (3, 0.5)
    bounded = objective(
        residuals=problem.residuals, jac=problem.jacobian, bounds=[(0, 2.5), (None, 0.25)]
    )
    visited = [state.point.x for state in iterate(bounded, method.name, x0=[1.0, 0.0])]
    assert all(0 <= x[0] <= 2.5 and x[1] <= 0.25 for x in visited)
    result = minimize(bounded, method.name, x0=[1.0, 0.0])
    assert result.success, result.message
    # With x2 <= 1/4 the least x1 is 12/5 or so; by scipy's trust-region reflective method.
    from scipy.optimize import least_squares

    expected = least_squares(
        problem.residuals, [1.0, 0.0], jac=problem.jacobian, bounds=([0, -np.inf], [2.5, 0.25])
    )
    np.testing.assert_allclose(result.x, expected.x, rtol=1e-4)
    assert result.x[1] == 0.25


class _Open:
    """A problem whose bounds are open."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    @property
    def open_bounds(self):
        return np.ones(self.inner.n, bool), np.ones(self.inner.n, bool)


@pytest.mark.parametrize("method", [m for m in METHODS if m.bounds], ids=lambda m: m.name)
def test_a_minimum_at_an_open_bound_is_approached(method):
    problem = _Open(
        objective(
            residuals=lambda x: np.array([x[0] + 1, x[1] - 2, x[0] - x[1]]),
            jac=lambda x: np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]),
            bounds=[(0, None), (None, None)],
        ).sized(2)
    )
    visited = [state.point.x for state in iterate(problem, method.name, x0=[1.0, 1.0])]
    assert all(x[0] > 0 for x in visited)
    result = minimize(problem, method.name, x0=[1.0, 1.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [0.0, 1.0], atol=1e-6)


@pytest.mark.parametrize("name", ["gradient-descent", "bfgs"])
def test_a_scale_parameter_with_an_open_bound(name):
    """The normal distribution's likelihood; its maximum is the mean and standard deviation."""
    sample = np.random.default_rng(0).normal(2, 0.3, size=50)

    def value(p):
        return float(np.sum((sample - p[0]) ** 2) / 2 / p[1] ** 2 + 50 * np.log(p[1]))

    def gradient(p):
        offset = sample - p[0]
        return np.array([-np.sum(offset) / p[1] ** 2, 50 / p[1] - np.sum(offset**2) / p[1] ** 3])

    problem = _Open(objective(value, grad=gradient, bounds=[(None, None), (0, None)]).sized(2))
    result = minimize(problem, name, x0=[0.0, 5.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [sample.mean(), sample.std()], rtol=1e-5)


def _assert_equal(left, right):
    """Equality to the last bit, through dataclasses and arrays."""
    assert type(left) is type(right)
    if is_dataclass(left):
        for field in fields(left):
            _assert_equal(getattr(left, field.name), getattr(right, field.name))
    elif isinstance(left, np.ndarray):
        np.testing.assert_array_equal(left, right)
    else:
        assert left == right
