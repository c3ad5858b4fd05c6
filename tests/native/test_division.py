"""Sizes and indices that divide by zero are refused at binding: the processor would trap."""

from __future__ import annotations

import numpy as np
import pytest

import symopt

PROGRAMS = (
    "dim n, k\nparam b init 1\nf[i] = b for i in range(n // k)\nminimize sum(f)",
    "dim n, k\nparam b[n] init 1\nminimize sum(b[i // k] for i in n)",
    "dim n, k\nparam b[n] init 1\nminimize sum(b[i % k] for i in n)",
    "dim n, k\nparam b[n // k] init 1\nminimize sum(b)",
)


@pytest.mark.parametrize("text", PROGRAMS)
def test_a_zero_divisor_is_refused(text: str) -> None:
    model = symopt.parse(text)
    with pytest.raises(symopt.SymoptError, match=r"division by zero in .*k"):
        model.bind(n=4, k=0)
    problem = model.bind(n=4, k=4)
    assert problem.value(np.ones(problem.n)) in (1, 4)


def test_a_zero_entry_is_found() -> None:
    model = symopt.parse("data c[n] in 5\nparam b[n] init 1\nminimize sum(b[i % c[i]] for i in n)")
    assert model.bind(c=[1, 2, 2]).value([1, 2, 3]) == 1 + 2 + 1
    with pytest.raises(symopt.SymoptError, match="division by zero"):
        model.bind(c=[1, 0, 2])
