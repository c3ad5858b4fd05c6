"""Memory beside the data does not grow with the data, and code is not made again for it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import symopt
from tests.support.memory import extra_memory

PROGRAM = """\
data x[n], y[n]
param a init 1, b init -0.5
residual r[i] = y[i] - a * exp(b * x[i])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_a_gradient_over_a_million_samples() -> None:
    """16 MB of data; a single stored intermediate would be 8 MB."""
    assert extra_memory(1_000_000) < 6.4e6


def test_one_kernel_serves_all_sizes() -> None:
    model = symopt.parse(PROGRAM)
    compiled = model.compiled("grad")
    text = compiled.ir
    for n in (0, 100, 100_000):
        problem = model.bind(x=np.zeros(n), y=np.ones(n))
        # At x = 0 and a = 1 all residuals are 0.
        assert not problem.grad(problem.x0).any()
        assert model.compiled("grad") is compiled
    assert symopt.parse(PROGRAM).compiled("grad").ir == text
