"""The measure of errors."""

from __future__ import annotations

import numpy as np

from symopt.certify.comparisons import TOLERANCE, Axis, compare

NAMES = ("a", "b", "c")


def test_the_worst_entry_is_named():
    found = compare("grad", "it", [1, 2, 3], [1, 2.5, 3], 0.0, [Axis(NAMES)])
    assert (found.entry, found.found, found.wanted) == ("b", 2.0, 2.5)
    assert found.error == 0.2
    assert not found.ok


def test_cancellation_is_measured_against_what_cancels():
    wanted = np.array([1e-17, 1.0, 1.0])
    off = compare("grad", "it", [3e-17, 1, 1], wanted, 0.0, [Axis(NAMES)])
    fine = compare("grad", "it", [3e-17, 1, 1], wanted, np.array([1.0, 0, 0]), [Axis(NAMES)])
    assert not off.ok
    assert fine.ok


def test_entries_share_roundings_in_their_own_units():
    """An entry a trillion times smaller for a parameter a trillion times greater is no smaller."""
    wanted = np.array([1.0, 1e-12, 1e-30])
    units = np.array([1.0, 1e12, 1.0])
    wrong = compare("grad", "it", [1, 1.001e-12, 1e-30], wanted, 0.0, [Axis(NAMES, units)])
    tiny = compare("grad", "it", [1, 1e-12, 1.5e-30], wanted, 0.0, [Axis(NAMES, units)])
    assert not wrong.ok
    assert tiny.ok


def test_what_is_not_finite_has_to_be_the_same():
    nan, inf = np.nan, np.inf
    same = compare("grad", "it", [nan, inf, -inf], [nan, inf, -inf], 0.0, [Axis(NAMES)])
    assert same.error == 0.0
    for found in ([nan, 1.0, 1.0], [inf, 1.0, 1.0]):
        off = compare("grad", "it", found, [1.0, 1.0, 1.0], 0.0, [Axis(NAMES)])
        assert off.error == inf
    flipped = compare("grad", "it", [-inf, 1.0, 1.0], [inf, 1.0, 1.0], 0.0, [Axis(NAMES)])
    assert not flipped.ok


def test_nothing_is_fine():
    empty = compare("jac", "it", np.zeros((0, 3)), np.zeros((0, 3)), 0.0, [Axis(()), Axis(NAMES)])
    assert (empty.error, empty.tolerance) == (0.0, TOLERANCE)
