"""Unknowns in other units."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import iterate, minimize, objective
from symopt.optim.scaling import scales_of
from symopt.optim.working import WorkingProblem

UNITS = np.array([1e3, 1e-3])
MINIMUM = np.array([2e3, 5e-3])
MATRIX = np.array([[1.0, 0.5], [0.0, 1.0], [2.0, -1.0]])


def badly_scaled(**extra):
    """A quadratic that is round in units of 1000 and 1/1000."""

    def residuals(x):
        return MATRIX @ ((x - MINIMUM) / UNITS)

    return objective(residuals=residuals, jac=lambda x: MATRIX / UNITS, **extra)


def test_a_method_that_minds_units_is_helped():
    start = np.array([1e3, 1e-3])
    settings = {"x0": start, "max_iter": 300}
    plain = minimize(badly_scaled(), "gradient-descent", **settings)
    scaled = minimize(badly_scaled(), "gradient-descent", scale=UNITS, **settings)
    assert not np.allclose(plain.x, MINIMUM, rtol=1e-2)
    np.testing.assert_allclose(scaled.x, MINIMUM, rtol=1e-5)
    by_start = minimize(
        badly_scaled(names=("a", "b")), "gradient-descent", scale="auto", **settings
    )
    np.testing.assert_allclose(by_start.x, MINIMUM, rtol=1e-5)


def test_everything_is_told_in_the_units_of_the_problem():
    for state in iterate(badly_scaled(), "bfgs", x0=[1e3, 1e-3], scale=UNITS):
        whole = badly_scaled().sized(2)
        assert state.fun == whole.value(state.x)
        np.testing.assert_allclose(state.point.gradient, whole.grad(state.x), rtol=1e-12)


def test_derivatives_follow_the_chain_rule():
    problem = badly_scaled().sized(2)
    free, x, v = np.ones(2, bool), np.array([1.5, 0.5]), np.array([0.3, -2.0])
    view = WorkingProblem(problem, x * UNITS, free, UNITS)
    full = x * UNITS
    np.testing.assert_allclose(view.x0, x)
    assert view.value(x) == problem.value(full)
    np.testing.assert_allclose(view.grad(x), UNITS * problem.grad(full))
    np.testing.assert_allclose(view.jac(x), problem.jac(full) * UNITS)
    matrix, gradient = view.gauss_newton(x)
    np.testing.assert_allclose(matrix, problem.gauss_newton(full)[0] * np.outer(UNITS, UNITS))
    np.testing.assert_allclose(gradient, view.grad(x))
    np.testing.assert_allclose(view.gnvp(x, v), matrix @ v)
    np.testing.assert_allclose(view.fisher(x), problem.fisher(full) * np.outer(UNITS, UNITS))
    np.testing.assert_allclose(view.values(x[None, :]), problem.value(full))


def test_bounds_and_fixed_entries_keep_their_meaning():
    bounded = badly_scaled(bounds=[(None, 1.5e3), (None, None)], names=("a", "b"))
    result = minimize(bounded, "lm", x0=[1e3, 1e-3], scale={"a": 1e3})
    assert result.x[0] == 1.5e3
    result = minimize(bounded, "lm", x0=[1e3, 1e-3], scale=UNITS, fixed="a")
    assert result.x[0] == 1e3


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        ([1.0, 0.0], r"`scale of b` must be positive"),
        ([1.0], r"`scale` has length 1, expected 2"),
        ({"c": 1.0}, r"cannot scale `c`"),
        ({"a": [1.0, 2.0]}, r"`scale of a` has length 2, expected 1"),
        ("start", r"`scale` must be \"auto\""),
    ],
)
def test_wrong_scales(scale, words):
    problem = badly_scaled(names=("a", "b")).sized(2)
    with pytest.raises(DataError, match=words):
        scales_of(problem, np.ones(2), np.ones(2, bool), scale)
