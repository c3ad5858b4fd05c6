"""Defaults alone bring every method to the minimum of a gently curved valley."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import symopt
from symopt.optim import METHODS, minimize, objective


def valley(curvature, units=(1.0, 1.0)):
    """(x - 1)² + c (y - x²)² in some units, with all its derivatives."""
    units, root = np.array(units), np.sqrt(curvature)

    def residuals(p):
        x, y = p / units
        return np.array([x - 1, root * (y - x**2)])

    def jac(p):
        return np.array([[1.0, 0.0], [-2 * root * p[0] / units[0], root]]) / units

    def hess(p):
        x, y = p / units
        bent = -4 * curvature * (y - x**2) / units[0] ** 2
        return 2 * jac(p).T @ jac(p) + np.diag([bent, 0.0])

    return objective(residuals=residuals, jac=jac, hess=hess)


CASES = {
    "steep sides": (valley(5.0), [-1.0, 1.0], [1.0, 1.0]),
    "flat sides": (valley(1.0), [0.0, 0.0], [1.0, 1.0]),
    "from above": (valley(2.0), [2.0, 3.0], [1.0, 1.0]),
    "a large unit": (valley(1.0, (10.0, 10.0)), [-5.0, 5.0], [10.0, 10.0]),
}


@functools.cache
def compiled():
    text = """
    param x init -1, y init 1
    residual a = x - 1
    residual b = sqrt(5) * (y - x^2)
    minimize a^2 + b^2
    """
    return symopt.parse(text).bind()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_program_of_no_samples_is_one_sample(method):
    result = minimize(compiled(), method.name)
    np.testing.assert_allclose(result.x, 1, rtol=1e-2, err_msg=result.message)
    assert result.fun < 1e-2


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_defaults_reach_the_minimum(method, case):
    problem, start, minimum = CASES[case]
    result = minimize(problem, method.name, x0=start)
    np.testing.assert_allclose(result.x, minimum, rtol=1e-2, err_msg=result.message)
    assert result.fun < 1e-2
