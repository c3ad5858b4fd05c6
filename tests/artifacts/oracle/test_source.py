"""The loss as generated NumPy code, beside the evaluator of statements: values, complex steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

import symopt
from symopt.artifacts.oracle.source import oracle_source
from symopt.problem import Problem
from tests.oracles.test_every_program import MAKERS
from tests.support.oracle import Oracle
from tests.support.random_programs import Example, examples

STEP = 2.0**-540  # its square is 0
ROUNDING = 1e-12  # sums in another order, other formulas of the functions: a few 1e-16 each


def executed(problem: Problem) -> SimpleNamespace:
    """The oracle of a problem as a module."""
    found: dict[str, Any] = {}
    exec(compile(oracle_source(problem.model), "oracle.py", "exec"), found)
    return SimpleNamespace(**found)


def data_of(problem: Problem) -> dict[str, Any]:
    bound = problem._bound
    return {**bound.dims, **{n: a for n, a in bound.arrays.items() if "." not in n}}


def compare(problem: Problem, p: np.ndarray, v: np.ndarray) -> None:
    """Everything the oracle computes, at a complex point."""
    ours, reference, data = executed(problem), Oracle(problem), data_of(problem)
    q = p + 1j * STEP * v
    with np.errstate(all="ignore"):
        if problem.model.cut:
            same(ours.cut(q, data), reference.cut(q))
            same(ours.cut(p, data), reference.cut(p))
        if reference.task.objective is not None:
            same(ours.value(q, data), reference.value(q))
            same(ours.value(p, data), reference.value(p))
        if problem.model.cut and reference.task.objective is not None:
            z = reference.cut(p)
            z = z + 1j * STEP * np.resize([1.0, -0.5, 0.3], len(z))
            same(ours.loss(z, q, data), reference.loss(z, q))


def same(found: Any, wanted: Any) -> None:
    """Equal to rounding, the imaginary parts for themselves; where the wanted are finite."""
    assert np.shape(found) == np.shape(wanted)
    for part, right in ((np.real(found), np.real(wanted)), (np.imag(found), np.imag(wanted))):
        top = np.abs(right[np.isfinite(right)]).max(initial=0.0)
        good = np.isfinite(right)
        np.testing.assert_allclose(part[good], right[good], rtol=ROUNDING, atol=ROUNDING * top)


@pytest.mark.parametrize("name", MAKERS)
def test_every_program(name: str) -> None:
    problem, p, size = MAKERS[name]()
    v = size * np.random.default_rng(1).choice((-1.0, 1.0), len(p))
    compare(problem, p, v)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(examples())
def test_random_programs(example: Example) -> None:
    try:
        problem = symopt.parse(example.text).bind(example.data())
    except symopt.SymoptError:
        return
    compare(problem, *example.point(problem.n))
