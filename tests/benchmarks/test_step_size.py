"""The page on step sizes says what is true."""

from __future__ import annotations

import pytest

from tests.benchmarks.step_size import PROGRAMS, curves
from tests.oracles.test_every_program import MAKERS


@pytest.mark.parametrize("name", PROGRAMS)
def test_complex_steps_do_not_cancel(name: str) -> None:
    found = curves(*MAKERS[name]())
    ours, theirs = found["complex step"], found["central difference"]
    # A few roundings of sums over up to 150 samples; differences lose a third of the digits.
    assert ours.errors[ours.steps <= 2.0**-50].max() < 1e-13
    assert theirs.best[0] > ours.errors[ours.steps <= 2.0**-50].max()
    assert theirs.errors[theirs.steps == 2.0**-50][0] > 1e-6
