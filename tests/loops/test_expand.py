"""`logsumexp` as steps has the value it stands for, also where exponentials overflow."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import numpy as np
import pytest

from symopt.loops.expand import expand_reductions
from symopt.statements.evaluate import evaluate
from symopt.statements.program import Program, Role, Tensor, Winner
from symopt.statements.verify import verify
from symopt.types import constant
from tests.support.agreement import model_of
from tests.support.loops import statements_of

TEXT = """\
data X[n, d]
param b init 0
s[i] = logsumexp({term} for j)
minimize sum(s)
"""
ROWS = [
    [0.5, -1.0, 2.0],
    [1e4, 1e4, -1e4],
    [-1e4, -1e4, -1e5],
    [-np.inf, 3.0, -np.inf],
    [-np.inf, -np.inf, -np.inf],
    [np.inf, 1.0, 0.0],
    [np.nan, 1.0, 0.0],
]


def _steps(term: str) -> Program:
    """The steps for `s`. Their `max` needs no winner, but the evaluator wants one everywhere."""
    program = expand_reductions(statements_of(TEXT.format(term=term), "s"))
    tensors = dict(program.tensors)
    statements = []
    for statement in program.statements:
        if statement.reduction == "max" and statement.winner is None:
            name = f"{statement.target}.winner"
            tensors[name] = Tensor(name, tensors[statement.target].shape, Role.COMPUTED)
            statement = replace(statement, winner=Winner(name, constant(0)))
        statements.append(statement)
    return verify(replace(program, statements=tuple(statements), tensors=tensors))


def _truth(row: np.ndarray) -> float:
    if np.isnan(row).any():
        return float("nan")
    with mpmath.workprec(200):
        return float(mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(x)) for x in row.tolist())))


def _given(program: Program, X: np.ndarray) -> dict[str, np.ndarray]:
    arrays = {"X": X, "b": np.array(0.25)}
    return {name: array for name, array in arrays.items() if name in program.tensors}


@pytest.mark.parametrize("term", ["X[i, j]", "X[i, j] * 1.5 + b"])
def test_the_steps_have_the_value(term: str) -> None:
    X = np.array(ROWS)
    program = _steps(term)
    assert all(s.reduction != "logsumexp" for s in program.statements)
    found = evaluate(program, {"n": 7, "d": 3}, _given(program, X)).tensors["s"]
    rows = X if term == "X[i, j]" else X * 1.5 + 0.25
    # One ulp of the greatest term, and that of the logarithm.
    assert found == pytest.approx([_truth(row) for row in rows], rel=4e-16, nan_ok=True)


def test_of_nothing_it_is_minus_infinity() -> None:
    program = _steps("X[i, j]")
    found = evaluate(program, {"n": 2, "d": 0}, _given(program, np.zeros((2, 0)))).tensors["s"]
    assert found.tolist() == [-np.inf, -np.inf]


def test_a_term_is_named_once() -> None:
    program = expand_reductions(statements_of(TEXT.format(term="exp(X[i, j]) * b"), "s"))
    assert [s.target for s in program.statements].count("s.term") == 1
    names = [
        s.target
        for s in expand_reductions(statements_of(TEXT.format(term="X[i, j]"), "s")).statements
    ]
    assert names == ["s.top", "s.total", "s"]


GREATEST = "data x[n]\nparam b init 0\nminimize max(x[i] * b for i) + b"


def test_other_statements_stay_as_they_are() -> None:
    program = statements_of(GREATEST, "grad")
    assert expand_reductions(program) == program


def test_winners_that_nothing_looks_at_are_not_sought() -> None:
    (greatest, total) = expand_reductions(statements_of(GREATEST)).statements
    assert greatest.reduction == "max"
    assert greatest.winner is None
    assert total == statements_of(GREATEST).statements[1]


SHARES = """\
data X[n, d]
param b[d] init 0
minimize sum(logsumexp({term} for j)^2 for i)
"""


@pytest.mark.parametrize("term", ["X[i, j] + b[j]", "X[i, j] * b[j] - 1"])
def test_shares_are_quotients_of_the_same_exponentials(term: str) -> None:
    """One exponential per term, for the value and for the gradient."""
    program = expand_reductions(statements_of(SHARES.format(term=term), "value_and_grad"))
    exponentials = sum(str(statement.expression).count("exp(") for statement in program.statements)
    assert exponentials == 1


@pytest.mark.parametrize("lanes", [1, 8])
def test_gradients_by_shares(lanes: int) -> None:
    """The gradient of a logsumexp is the softmax, at both ends of the exponentials' range."""
    text = "data x[d]\nparam b[d] init 0\nminimize logsumexp(x[j] + b[j] for j)\n"
    for row in ([0.5, -1.0, 2.0], [1e4, 1e4, -1e4], [-1e4, -1e4 - 1, -1e5], [700.0, 710.0, 0.0]):
        problem = model_of(text, lanes).bind(x=row)
        with mpmath.workprec(200):
            powers = [mpmath.exp(mpmath.mpf(x)) for x in row]
            wanted = [float(power / mpmath.fsum(powers)) for power in powers]
        assert problem.grad(np.zeros(3)) == pytest.approx(wanted, rel=1e-14, abs=1e-300)


def test_shares_of_other_terms_stay() -> None:
    """exp(2 x - T) is no share of T = logsumexp(x)."""
    text = """\
data X[n, d]
param b init 0
t[i] = logsumexp(X[i, j] * b for j)
minimize sum(exp(2 * X[i, j] * b - t[i]) for i, j)
"""
    program = expand_reductions(statements_of(text, "value"))
    assert "t.inverse" not in program.tensors
