"""The problems of More, Garbow and Hillstrom: native value, gradient and Hessian to 1e-12.

The references were computed with 60-digit arithmetic, so the only errors are our own.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.problem import Problem
from tests.support.oracle import Oracle, error

TESTS = Path(__file__).parents[1]
PROGRAMS = TESTS / "programs" / "mgh"
TOLERANCE = 1e-12  # a few roundings per residual, relative to the norm

# Which program is which problem, and the sizes that it cannot read off its data.
PROBLEMS: dict[int, tuple[str, Any]] = {
    1: ("rosenbrock", lambda n, m: {}),
    2: ("freudenstein_roth", lambda n, m: {}),
    4: ("brown_badly_scaled", lambda n, m: {}),
    5: ("beale", lambda n, m: {}),
    7: ("helical_valley", lambda n, m: {}),
    9: ("gaussian", lambda n, m: {}),
    11: ("gulf", lambda n, m: {"m": m}),
    13: ("powell_singular", lambda n, m: {}),
    14: ("wood", lambda n, m: {}),
    15: ("kowalik_osborne", lambda n, m: {}),
    16: ("brown_dennis", lambda n, m: {"m": m}),
    17: ("osborne1", lambda n, m: {}),
    18: ("biggs_exp6", lambda n, m: {"m": m}),
    20: ("watson", lambda n, m: {"n": n}),
    21: ("extended_rosenbrock", lambda n, m: {"pairs": n // 2}),
    23: ("penalty1", lambda n, m: {"n": n}),
    25: ("variably_dimensioned", lambda n, m: {"n": n}),
    26: ("trigonometric", lambda n, m: {"n": n}),
    28: ("discrete_boundary_value", lambda n, m: {"n": n}),
    30: ("broyden_tridiagonal", lambda n, m: {"n": n}),
    32: ("linear_full_rank", lambda n, m: {"n": n, "m": m}),
}


def _load(name: str) -> list[dict[str, Any]]:
    text = (TESTS / "data" / "mgh" / name).read_text(encoding="utf-8")
    return json.loads(text)["problems"]


MGH = {problem["id"]: problem for problem in _load("mgh_problems.json")}
HOCK_SCHITTKOWSKI = _load("hs_bound.json")
INSTANCES = [(k, i) for k, problem in MGH.items() for i in range(len(problem["instances"]))]
instances = pytest.mark.parametrize(("number", "which"), INSTANCES, ids=lambda value: str(value))


@functools.cache
def _model(name: str) -> symopt.Model:
    return symopt.load(PROGRAMS / f"{name}.sym")


@functools.cache
def _minimizing(name: str) -> symopt.Model:
    """The program with its residuals as model outputs, and the sum of their squares written out."""
    model = _model(name)
    tensors = model.stages.task.program.tensors
    squares = (f"sumsq({name})" if tensors[name].shape else f"{name}^2" for name in model.cut)
    text = model.source.replace("residual ", "model ")
    return symopt.parse(f"{text}minimize {' + '.join(squares)}\n", model.name)


@functools.cache
def _bound(number: int, which: int, as_minimize: bool = False) -> Problem:
    name, sizes = PROBLEMS[number]
    instance = MGH[number]["instances"][which]
    model = _minimizing(name) if as_minimize else _model(name)
    return model.bind(MGH[number]["data"], **sizes(instance["n"], instance["m"]))


def test_every_problem_is_written() -> None:
    assert PROBLEMS.keys() == MGH.keys()


@instances
@pytest.mark.parametrize("as_minimize", [False, True], ids=["residuals", "minimize"])
def test_value_gradient_and_hessian(number: int, which: int, as_minimize: bool) -> None:
    problem = _bound(number, which, as_minimize)
    instance = MGH[number]["instances"][which]
    p = np.array(instance["x_check"])
    assert problem.least_squares is not as_minimize
    assert error(problem.value(p), instance["f_x_check"]) < TOLERANCE
    assert error(problem.grad(p), instance["grad_x_check"]) < TOLERANCE
    assert error(problem.hess(p), instance["hess_x_check"]) < TOLERANCE
    v = np.cos(np.arange(len(p)))
    assert error(problem.hvp(p, v), np.array(instance["hess_x_check"]) @ v) < TOLERANCE
    start = np.array(instance["x0"])
    assert error(problem.value(start), instance["f_x0"]) < TOLERANCE
    assert error(problem.grad(start), instance["grad_x0"]) < TOLERANCE


@instances
@pytest.mark.parametrize("as_minimize", [False, True], ids=["residuals", "minimize"])
def test_gauss_newton_is_twice_the_square_of_the_jacobian(
    number: int, which: int, as_minimize: bool
) -> None:
    problem = _bound(number, which, as_minimize)
    instance = MGH[number]["instances"][which]
    p = np.array(instance["x_check"])
    jacobian = Oracle(problem).jacobian(p)
    assert jacobian.shape[0] == instance["m"]
    curvature, gradient = problem.gauss_newton(p)
    assert error(problem.jac(p), jacobian) < TOLERANCE
    assert error(curvature, 2 * jacobian.T @ jacobian) < TOLERANCE
    assert error(gradient, instance["grad_x_check"]) < TOLERANCE


@pytest.mark.parametrize("number", list(MGH))
def test_minima_are_stationary(number: int) -> None:
    for which, instance in enumerate(MGH[number]["instances"]):
        problem = _bound(number, which)
        for minimum in instance["minima"]:
            p = np.array(minimum["x"])
            # The minimisers are rounded to doubles: that alone moves f and its gradient.
            curvature = np.abs(problem.hess(p)) @ np.abs(p)
            assert abs(problem.value(p) - minimum["f"]) < 1e-12 * (1 + curvature @ np.abs(p))
            assert np.all(np.abs(problem.grad(p)) <= 1e-9 * (1 + curvature))


@pytest.mark.parametrize("facts", HOCK_SCHITTKOWSKI, ids=lambda facts: facts["id"])
def test_problems_with_bounds(facts: dict[str, Any]) -> None:
    problem = _model(facts["id"].lower()).bind()
    lower, upper = problem.bounds
    for bound, given in ((lower, facts["lower"]), (upper, facts["upper"])):
        assert [None if np.isinf(value) else value for value in bound] == given
    start, solution = np.array(facts["x0"], dtype=float), np.array(facts["x_opt"], dtype=float)
    assert error(problem.value(start), facts["f_x0"]) < TOLERANCE
    assert abs(problem.value(solution) - facts["f_opt"]) < TOLERANCE * 100
    if facts["id"] != "HS2":  # its published start is outside the bounds
        assert problem.x0.tolist() == facts["x0"]
    # At the solution the gradient is zero, except into an active bound.
    gradient = problem.grad(solution)
    free = (solution > lower) & (solution < upper)
    assert np.all(np.abs(gradient[free]) < 1e-6)
    oracle = Oracle(problem)
    assert error(problem.grad(start), oracle.gradient(start)) < TOLERANCE
    assert error(problem.hess(start), oracle.hessian(start)) < 1e-10
