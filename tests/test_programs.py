"""Every program of tests/programs: the good mean what plain NumPy says, the bad say why."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.diagnostics import SymoptError, render
from symopt.layout import Layout
from symopt.source import Source
from symopt.statements.evaluate import evaluate
from symopt.statements.program import Program
from symopt.statements.verify import verify
from symopt.syntax.parser import parse_what_can_be, read_source
from symopt.typed.checker import check
from tests.programs.references import CASES

PROGRAMS = Path(__file__).parent / "programs"
GOOD = sorted((PROGRAMS / "good").glob("*.sym"))
BAD = sorted((PROGRAMS / "bad").glob("*.sym"))

# Sums of some tens of terms of order 1 to 100, in another order than NumPy's: a few units in the
# last place of the largest of them.
ROUNDING = 2e-13


def objective_of(program: Program, name: str, dims: Any, arrays: dict[str, Any]) -> complex:
    return complex(evaluate(program, dims, arrays).tensors[name])


def complex_step(program: Program, name: str, dims: Any, data: Any, layout: Layout, p: Any) -> Any:
    """The gradient, exact to rounding: the imaginary part of the evaluator's value."""
    step = 1e-30
    gradient = np.empty(p.size)
    for k in range(p.size):
        point = p.astype(complex)
        point[k] += step * 1j
        arrays = {**data, **layout.arrays(point)}
        gradient[k] = objective_of(program, name, dims, arrays).imag / step
    return gradient


def test_every_good_program_has_a_reference() -> None:
    assert {path.stem for path in GOOD} == CASES.keys()


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_program(path: Path, rng: np.random.Generator) -> None:
    model = symopt.load(path)
    task = model.stages.task
    verify(model.stages.setup)
    verify(task.program)
    assert {warning.code for warning in model.warnings} <= {"no-slope"}
    given = CASES[path.stem].data(rng)
    problem = model.bind(given)
    p = problem.x0 + 0.1 * rng.standard_normal(problem.n)
    arrays = {name: np.asarray(value) for name, value in given.items()}
    known = SimpleNamespace(**{**problem.dims, **arrays, **problem.unpack(p)})
    expected = float(CASES[path.stem].reference(known))

    data, layout = dict(problem._bound.arrays), problem._layout
    assert task.objective is not None
    value = objective_of(task.program, task.objective, problem.dims, {**data, **layout.arrays(p)})
    gradient = complex_step(task.program, task.objective, problem.dims, data, layout, p)
    tolerance = ROUNDING * max(1.0, abs(expected))
    assert value.real == pytest.approx(expected, abs=tolerance)
    assert problem.value(p) == pytest.approx(expected, abs=tolerance)
    slack = ROUNDING * max(1.0, float(np.abs(gradient).max()))
    np.testing.assert_allclose(problem.grad(p), gradient, rtol=0, atol=slack)


def messages_of(source: Source) -> str:
    """All errors of a program, or the warnings of one without errors."""
    try:
        _, warnings = check(*parse_what_can_be(source))
    except SymoptError as error:
        return render(error.diagnostics)
    return render(warnings)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_program(path: Path) -> None:
    expected = path.with_suffix(".expected").read_text(encoding="utf-8")
    assert messages_of(read_source(path, path.name)) + "\n" == expected
