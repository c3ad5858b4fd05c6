"""Methods side by side."""

from __future__ import annotations

import numpy as np

from symopt.optim import minimize, objective, race
from symopt.optim.first_order.bfgs import BFGS
from tests.optim.known_minima import PROBLEMS


def test_each_runs_as_if_alone():
    problem = PROBLEMS[0]
    entrants = race(problem.least_squares(), ["lm", "BFGS"], x0=problem.start)
    assert [entrant.method for entrant in entrants] == ["lm", "bfgs"]
    for entrant in entrants:
        alone = minimize(problem.least_squares(), entrant.method, x0=problem.start)
        np.testing.assert_array_equal(entrant.result.x, alone.x)
        assert (entrant.result.nfev, entrant.result.njev) == (alone.nfev, alone.njev)
        assert entrant.seconds > 0


def test_a_method_that_cannot_run_stops_no_other():
    values = objective(lambda x: float(x @ x))
    first, second = race(values, ["bfgs", "nelder-mead"], x0=[1.0, 2.0])
    assert first.result is None
    assert "needs a gradient" in str(first.refusal)
    assert second.result.fun < 1e-6


def test_settings_may_be_given_as_they_are():
    problem = PROBLEMS[0]
    (entrant,) = race(problem.function(), [BFGS(curvature=0.5)], x0=problem.start)
    assert entrant.method == "bfgs"


def test_the_usual_methods_by_default():
    problem = PROBLEMS[0]
    entrants = race(problem.least_squares(), x0=problem.start, max_iter=20)
    assert len(entrants) > 4
