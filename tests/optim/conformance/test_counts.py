"""Our methods need no more evaluations than SciPy's to reach the same minima.

Counted is what a run needs until it is within the tolerance of the minimum that it ends in, so
that stopping rules do not matter; SciPy's tolerances are set so that it gets there.
"""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.methods import find_method
from tests.optim.conformance.counting import ours, scipy_least_squares, scipy_minimize
from tests.optim.conformance.duties import duty
from tests.optim.conformance.problems import least_squares_cases

STANDARD = least_squares_cases()
LEAST_SQUARES = ["lm", "trust-region"]
PEERS = [
    ("bfgs", "BFGS"),
    ("l-bfgs", "L-BFGS-B"),
    ("l-bfgs-b", "L-BFGS-B"),
    ("cg-polak-ribiere", "CG"),
    ("cg-hager-zhang", "CG"),
]


@pytest.mark.parametrize("method", LEAST_SQUARES)
@pytest.mark.parametrize("peer", ["lm", "trf"])
def test_reaches_what_least_squares_reaches(method, peer):
    for case in STANDARD:
        mine, theirs = ours(case, method), scipy_least_squares(case, peer, 1e-15)
        assert mine is not None
        assert mine.reached or theirs is None or not theirs.reached, (case.name, mine)


@pytest.mark.parametrize("method", LEAST_SQUARES)
@pytest.mark.parametrize("peer", ["lm", "trf"])
def test_no_more_residual_evaluations_until_the_minimum(method, peer):
    both = [
        (mine.values_there, theirs.values_there)
        for case in STANDARD
        if (mine := ours(case, method)) and (theirs := scipy_least_squares(case, peer))
        if mine.reached and theirs.reached
    ]
    assert len(both) >= 23
    mine, theirs = np.sum(both, axis=0)
    assert mine <= theirs


@pytest.mark.parametrize("method", LEAST_SQUARES)
@pytest.mark.parametrize("peer", ["lm", "trf"])
def test_no_more_residual_evaluations_to_the_last_digit(method, peer):
    """Whole runs, both to the accuracy of floating point."""
    mine = sum(tally.values for case in STANDARD if (tally := ours(case, method)))
    theirs = sum(
        tally.values for case in STANDARD if (tally := scipy_least_squares(case, peer, 1e-15))
    )
    assert mine <= theirs


def test_no_more_residual_evaluations_than_minpack_to_fewer_digits():
    """`lm` to the last digit, MINPACK to SciPy's tolerances of 1e-8."""
    mine = sum(tally.values for case in STANDARD if (tally := ours(case, "lm")))
    theirs = sum(tally.values for case in STANDARD if (tally := scipy_least_squares(case, "lm")))
    assert mine <= theirs


@pytest.mark.parametrize(("method", "peer"), PEERS)
def test_no_more_gradient_evaluations(method, peer):
    asked = [case for case in STANDARD if duty(find_method(method)).includes(case)]
    both = [
        (mine.gradients_there, theirs.gradients_there)
        for case in asked
        if (mine := ours(case, method)) and (theirs := scipy_minimize(case, peer))
        if theirs.reached and mine.minimum == theirs.minimum
    ]
    assert len(both) >= 0.7 * len(asked)
    mine, theirs = np.sum(both, axis=0)
    assert mine <= theirs


@pytest.mark.parametrize(("method", "peer"), PEERS)
def test_reaches_as_many_minima(method, peer):
    asked = [case for case in STANDARD if duty(find_method(method)).includes(case)]
    mine = [tally for case in asked if (tally := ours(case, method)) and tally.reached]
    theirs = [tally for case in asked if (tally := scipy_minimize(case, peer)) and tally.reached]
    assert len(mine) >= len(theirs)
