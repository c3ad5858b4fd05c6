"""Every method on every problem with a known minimum, and what all methods promise."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, fields, is_dataclass

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import METHODS, iterate, minimize, schedules
from symopt.optim.callables import objective
from tests.optim.known_minima import PROBLEMS

# Methods that learn or know the curvature, and go to the accuracy of double precision.
SHARP = (
    "bfgs",
    "l-bfgs",
    "l-bfgs-b",
    "newton",
    "trust-region",
    "newton-krylov",
    "lm",
)
# Methods that take no step that does not lower the objective, but for its rounding.
MONOTONE = (
    *SHARP,
    "random-search",
    "nelder-mead",
    "coordinate-descent",
    "gradient-descent",
    "steepest-descent",
    "cg-fletcher-reeves",
    "cg-polak-ribiere",
    "cg-hestenes-stiefel",
    "cg-dai-yuan",
    "cg-hager-zhang",
)
# Methods that get there as well, by a relative gradient of 1e-6, where units suit them.
STEADY = (*SHARP, "gradient-descent")
NAMES = [method.name for method in METHODS]


def matrix(names, problems=PROBLEMS):
    return [
        pytest.param(name, problem, id=f"{name}-{problem.name}")
        for name in names
        if name in NAMES
        for problem in problems
    ]


@pytest.mark.parametrize(("name", "problem"), matrix(SHARP))
def test_finds_the_minimum(name, problem):
    result = minimize(problem.least_squares(), name, x0=problem.start)
    assert result.success, result.message
    np.testing.assert_allclose(result.x, problem.minimum, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(result.fun, problem.value, rtol=1e-5, atol=1e-13)


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p.easy], ids=lambda p: p.name)
def test_gradient_descent_finds_the_minimum(problem):
    result = minimize(problem.least_squares(), "gradient-descent", x0=problem.start)
    assert result.success, result.message
    np.testing.assert_allclose(result.x, problem.minimum, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(result.fun, problem.value, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("name", "problem"), matrix(MONOTONE))
def test_never_rises(name, problem):
    result = minimize(problem.least_squares(), name, x0=problem.start, max_iter=100)
    values = result.trace["value"]
    assert (np.diff(values) <= 1e-8 * np.abs(values[:-1])).all()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_step_is_pure(method):
    problem = PROBLEMS[1].least_squares().sized(2)
    settings = method.settings({})
    state = settings.init(problem, PROBLEMS[1].start)
    for _ in range(3):
        before = copy.deepcopy(state)
        first, second = settings.step(problem, state), settings.step(problem, state)
        _assert_equal(state, before)
        _assert_equal(first, second)
        state = first


@pytest.mark.parametrize("method", [m for m in METHODS if m.stochastic], ids=lambda m: m.name)
def test_chance_follows_from_the_seed(method):
    problem = PROBLEMS[3].least_squares()

    def end(seed):
        return minimize(problem, method.name, x0=PROBLEMS[3].start, max_iter=5, seed=seed).x

    np.testing.assert_array_equal(end(1), end(1))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_settings_and_states_are_frozen(method):
    settings = method.settings({})
    assert settings == method.settings({})
    assert hash(settings) == hash(method.settings({}))
    assert eval(repr(settings), {type(settings).__name__: type(settings), **vars(schedules)})
    state = settings.init(PROBLEMS[1].least_squares().sized(2), PROBLEMS[1].start)
    with pytest.raises(FrozenInstanceError):
        state.point = None
    with pytest.raises(ValueError, match="read-only"):
        state.point.x[0] = 1.0


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_does_not_write_into_the_start(method):
    start = PROBLEMS[1].start.copy()
    minimize(PROBLEMS[1].least_squares(), method.name, x0=start, max_iter=5)
    np.testing.assert_array_equal(start, PROBLEMS[1].start)


@pytest.mark.parametrize("name", STEADY)
def test_maximize_is_minimize_of_the_negative(name):
    def hill(x):
        return -float(np.sum((x - 2) ** 2 * [1, 3]))

    def curvature(x):
        return -np.diag([2.0, 6.0]), -2 * (x - 2) * [1, 3]

    result = minimize(
        objective(hill, gauss_newton=curvature, hess=lambda x: -np.diag([2.0, 6.0]), maximize=True),
        name,
        x0=[0.0, 1.0],
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, 2.0, rtol=1e-3)
    assert -1e-5 < result.fun <= 0
    assert result.trace["value"][0] == hill(np.array([0.0, 1.0]))
    np.testing.assert_allclose(
        result.grad, curvature(result.x)[1], atol=1e-12, err_msg="gradient as written"
    )


BOUNDED = [m for m in METHODS if m.bounds]


@pytest.mark.parametrize("method", BOUNDED, ids=lambda m: m.name)
def test_iterates_respect_bounds(method):
    problem = PROBLEMS[1]  # Beale; free minimum at (3, 0.5)
    bounded = problem.least_squares(bounds=[(0, 2.5), (None, 0.25)])
    run = iterate(bounded, method.name, x0=[1.0, 0.0], max_iter=200)
    visited = [state.point.x for state in run]
    assert all(0 <= x[0] <= 2.5 and x[1] <= 0.25 for x in visited)


@pytest.mark.parametrize("name", [m.name for m in BOUNDED if m.name in STEADY])
def test_minima_at_a_bound(name):
    problem = PROBLEMS[1]
    bounded = problem.least_squares(bounds=[(0, 2.5), (None, 0.25)])
    result = minimize(bounded, name, x0=[1.0, 0.0])
    assert result.success, result.message
    # With x2 <= 1/4 the least x1 is 12/5 or so; by scipy's trust-region reflective method.
    from scipy.optimize import least_squares

    expected = least_squares(
        problem.residuals, [1.0, 0.0], jac=problem.jacobian, bounds=([0, -np.inf], [2.5, 0.25])
    )
    np.testing.assert_allclose(result.x, expected.x, rtol=1e-4)
    assert result.x[1] == 0.25


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_bounds_are_kept_or_refused(method):
    bounded = PROBLEMS[1].least_squares(bounds=[(0, 2.5), (None, 0.25)])
    if not method.bounds:
        with pytest.raises(DataError, match=f"{method.name} cannot keep to bounds"):
            minimize(bounded, method.name, x0=[1.0, 0.0])


class _Open:
    """A problem whose bounds are open."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    @property
    def open_bounds(self):
        return np.ones(self.inner.n, bool), np.ones(self.inner.n, bool)


@pytest.mark.parametrize("method", BOUNDED, ids=lambda m: m.name)
def test_a_minimum_at_an_open_bound_is_approached(method):
    problem = _Open(
        objective(
            residuals=lambda x: np.array([x[0] + 1, x[1] - 2, x[0] - x[1]]),
            jac=lambda x: np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]),
            hess=lambda x: np.array([[4.0, -2.0], [-2.0, 4.0]]),
            bounds=[(0, None), (None, None)],
        ).sized(2)
    )
    visited = [s.point.x for s in iterate(problem, method.name, x0=[1.0, 1.0], max_iter=200)]
    assert all(x[0] > 0 for x in visited)
    if method.name in STEADY:
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
    elif isinstance(left, tuple):
        for one, other in zip(left, right, strict=True):
            _assert_equal(one, other)
    else:
        assert left == right
