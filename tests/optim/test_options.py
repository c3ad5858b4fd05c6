"""Options checked at the door."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim.options import (
    check_at_least,
    check_choice,
    check_decay,
    check_fraction,
    check_not_negative,
    check_positive,
)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (check_positive, (1e-300, np.inf, None), (0, -1, np.nan)),
        (check_not_negative, (0, 1, None), (-1e-300, np.nan)),
        (check_fraction, (1e-9, 0.5), (0, 1, np.nan)),
        (check_decay, (0, 0.999), (-0.1, 1, np.nan)),
    ],
)
def test_numbers(check, good, bad):
    for value in good:
        check("adam", rate=value)
    for value in bad:
        with pytest.raises(DataError, match="option `rate` of adam must be"):
            check("adam", rate=value)


def test_a_least_number():
    check_at_least(4, "genetic", population=4, candidates=None)
    with pytest.raises(DataError, match="option `population` of genetic must be at least 4, not 3"):
        check_at_least(4, "genetic", population=3)


def test_words():
    check_choice(("armijo", "exact"), "descent", search="exact")
    with pytest.raises(DataError, match="must be 'armijo' or 'exact', not 'wolfe'"):
        check_choice(("armijo", "exact"), "descent", search="wolfe")
    with pytest.raises(DataError, match="must be 'a', 'b' or 'c'"):
        check_choice(("a", "b", "c"), "descent", search="d")
