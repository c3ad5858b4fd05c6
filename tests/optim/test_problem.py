"""Points, and how large parameters are taken to be."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim import Point, SeededStart, objective
from symopt.optim.problem import dense_hessian, evaluate, parameter_of, typical_sizes


def test_points_are_copies_and_read_only():
    problem = objective(lambda x: float(x @ x), grad=lambda x: 2 * x).sized(2)
    x = np.array([1.0, 2.0])
    point = evaluate(problem, x)
    x[0] = 9.0
    np.testing.assert_array_equal(point.x, [1, 2])
    assert point.value == 5
    np.testing.assert_array_equal(point.gradient, [2, 4])
    with pytest.raises(ValueError, match="read-only"):
        point.gradient[0] = 0.0


@pytest.mark.parametrize(
    ("value", "slope", "finite"),
    [(1.0, 2.0, True), (np.nan, 2.0, False), (np.inf, 2.0, False), (1.0, np.nan, False)],
)
def test_finite(value, slope, finite):
    assert Point(np.zeros(1), value, np.array([slope])).finite is finite


class _Named:
    def __init__(self, *names):
        self.names = names


def test_entries_of_an_array_share_a_size():
    problem = _Named("w[0]", "w[1]", "b", "u[0,0]", "u[0,1]", "rate")
    sizes = typical_sizes(problem, np.array([3.0, 4.0, 0.0, 0.0, 0.0, -5e-9]))
    shared = np.sqrt(12.5)
    np.testing.assert_allclose(sizes, [shared, shared, 1, 1, 1, 5e-9], rtol=1e-15)


def test_sizes_neither_under_nor_overflow():
    sizes = typical_sizes(_Named("a", "b"), np.array([1e-300, 1e300]))
    np.testing.assert_allclose(sizes, [1e-300, 1e300], rtol=1e-15)


def test_plain_objectives_draw_no_start():
    assert not isinstance(objective(abs).sized(1), SeededStart)


def test_hessians_by_columns_are_those_at_once():
    matrix = np.array([[2.0, 1.0], [1.0, 5.0]])
    functions = {"fun": lambda x: float(x @ matrix @ x) / 2, "grad": lambda x: matrix @ x}
    whole = objective(**functions, hess=lambda x: matrix).sized(2)
    products = objective(**functions, hvp=lambda x, v: matrix @ v).sized(2)
    for problem in (whole, products):
        np.testing.assert_array_equal(dense_hessian(problem, np.ones(2)), matrix)


def test_entries_know_their_parameter():
    assert [parameter_of(name) for name in ("w[3]", "u[0, 1]", "b")] == ["w", "u", "b"]
