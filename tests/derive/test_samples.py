"""The summands of samples, by the evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symopt
from symopt.derive.samples import SUMMANDS, TOTAL, with_summands, with_total
from symopt.statements.verify import verify
from tests.support.oracle import Oracle

X = np.array([0.5, -1.0, 2.0, 0.25])
Y = np.array([1.0, 0.0, 1.0, 1.0])
A, B = 0.7, -0.3
PROGRAM = "data x[n], y[n]\nparam a, b\n"


def summands(objective: str) -> np.ndarray:
    problem = symopt.parse(f"{PROGRAM}minimize {objective}").bind(x=X, y=Y)
    oracle, task = Oracle(problem), problem.model.stages.task
    assert task.objective is not None
    made, names = with_summands(task.program, task.objective, task.params, task.samples)
    assert names == (SUMMANDS,)
    whole: Any = verify(with_total(made, names))
    tensors = oracle.run(whole, oracle.parts(np.array([A, B]))).tensors
    np.testing.assert_allclose(tensors[TOTAL], tensors[SUMMANDS].sum(), rtol=1e-14)
    np.testing.assert_allclose(tensors[task.objective], oracle.value(np.array([A, B])), rtol=1e-14)
    return tensors[SUMMANDS]


E = Y - A * X - B


@pytest.mark.parametrize(
    ("objective", "wanted"),
    [
        ("sum((y[i] - a * x[i] - b)^2 for i)", E**2),
        ("mean((y[i] - a * x[i] - b)^2 for i) + a^2", E**2),
        ("3 * mean((y[i] - a * x[i] - b)^2 for i) / 2", 1.5 * E**2),
        ("sum((y[i] - a * x[i] - b)^2 for i) / n - b", E**2),
        ("n * mean((y[i] - a * x[i] - b)^2 for i)", E**2),
        ("mean(a * x[i] for i if y[i] > 0)", np.where(Y > 0, A * X, 0.0)),
        ("sum(a * x[i] for i) - mean(b * y[i] for i)", A * X - B * Y),
        ("sum(a * x[i] for i in range(1, n)) + sum(b * y)", A * X * [0, 1, 1, 1] + B * Y),
        ("sum((x[i] - mean(a * x))^2 for i)", (X - A * X.mean()) ** 2),
    ],
)
def test_summands(objective: str, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(summands(objective), wanted, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("objective", ["exp(sum(a * x))", "a * sum(b * x)", "max(a * x)"])
def test_other_objectives(objective: str) -> None:
    with pytest.raises(symopt.DerivativeUnavailable, match="sum over"):
        summands(objective)


def test_without_samples() -> None:
    task = symopt.parse("param a, b\nminimize (a - 1)^2 + b").bind().model.stages.task
    assert task.objective is not None
    program, names = with_summands(task.program, task.objective, task.params, task.samples)
    assert program == task.program
    assert names == (task.objective,)
    problem = symopt.parse("param a, b\nresidual r = a * b - 3\nresidual s = b").bind()
    oracle, task = Oracle(problem), problem.model.stages.task
    assert task.squares
    program, names = with_summands(task.program, "r", task.params, (), task.cut)
    whole: Any = verify(with_total(program, names))
    tensors = oracle.run(whole, oracle.parts(np.array([A, B]))).tensors
    np.testing.assert_allclose([tensors[name] for name in names], [(A * B - 3) ** 2, B**2])
    np.testing.assert_allclose(tensors[TOTAL], (A * B - 3) ** 2 + B**2, rtol=1e-14)
