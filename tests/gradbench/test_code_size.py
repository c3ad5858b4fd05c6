"""Code is as long for any number of samples, observations, characters and layers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.gradbench import inputs
from tests.benchmarks.gradbench.registry import MODULES

SIZES = {
    "gmm, points": ("gmm", inputs.gmm(0, 9, 3, 4), inputs.gmm(0, 700, 3, 4)),
    "ba, observations": ("ba", inputs.ba(0, 3, 40, 70), inputs.ba(0, 3, 40, 2000)),
    "hand, simple, points": ("ht", inputs.ht(0, 50, 9, False), inputs.ht(0, 50, 700, False)),
    "hand, simple, skin": ("ht", inputs.ht(0, 50, 9, False), inputs.ht(0, 90, 9, False)),
    "hand, complicated, points": ("ht", inputs.ht(0, 50, 9, True), inputs.ht(0, 50, 700, True)),
    "lstm, characters": ("lstm", inputs.lstm(0, 2, 9, 5), inputs.lstm(0, 2, 700, 5)),
    "lstm, layers": ("lstm", inputs.lstm(0, 2, 9, 5), inputs.lstm(0, 6, 9, 5)),
    "kmeans, points": ("kmeans", inputs.kmeans(0, 50, 4, 3), inputs.kmeans(0, 700, 4, 3)),
    "lse": ("lse", inputs.lse(0, 9), inputs.lse(0, 700)),
    "ode, equations": ("ode", inputs.ode(0, 9, 5), inputs.ode(0, 700, 5)),
}


@pytest.mark.parametrize("case", SIZES)
def test_the_same_code_serves_other_sizes(case: str) -> None:
    module, small, large = SIZES[case]
    assert _code(module, small) == _code(module, large)


def _code(module: str, given: Any) -> str:
    """The LLVM text of value and gradient for the sizes of these data."""
    problem, _ = MODULES[module].bind(given)
    fixed = problem.model.fixed_by(problem.dims, problem._bound.arrays)
    return problem.model.show("llvm", "value_and_grad", fixed)
