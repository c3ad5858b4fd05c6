"""CMA-ES and Nelder-Mead solve what they should within the budget of the page."""

from __future__ import annotations

import pytest

from tests.benchmarks.derivative_free import FUNCTIONS, lowest


@pytest.mark.parametrize("function", ["sphere", "ellipsoid", "Rosenbrock"])
@pytest.mark.parametrize("method", ["evolution-strategy", "nelder-mead"])
def test_the_sharp_ones_reach_1e_6(method: str, function: str) -> None:
    assert lowest(method, *FUNCTIONS[function], budget=10_000, seed=0)[-1] < 1e-6


def test_a_budget_is_kept() -> None:
    assert len(lowest("random-search", *FUNCTIONS["Rosenbrock"], budget=100, seed=0)) == 100
