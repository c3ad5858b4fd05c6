"""The method for a problem, and the reason."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.choosing import Automatic, choose
from symopt.optim.least_squares.levenberg_marquardt import LevenbergMarquardt


def chosen(problem, n=2, **settings):
    return choose(problem.sized(n), **settings).method.name


SQUARES = objective(residuals=abs, jac=abs)
SMOOTH = objective(abs, grad=abs)


def test_by_structure():
    assert chosen(SQUARES) == "lm"
    assert chosen(objective(abs, gauss_newton=abs)) == "lm"
    assert chosen(SMOOTH) == "bfgs"
    assert chosen(objective(residuals=abs, jac=abs, maximize=True)) == "bfgs"


def test_by_size_and_bounds():
    assert chosen(SMOOTH, 2_000) == "l-bfgs"
    bounded = objective(abs, grad=abs, bounds=[(0, None)] * 2_000)
    assert chosen(bounded, 2_000) == "l-bfgs-b"


def test_without_derivatives():
    assert chosen(objective(abs), 3) == "nelder-mead"
    assert chosen(objective(abs), 30) == "evolution-strategy"


def test_samples_in_batches():
    assert chosen(SQUARES, in_batches=True) == "adam"


@pytest.mark.parametrize("asked", [None, "auto", " Auto "])
def test_the_result_says_why(asked):
    result = minimize(
        objective(residuals=lambda x: x - 1, jac=lambda x: np.eye(2)), asked, x0=[0.0, 0.0]
    )
    assert result.method == "lm"
    assert result.reason == "a sum of squares with 2 unknowns"


def test_what_was_asked_for_has_no_other_reason():
    result = minimize(objective(lambda x: float(x @ x), grad=lambda x: 2 * x), "bfgs", x0=[1.0])
    assert (result.method, result.reason) == ("bfgs", "as asked")


def test_as_settings_it_is_what_it_chooses():
    problem = objective(residuals=lambda x: x - 1, jac=lambda x: np.eye(2))
    assert minimize(problem, Automatic(), x0=[0.0, 0.0]).method == "lm"
    chosen = LevenbergMarquardt()
    state = Automatic().init(problem.sized(2), np.zeros(2))
    alone = chosen.init(problem.sized(2), np.zeros(2))
    np.testing.assert_array_equal(
        Automatic().step(problem.sized(2), state).point.x,
        chosen.step(problem.sized(2), alone).point.x,
    )


def test_options_are_those_of_the_method_chosen():
    with pytest.raises(DataError, match="lm has no option `rate`"):
        minimize(SQUARES, x0=[0.0, 0.0], options={"rate": 1.0})
