"""Every method without derivatives on gently curved valleys, by default settings."""

from __future__ import annotations

import pytest

from symopt.optim import METHODS
from tests.optim.derivative_free.valleys import VALLEYS, check

NAMES = [
    m.name for m in METHODS if m.family == "derivative-free" and m.name != "coordinate-descent"
]


@pytest.mark.parametrize("valley", VALLEYS, ids=lambda valley: valley.name)
@pytest.mark.parametrize("name", NAMES)
def test_defaults_reach_the_minimum(name, valley):
    check(name, valley, seed=0)


@pytest.mark.parametrize("seed", range(1, 10))
@pytest.mark.parametrize("name", [n for n in NAMES if n != "nelder-mead"])
def test_whatever_the_seed(name, seed):
    check(name, VALLEYS[0], seed)
