"""Every program before and after hoisting, and its derivatives by complex steps of the original."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import symopt
from symopt.derive.functions import derive
from symopt.derive.simplify import drop_dead
from symopt.diagnostics import SymoptError
from symopt.loops.axis import sample_dims
from symopt.problem import Problem
from symopt.statements.evaluate import points
from symopt.statements.hoist import Hoisting, hoist
from symopt.statements.hoist.work import work
from symopt.statements.program import Program
from symopt.statements.verify import verify
from tests.oracles.test_adbench import _bundle, _mixture
from tests.oracles.test_every_program import MAKERS
from tests.statements.test_hoist import derived, factored
from tests.support.agreement import model_of
from tests.support.oracle import Oracle, error
from tests.support.random_programs import Example, examples

REGRESSIONS = Path(__file__).parents[1] / "programs" / "regressions"
ROUNDING = 1e-12  # sums in another order, products by reciprocals: a few 1e-16 each
COLUMNS = 6
Made = tuple[Problem, np.ndarray]


def _made(name: str) -> Made:
    problem, p, _ = MAKERS[name]()
    return problem, p


PROGRAMS = {
    **{name: functools.partial(_made, name) for name in MAKERS},
    "adbench/gmm": functools.partial(_mixture, "gmm/test.txt"),
    "adbench/ba": functools.partial(_bundle, "ba/test.txt"),
}


def _options(problem: Problem, *, filled: bool = True, groups: bool = True) -> Hoisting:
    """What bind knows."""
    task = problem.model.stages.task
    arrays = {name for name, t in task.program.tensors.items() if t.below is not None}
    ranked = sample_dims(task.program, None)
    return Hoisting(
        frozenset(sorted(ranked, key=lambda name: -problem.dims[name])[:1]),
        frozenset(arrays if groups else ()),
        frozenset(name for name, size in problem.dims.items() if filled and size > 0),
        frozenset(task.cut),
    )


def _assert_same_values(problem: Problem, p: np.ndarray, options: Hoisting) -> None:
    """Every tensor of the program has its values, also where these are not finite."""
    oracle, program = Oracle(problem), problem.model.stages.task.program
    wanted = oracle.run(program, oracle.parts(p)).tensors
    found = oracle.run(verify(hoist(program, options)[0]), oracle.parts(p)).tensors
    for name, array in wanted.items():
        if name in found:
            top = np.abs(array[np.isfinite(array)]).max(initial=1.0)
            np.testing.assert_allclose(found[name], array, rtol=0, atol=ROUNDING * top)
        else:
            assert name.endswith(".winner")


def _assert_derivatives(problem: Problem, p: np.ndarray, options: Hoisting, after: bool) -> None:
    """First derivatives and Hessian products; with `after`, hoisted after derivation alone."""
    oracle, task = Oracle(problem), problem.model.stages.task
    rng = np.random.default_rng(7)
    v = rng.normal(size=len(p)) * np.maximum(np.abs(p), 0.1)
    columns = np.sort(rng.permutation(len(p))[:COLUMNS])

    def function(name: str) -> Program:
        if not after:
            return derived(task, options, name)
        done = hoist(derive(task, name), replace(options, kept=frozenset()))[0]
        return verify(drop_dead(factored(done, options)))

    gradient = oracle.function(function("grad"), p)
    assert error(gradient[columns], oracle.gradient(p, list(columns))) < ROUNDING
    slopes = derive(task, "grad")
    step = 1e-40
    change = np.imag(oracle.function(slopes, p + 1j * step * v)) / step
    # Second derivatives of terms that cancel.
    assert error(oracle.function(function("hvp"), p, v), change) < 1e3 * ROUNDING
    if task.cut:
        found = oracle.function(function("jvp"), p, v)
        assert error(found, oracle.change_of_cut(p, v)) < ROUNDING
    if task.cut and len(p) <= 100:
        found = oracle.function(function("jac"), p).reshape(-1, len(p))
        assert error(found[:, columns], oracle.jacobian(p, list(columns))) < ROUNDING


@pytest.mark.parametrize("name", PROGRAMS)
def test_values(name: str) -> None:
    problem, p = PROGRAMS[name]()
    for known in (True, False):
        _assert_same_values(problem, p, _options(problem, filled=known, groups=known))


@pytest.mark.parametrize("after", [False, True], ids=["both", "after"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_derivatives(name: str, after: bool) -> None:
    problem, p = PROGRAMS[name]()
    _assert_derivatives(problem, p, _options(problem), after)


@settings(
    max_examples=25,
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(examples(), st.booleans(), st.booleans(), st.booleans())
def test_random_programs(example: Example, filled: bool, groups: bool, after: bool) -> None:
    try:
        problem = model_of(example.text).bind(example.data(), **example.sizes)
    except SymoptError:
        return
    p, _ = example.point(problem.n)
    options = _options(problem, filled=filled, groups=groups)
    _assert_same_values(problem, p, options)
    if np.isfinite(Oracle(problem).value(p)):
        _assert_derivatives(problem, p, options, after)


# ── what it is good for ──────────────────────────────────────────────────────────────────────


def _operations(problem: Problem, program: Program) -> int:
    """Operations in all, with functions at their price."""
    oracle = Oracle(problem)
    arrays = {name: np.asarray(array) for name, array in oracle.arrays.items()}
    total = 0
    for statement in program.statements:
        count = points(statement.loops, problem.dims, arrays)[1]
        total += count * (work(statement.expression) + (statement.reduction != "="))
    return total


def _large_mixture() -> Problem:
    rng = np.random.default_rng(1)
    d, k = 10, 25
    text = (Path(__file__).parents[1] / "programs" / "adbench" / "gmm.sym").read_text()
    x = rng.normal(size=(4000, d))
    return symopt.parse(text).bind(x=x, gamma=1.0, m=0, K=k)


def _large_bundle() -> Problem:
    rng = np.random.default_rng(1)
    n, m, p = 16, 4000, 20_000
    text = (Path(__file__).parents[1] / "programs" / "adbench" / "ba.sym").read_text()
    cam, pt = rng.integers(0, n, p), rng.integers(0, m, p)
    return symopt.parse(text).bind(cam=cam, pt=pt, feature=np.zeros((p, 2)), n=n, m=m)


@pytest.mark.parametrize(
    ("make", "least"), [(_large_mixture, 3.5), (_large_bundle, 3.0)], ids=["mixture", "bundle"]
)
def test_gradients_take_fewer_operations(make, least: float) -> None:
    problem = make()
    task = problem.model.stages.task
    # Counted: 29,900 and 8,100 per sample of the mixture, 678 and 214 per observation.
    before = _operations(problem, derive(task, "grad"))
    after = _operations(problem, derived(task, _options(problem), "grad"))
    assert before / after > least


def test_statements_do_not_depend_on_sizes() -> None:
    small, _ = _mixture("gmm/test.txt")
    large = _large_mixture()
    first, second = (
        hoist(problem.model.stages.task.program, _options(problem))[0].statements
        for problem in (small, large)
    )
    assert first == second
