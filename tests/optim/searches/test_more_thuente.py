"""Moré and Thuente's search on their own test functions, evaluation for evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.optim.searches.more_thuente import more_thuente
from tests.optim.searches.lines import FIRST_LENGTHS, MORE_THUENTE, Counting

# Evaluations and accepted lengths of the tables I to VI of the paper, for first lengths of 1e-3,
# 1e-1, 1e1 and 1e3.
PUBLISHED = (
    ((6, 1.4), (3, 1.4), (1, 10), (4, 37)),
    ((12, 1.6), (8, 1.6), (8, 1.6), (11, 1.6)),
    ((12, 1.0), (12, 1.0), (10, 1.0), (13, 1.0)),
    ((4, 0.085), (1, 0.10), (3, 0.35), (4, 0.83)),
    ((6, 0.075), (3, 0.078), (7, 0.073), (8, 0.076)),
    ((13, 0.93), (11, 0.93), (8, 0.92), (11, 0.92)),
)
CASES = [
    pytest.param(line, first, *published, id=f"{number}-{first:g}")
    for number, (line, row) in enumerate(zip(MORE_THUENTE, PUBLISHED, strict=True), 1)
    for first, published in zip(FIRST_LENGTHS, row, strict=True)
]


@pytest.mark.parametrize(("line", "first", "evaluations", "length"), CASES)
def test_published_runs(line, first, evaluations, length):
    at, start = Counting(line), line.start
    found = more_thuente(at, start, first, np.inf, decrease=line.decrease, curvature=line.curvature)
    assert found is not None
    assert found.value <= start.value + line.decrease * found.length * start.slope
    assert abs(found.slope) <= -line.curvature * start.slope
    assert len(at.lengths) == evaluations
    # The tables give two digits.
    assert found.length == pytest.approx(length, rel=0.03)
