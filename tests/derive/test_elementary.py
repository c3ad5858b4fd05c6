"""Functions inside expressions as definitions: the values stay, and what changes has a name."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.derive.elementary import with_names
from symopt.statements.verify import verify
from tests.support.oracle import Oracle
from tests.support.small_programs import PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_stay(name: str) -> None:
    problem, p, _ = PROGRAMS[name].bind(np.random.default_rng(len(name)))
    oracle = Oracle(problem)
    program = oracle.task.program
    named = verify(with_names(program, oracle.task.params))
    before = oracle.run(program, oracle.parts(p)).tensors
    after = oracle.run(named, oracle.parts(p)).tensors
    for tensor in before:
        np.testing.assert_array_equal(before[tensor], after[tensor])


def _targets(text: str) -> list[str]:
    task = symopt.parse(text).stages.task
    found = with_names(task.program, task.params)
    return [f"{s.target} = {s.expression}" for s in found.statements]


def test_functions_and_what_they_are_of() -> None:
    found = _targets("data x[n]\nparam a, b, c\nresidual r[i] = c * exp(a - b * x[i])")
    assert found[:3] == [
        "r.inner1 = a - b*x[i]",
        "r.inner2 = exp(r.inner1[i])",
        "r = c*r.inner2[i]",
    ]


def test_what_does_not_move_and_choices_are_left() -> None:
    text = "data x[n]\nparam a\nresidual r[i] = (sqrt(a - x[i]) if a > x[i] else 0) + a * exp(x[i])"
    assert len(_targets(text)) == 2
    assert len(_targets("data x[n]\nparam a[n]\nminimize sum(exp(sin(a[i] * x[i])) for i)")) == 1
