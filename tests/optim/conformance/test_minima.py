"""Every deterministic descent method reaches the published minima that it has to reach."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim import METHODS, iterate
from tests.optim.conformance.counting import ours
from tests.optim.conformance.duties import DUTIES, condition_number, descents, duty, takes
from tests.optim.conformance.problems import bounded_cases, least_squares_cases

STANDARD = least_squares_cases()
BOUNDED = bounded_cases()
REACH = [
    pytest.param(method, case, id=f"{method.name}-{case.name}")
    for method in descents()
    for case in STANDARD
    if duty(method).includes(case)
]
WITHIN = [
    pytest.param(method, case, id=f"{method.name}-{case.name}")
    for method in descents()
    if method.bounds
    for case in BOUNDED
    if takes(method, case) and duty(method).includes(case)
]
INSIDE = [
    pytest.param(method, case, id=f"{method.name}-{case.name}")
    for method in METHODS
    if method.bounds and (method.order == 0 or not method.stochastic)
    for case in BOUNDED
    if takes(method, case)
]


@pytest.mark.parametrize(("method", "case"), REACH)
def test_reaches_a_published_minimum(method, case):
    tally = ours(case, method.name)
    assert tally is not None, "refused"
    assert duty(method).fulfilled(case, tally.value), tally


@pytest.mark.parametrize(("method", "case"), WITHIN)
def test_reaches_a_listed_minimum_within_bounds(method, case):
    tally = ours(case, method.name)
    assert tally is not None, "refused"
    assert duty(method).fulfilled(case, tally.value), tally


@pytest.mark.parametrize(("method", "case"), INSIDE)
def test_never_leaves_the_bounds(method, case):
    lower, upper = case.problem.bounds
    for at in iterate(case.problem, method.name, x0=case.start, max_iter=30, seed=1):
        assert (lower <= at.point.x).all()
        assert (at.point.x <= upper).all()


def test_duties_are_of_methods_that_exist_and_mostly_of_all_problems():
    """A name that is misspelt would ask for nothing; second-order methods have to reach all."""
    assert set(DUTIES) <= {method.name for method in METHODS}
    for method in descents():
        if method.name in ("lm", "trust-region", "newton", "newton-krylov"):
            assert all(duty(method).includes(case) for case in STANDARD)


def test_conditions_are_what_the_reasons_say():
    """The measure that duties go by, where it is known: Rosenbrock's valley."""
    rosenbrock = next(case for case in STANDARD if case.name == "rosenbrock")
    values = np.linalg.eigvalsh(np.array([[802.0, -400.0], [-400.0, 200.0]]))
    assert condition_number(rosenbrock) == pytest.approx(values[1] / values[0])
