"""Products with many vectors, as statements, against the matrices of the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

import symopt
from symopt.derive.functions import derive, direction, weight
from symopt.derive.panel import by_panel
from symopt.layout import Layout
from symopt.statements.evaluate import evaluate
from symopt.statements.verify import verify
from tests.support.oracle import Oracle, error
from tests.support.small_programs import PROGRAMS

EXACT = 1e-12  # first derivatives: a few roundings, relative to the greatest entry
SECOND = 1e-9  # second derivatives, against fourth-order differences
COUNT = 3


def _seeds(
    layout: Layout, rename: Callable[[str], str], vectors: np.ndarray
) -> dict[str, np.ndarray]:
    """The columns of a matrix as parts of the tensors of a layout."""
    parts = layout.widened(COUNT).arrays(np.ravel(vectors))
    return {rename(name): part for name, part in parts.items()}


def _outputs(
    oracle: Oracle, function: str, p: np.ndarray, given: Mapping[str, np.ndarray]
) -> np.ndarray:
    program = verify(by_panel(derive(oracle.task, function), COUNT))
    found = oracle.run(program, {**oracle.parts(p), **given}).tensors
    return np.concatenate([np.reshape(found[name], (-1, COUNT)) for name in program.outputs])


@pytest.mark.parametrize("name", PROGRAMS)
def test_many_vectors_at_once(name: str, rng: np.random.Generator) -> None:
    problem, p, _ = PROGRAMS[name].bind(np.random.default_rng(len(name)))
    oracle = Oracle(problem)
    V = rng.normal(size=(len(p), COUNT))
    along = _seeds(oracle.layout, direction, V)
    wanted = np.stack([oracle.hessian_product(p, v) for v in V.T], axis=1)
    assert error(_outputs(oracle, "hvp", p, along), wanted) < SECOND
    if not oracle.task.cut:
        return
    jacobian = oracle.jacobian(p)
    U = rng.normal(size=(len(jacobian), COUNT))
    assert error(_outputs(oracle, "jvp", p, along), jacobian @ V) < EXACT
    back = _outputs(oracle, "vjp", p, _seeds(oracle.rows, weight, U))
    assert error(back, jacobian.T @ U) < EXACT
    if name != "robust":  # whose Gauss-Newton matrix is not of second derivatives alone
        wanted = np.stack([oracle.gauss_newton_product(p, v) for v in V.T], axis=1)
        assert error(_outputs(oracle, "gnvp", p, along), wanted) < SECOND


def test_what_vectors_do_not_reach_is_zero_for_all_of_them() -> None:
    task = symopt.parse("param a, b[2]\nreport r = b[0]\nminimize a^2").stages.task
    program = by_panel(derive(task, "hvp"), COUNT)
    given = {"a": np.ones(()), "b": np.ones(2), "a.direction": np.arange(3.0)}
    given = {name: array for name, array in given.items() if name in program.tensors}
    found = evaluate(program, {}, given).tensors
    assert found["a.bar.dot"].tolist() == [0.0, 2.0, 4.0]
    assert found["b.bar.dot"].tolist() == np.zeros((2, 3)).tolist()


def test_what_does_not_depend_on_the_vectors_is_computed_once() -> None:
    problem, _, _ = PROGRAMS["network"].bind(np.random.default_rng(0))
    program = derive(problem.model.stages.task, "hvp")
    wide = by_panel(program, COUNT)
    same = [a for a, b in zip(program.statements, wide.statements, strict=True) if a == b]
    assert {"hidden", "z", "hidden.bar"} <= {statement.target for statement in same}
    longer = [s for s in wide.statements if s.target.endswith(".dot")]
    assert all(statement.loops[-1].upper.value == COUNT for statement in longer)
