"""Every native derivative of every program against independent oracles.

Gradients and Jacobians: complex steps of the NumPy evaluator. Second derivatives: fourth-order
differences of complex-step gradients. Gauss-Newton products: complex-step Jacobians around
differences of complex steps of the loss. Where there are many parameters, a sample of the columns
is looked at; examples see 60 of their rows.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.problem import Problem
from tests.programs.references import CASES
from tests.support.oracle import WIDTHS, Oracle, error
from tests.support.small_programs import PROGRAMS

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "tests" / "programs" / "good"
EXAMPLES = ROOT / "examples"
TABLES = {
    "digit": "digits.csv",
    "species": "iris.csv",
    "flow": "nile.csv",
}  # by the label that programs read
SIZES = {"convolution": {"f": 3}, "lstm": {"h": 3, "T": 4, "w": 16}}  # less than they have
ROWS = 60
COLUMNS = 24  # looked at, of the parameters
EXACT = 1e-12  # first derivatives: the bound; measured: a few 1e-15
SECOND = 1e-10  # against differences, themselves good to about 1e-11


@functools.cache
def _table(path: Path) -> tuple[list[str], np.ndarray]:
    """Column names, and rows taken evenly from the whole table."""
    with path.open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    numbers = np.array(rows, dtype=float)
    return header, numbers[:: max(1, len(numbers) // ROWS)][:ROWS]


def _example_data(path: Path, model: symopt.Model) -> dict[str, np.ndarray]:
    """A column for each name that is one; the columns that are left make up the matrix."""
    own = path.with_suffix(".csv")
    if not own.exists() and (found := _files_beside(path, model)):
        return found
    table = EXAMPLES / "data" / next((TABLES[n] for n in model.data if n in TABLES), "iris.csv")
    header, rows = _table(own if own.exists() else table)
    found = {name: rows[:, header.index(name)] for name in model.data if name in header}
    rest = [k for k, name in enumerate(header) if name not in found and name not in TABLES]
    matrices = [n for n, data in model.data.items() if len(data.shape) == 2 and n not in found]
    return found | {name: rows[:, rest] for name in matrices}


def _files_beside(path: Path, model: symopt.Model) -> dict[str, np.ndarray]:
    """What its own files hold: arrays by name, matrices named as their file, and columns."""
    stored = path.with_suffix(".npz")
    found = dict(np.load(stored)) if stored.exists() else {}
    for file in path.parent.glob("*.csv"):
        header, rows = _table(file)
        columns = {name: rows[:, header.index(name)] for name in model.data if name in header}
        found |= {file.stem: rows} if file.stem in model.data else columns
    return found


Made = tuple[Problem, np.ndarray, np.ndarray]  # with a point, and the size of each parameter


def _example(path: Path) -> Made:
    model = symopt.load(path)
    problem = model.bind(_example_data(path, model), **SIZES.get(path.parent.name, {}))
    start = problem.x0
    size = np.where(start == 0, 1.0, np.abs(start))
    # A little off the start, which is a special point for some.
    return problem, start + 0.01 * size * np.random.default_rng(3).normal(size=len(size)), size


def _good(path: Path) -> Made:
    rng = np.random.default_rng(5)
    problem = symopt.load(path).bind(CASES[path.stem].data(rng))
    p = problem.x0 + 0.1 * rng.normal(size=problem.n)
    return problem, p, np.maximum(np.abs(p), 0.1)


def _small(name: str) -> Made:
    problem, p, _ = PROGRAMS[name].bind(np.random.default_rng(len(name)))
    return problem, p, np.maximum(np.abs(p), 0.1)


MAKERS: dict[str, Callable[[], Made]] = {
    **{
        f"examples/{path.parent.name}/{path.stem}": functools.partial(_example, path)
        for path in sorted(EXAMPLES.rglob("*.sym"))
        if "reproductions" not in path.parts  # small ones, whose data their scripts make
    },
    **{f"good/{p.stem}": functools.partial(_good, p) for p in sorted(GOOD.glob("*.sym"))},
    **{f"small/{name}": functools.partial(_small, name) for name in PROGRAMS},
}
programs = pytest.mark.parametrize("name", MAKERS)


class Case:
    """A program at a point, with the columns to look at and a direction."""

    def __init__(self, problem: Problem, p: np.ndarray, scale: np.ndarray) -> None:
        rng = np.random.default_rng(11)
        self.problem, self.p, self.oracle = problem, p, Oracle(problem)
        # Parameters differ in size by many powers of ten: directions and errors are in their units.
        self.scale = scale
        v = rng.normal(size=len(p))
        self.v = scale * v / np.abs(v).max()
        self.columns = np.sort(rng.permutation(len(p))[:COLUMNS])

    def off(self, found: Any, wanted: Any) -> float:
        """The error at the columns looked at, in units of the parameters."""
        return error(np.asarray(found)[..., self.columns], wanted, self.scale[self.columns])

    def agrees(self, product: np.ndarray, wanted: Callable[..., np.ndarray]) -> bool:
        """Whether a product with v is that of differences, of either width."""
        return any(
            self.off(product, wanted(self.p, self.v, self.columns, width)) < SECOND
            for width in WIDTHS
        )


@functools.cache
def _case(name: str) -> Case:
    return Case(*MAKERS[name]())


@programs
def test_gradient(name: str) -> None:
    case = _case(name)
    wanted = case.oracle.gradient(case.p, case.columns)
    assert error(case.problem.value(case.p), np.real(case.oracle.value(case.p))) < EXACT
    assert case.off(case.problem.grad(case.p), wanted) < EXACT
    value, gradient = case.problem.value_and_grad(case.p)
    assert error(value, case.problem.value(case.p)) < EXACT
    assert case.off(gradient, wanted) < EXACT


@programs
def test_hessian(name: str) -> None:
    case = _case(name)
    problem, p, v = case.problem, case.p, case.v
    product = problem.hvp(p, v)
    assert case.agrees(product, case.oracle.hessian_product)
    units = np.eye(len(p))
    if len(p) <= 400:
        hessian = problem.hess(p)
        assert case.off(hessian @ v, product[case.columns]) < EXACT * 10
        for k in case.columns[:6]:
            assert case.off(hessian[:, k], problem.hvp(p, units[k])[case.columns]) < EXACT


def _text(name: str) -> str:
    """A program as it is written: nothing is compiled only to know which programs there are."""
    folder, _, rest = name.partition("/")
    if folder == "small":
        return PROGRAMS[rest].text
    return ((EXAMPLES if folder == "examples" else GOOD) / f"{rest}.sym").read_text("utf-8")


# Their blocks are raised to be positive: tests/derive/test_curvature.py has the formula.
ROBUST = [name for name in MAKERS if " loss " in _text(name)]
WITH_CUT = [name for name in MAKERS if re.search(r"^ *(model|residual) ", _text(name), re.M)]


@pytest.mark.parametrize("name", WITH_CUT)
def test_jacobian(name: str) -> None:
    case = _case(name)
    problem, p, v = case.problem, case.p, case.v
    wanted = case.oracle.jacobian(p, case.columns)
    jacobian = problem.jac(p)
    assert error(problem.residuals(p), np.real(case.oracle.cut(p))) < EXACT
    assert case.off(jacobian, wanted) < EXACT
    assert error(problem.jvp(p, v), case.oracle.change_of_cut(p, v)) < EXACT
    assert error(problem.jvp(p, v), jacobian @ v) < EXACT
    u = np.random.default_rng(2).normal(size=len(jacobian))
    assert case.off(problem.vjp(p, u), u @ wanted) < EXACT


@pytest.mark.parametrize("name", WITH_CUT)
def test_gauss_newton(name: str) -> None:
    case = _case(name)
    problem, p, v = case.problem, case.p, case.v
    product = problem.gnvp(p, v)
    if problem.least_squares:
        along = case.oracle.change_of_cut(p, v)
        assert case.off(product, 2 * along @ case.oracle.jacobian(p, case.columns)) < EXACT
    elif name not in ROBUST:
        assert case.agrees(product, case.oracle.gauss_newton_product)
    if len(p) <= 400:
        curvature, gradient = problem.gauss_newton(p)
        assert case.off(curvature @ v, product[case.columns]) < EXACT * 10
        assert case.off(gradient, problem.grad(p)[case.columns]) < EXACT
