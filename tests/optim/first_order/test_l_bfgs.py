"""L-BFGS: its first steps by hand, and BFGS where it forgets nothing."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import iterate, minimize, objective
from symopt.optim.first_order.bfgs import BFGS
from symopt.optim.first_order.l_bfgs import LBFGS
from tests.optim.first_order.quadratics import quadratic


def test_two_steps_are_the_formula():
    q, x = quadratic(4), np.array([1.0, -2.0, 0.5, 3.0])
    problem, method = q.objective().sized(4), LBFGS(search="exact", scaled=False)
    found = method.step(problem, method.step(problem, method.init(problem, x)))
    g = q.gradient(x)
    s = -q.exact_length(x, -g) * g
    x, before = x + s, g
    g = q.gradient(x)
    y = g - before
    # The two loops, for one pair.
    part = (s @ g) / (s @ y)
    r = (s @ y) / (y @ y) * (g - part * y)
    v = -(r + (part - (y @ r) / (s @ y)) * s)
    x = x + q.exact_length(x, v) * v
    np.testing.assert_allclose(found.point.x, x, rtol=1e-11)


def test_with_all_its_memory_it_is_bfgs():
    """With exact searches on a quadratic both are conjugate gradients, whatever they begin with."""
    q, x = quadratic(6), np.ones(6)
    paths = [
        [at.point.x for at in iterate(q.objective(), method, x0=x, max_iter=5, tol=0)]
        for method in (LBFGS(search="exact", memory=6), BFGS(search="exact"))
    ]
    np.testing.assert_allclose(paths[0], paths[1], atol=1e-10)


def test_exact_in_n_steps_on_quadratics():
    q = quadratic(6)
    method = LBFGS(search="exact", memory=1)
    result = minimize(q.objective(), method, x0=np.zeros(6), max_iter=6, tol=0)
    np.testing.assert_allclose(result.x, q.minimum, atol=1e-9)


def test_units_do_not_matter():
    """Powers of two rescale without rounding, so the two runs are the same run."""
    units = np.array([2.0**10, 2.0**-20])

    def value(x):
        return float(100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)

    def gradient(x):
        inner = 200 * (x[1] - x[0] ** 2)
        return np.array([-2 * x[0] * inner - 2 * (1 - x[0]), inner])

    plain = minimize(objective(value, grad=gradient, names=["a", "b"]), "l-bfgs", x0=[-1.2, 1.0])
    other = minimize(
        objective(
            lambda u: value(u * units), grad=lambda u: units * gradient(u * units), names=["a", "b"]
        ),
        "l-bfgs",
        x0=np.array([-1.2, 1.0]) / units,
    )
    assert plain.success, plain.message
    np.testing.assert_allclose(plain.x, 1.0, rtol=1e-8)
    np.testing.assert_allclose(other.x * units, plain.x, rtol=1e-9)
    assert other.nit == plain.nit


def test_many_unknowns():
    n = 2_000
    weights = np.linspace(1, 50, n)
    result = minimize(
        objective(
            lambda x: float(weights @ (np.cosh(x - 1) - 1)), grad=lambda x: weights * np.sinh(x - 1)
        ),
        "l-bfgs",
        x0=np.zeros(n),
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)


def test_a_wrong_gradient_is_no_convergence():
    result = minimize(
        objective(lambda x: float(x @ x), grad=lambda x: -2 * x), "l-bfgs", x0=[1.0, 2.0]
    )
    assert (result.success, result.status) == (False, 2)


@pytest.mark.parametrize("settings", [{"memory": 0}, {"decrease": 0.7}, {"search": "armijo"}])
def test_bad_settings(settings):
    with pytest.raises(DataError, match="of l-bfgs must be"):
        LBFGS(**settings)
