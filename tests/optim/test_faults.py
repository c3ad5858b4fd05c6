"""Runs that go wrong: the best point so far is returned, with an honest status."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import METHODS, Needs, Status, iterate, minimize, objective

LIMIT = 400  # steps; enough for what is wrong to happen
ALL = [pytest.param(method.name, id=method.name) for method in METHODS]


class Valley:
    """(x - 1)² + 5 (y - x²)² as least squares, with all its derivatives; `spoil` comes first."""

    def __init__(self, spoil=lambda count, x: None):
        self.count = 0
        self.spoil = spoil

    def _seen(self, x):
        self.count += 1
        return self.spoil(self.count, x)

    def residuals(self, x):
        spoilt = self._seen(x)
        return np.array([x[0] - 1, np.sqrt(5) * (x[1] - x[0] ** 2)]) if spoilt is None else spoilt

    def jac(self, x):
        return np.array([[1.0, 0.0], [-2 * np.sqrt(5) * x[0], np.sqrt(5)]])

    def hess(self, x):
        second = -2 * np.sqrt(5) * (np.sqrt(5) * (x[1] - x[0] ** 2))
        return 2 * self.jac(x).T @ self.jac(x) + 2 * np.diag([second, 0.0])

    def objective(self, **extra):
        return objective(residuals=self.residuals, jac=self.jac, hess=self.hess, **extra)

    @staticmethod
    def value(x):
        return (x[0] - 1) ** 2 + 5 * (x[1] - x[0] ** 2) ** 2


START = np.array([-1.0, 1.0])


def least_seen(problem, method, **settings):
    """The result and the least value of the iterates, as a callback saw them."""
    seen = [Valley.value(START)]

    def note(x):
        seen.append(Valley.value(x))

    result = minimize(problem, method, x0=START, callback=note, max_iter=LIMIT, **settings)
    return result, min(seen)


def assert_best(result, least):
    assert Valley.value(result.x) == pytest.approx(least, rel=1e-9, abs=1e-15)
    assert result.fun == pytest.approx(Valley.value(result.x), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("method", ALL)
def test_an_objective_that_raises_mid_run(method):
    def spoil(count, x):
        if count > 40:
            raise ZeroDivisionError("no more")

    result, least = least_seen(Valley(spoil).objective(), method)
    assert_best(result, least)
    if result.status == Status.RAISED.code:
        assert not result.success
        assert "the objective: ZeroDivisionError: no more" in result.message


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_from_some_point_on(method, value):
    def spoil(count, x):
        return np.full(2, value) if count > 40 else None

    result, least = least_seen(Valley(spoil).objective(), method)
    assert np.isfinite(result.x).all()
    assert Valley.value(result.x) == pytest.approx(least, rel=1e-9, abs=1e-15)
    assert np.isfinite(result.fun) or not result.success


BY_VALUES = [method.name for method in METHODS if Needs.GRADIENT not in method.needs]


@pytest.mark.parametrize("method", sorted({*BY_VALUES, "auto"}))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_closing_in_on_nothing_is_no_success(method, value):
    """From some point on all values are not finite: what is left is not a minimum."""
    calls = iter(range(10**9))

    def bowl(x):
        return float(x @ x) if next(calls) < 12 else value

    result = minimize(objective(bowl), method, x0=[3.0, 4.0])
    assert result.status == Status.NONFINITE.code, result.message
    assert 0.1 < result.fun <= 25


@pytest.mark.parametrize("method", BY_VALUES)
def test_a_minimum_at_the_edge_of_where_the_objective_is_defined(method):
    edge = objective(lambda x: float(x[0] + x[0] ** 2) if x[0] >= 0 else np.nan)
    result = minimize(edge, method, x0=[1.0])
    assert result.fun < 1e-2
    assert result.success or method == "spsa"  # which takes the differences of two values


@pytest.mark.parametrize("method", ALL)
def test_ctrl_c(method):
    def spoil(count, x):
        if count == 41:
            raise KeyboardInterrupt

    result, least = least_seen(Valley(spoil).objective(), method)
    assert_best(result, least)
    if not result.success:
        assert result.status in (Status.INTERRUPTED.code, Status.MAX_ITER.code)


@pytest.mark.parametrize("method", ["simulated-annealing", "spsa", "gekf"])
@pytest.mark.parametrize(
    ("error", "status"), [(OSError, Status.RAISED), (KeyboardInterrupt, Status.INTERRUPTED)]
)
def test_an_end_while_looking_around_the_start(method, error, status):
    def spoil(count, x):
        if count == 3:
            raise error("no more")

    result = minimize(Valley(spoil).objective(), method, x0=START)
    assert (result.status, result.nit, result.success) == (status.code, 0, False)
    np.testing.assert_array_equal(result.x, START)
    assert result.fun == Valley.value(START)
    assert len(result.trace) == 1


@pytest.mark.parametrize("method", ALL)
def test_an_error_at_the_start_is_the_callers(method):
    def spoil(count, x):
        raise ZeroDivisionError("at once")

    with pytest.raises(ZeroDivisionError, match="at once"):
        minimize(Valley(spoil).objective(), method, x0=START)


@pytest.mark.parametrize("method", ALL)
def test_one_unknown(method):
    parabola = objective(
        residuals=lambda x: 2 * (x - 3), jac=lambda x: 2 * np.eye(1), hess=lambda x: 8 * np.eye(1)
    )
    result = minimize(parabola, method, x0=[1.0])
    np.testing.assert_allclose(result.x, 3, atol=1e-2)


@pytest.mark.parametrize("method", ALL)
def test_a_start_that_is_the_minimum(method):
    result = minimize(Valley().objective(), method, x0=[1.0, 1.0], max_iter=LIMIT)
    np.testing.assert_allclose(result.x, 1, atol=1e-8)
    if Needs.GRADIENT in next(m for m in METHODS if m.name == method).needs:
        assert result.success
        assert result.nit == 0
        np.testing.assert_array_equal(result.x, 1)


@pytest.mark.parametrize("method", ALL)
def test_everything_fixed(method):
    result = minimize(Valley().objective(), method, x0=START, fixed=[0, 1])
    assert (result.status, result.nit) == (Status.FIXED.code, 0)
    np.testing.assert_array_equal(result.x, START)


@pytest.mark.parametrize("method", ALL)
def test_a_singular_hessian(method):
    """(x + y - 2)²: flat along x - y."""
    flat = objective(
        residuals=lambda x: np.array([x[0] + x[1] - 2]),
        jac=lambda x: np.ones((1, 2)),
        hess=lambda x: np.full((2, 2), 2.0),
    )
    result = minimize(flat, method, x0=[0.0, 1.0])
    assert result.fun < 1e-4, result.message


@pytest.mark.parametrize("method", ALL)
def test_nothing_lowers_the_objective(method):
    """A gradient of the wrong sign: searches find nothing, and what goes on regardless goes up."""
    wrong = objective(
        lambda x: float(x @ x),
        grad=lambda x: -2 * x,
        hess=lambda x: 2 * np.eye(2),
        gauss_newton=lambda x: (2 * np.eye(2), -2 * x),
    )
    result = minimize(wrong, method, x0=[1.0, 2.0], max_iter=50)
    assert result.fun <= 5.0
    if Needs.GRADIENT in next(m for m in METHODS if m.name == method).needs:
        assert not result.success


def test_iterate_ends_with_the_best_point():
    quartic = objective(lambda x: float(x[0] ** 4), grad=lambda x: 4 * x**3)
    states = list(iterate(quartic, "gradient-descent", x0=[2.0], options={"rate": 1.0}))
    assert states[-1].status is Status.NONFINITE
    assert states[-1].fun == min(state.fun for state in states)


def test_a_wrong_shape_is_named():
    wrong = objective(lambda x: 0.0, grad=lambda x: np.zeros(3))
    with pytest.raises(DataError, match=r"`grad` returned shape \(3,\), expected \(2,\)"):
        minimize(wrong, "bfgs", x0=[0.0, 0.0])


@pytest.mark.parametrize("method", ALL)
def test_functions_may_change_their_arguments(method):
    """And may hand out the same array each time."""
    room = np.empty(2)

    def changing(function):
        def changed(x):
            found = function(x)
            x[:] = 77.0
            return found

        return changed

    def residuals(x):
        room[:] = [x[0] - 1, 2 * (x[1] - 2)]
        return room

    bowl = objective(
        residuals=changing(residuals),
        jac=changing(lambda x: np.diag([1.0, 2.0])),
        hess=changing(lambda x: np.diag([2.0, 8.0])),
    )
    result = minimize(bowl, method, x0=[0.0, 0.0])
    np.testing.assert_allclose(result.x, [1, 2], atol=1e-2)


@pytest.mark.parametrize("method", ["bfgs", "l-bfgs", "cg-hestenes-stiefel", "steepest-descent"])
def test_an_objective_without_end(method):
    slope = objective(lambda x: -float(x.sum()), grad=lambda x: -np.ones(2))
    result = minimize(slope, method, x0=[1.0, 2.0], max_iter=LIMIT)
    assert not result.success, result.message


def test_stuck_for_want_of_scale_is_no_success():
    """1e-14 (x - 1e6)² + 1e6 y²: descent sees y alone, and x is far from where it should be."""
    weights = np.array([1e-14, 1e6])
    minimum = np.array([1e6, 0.0])
    bowl = objective(
        lambda p: 1.0 + float(weights @ (p - minimum) ** 2),
        grad=lambda p: 2 * weights * (p - minimum),
        names=("x", "y"),
    )
    result = minimize(bowl, "gradient-descent", x0=[1e7, 1.0])
    assert abs(result.x[0] - 1e6) > 1
    assert not result.success
