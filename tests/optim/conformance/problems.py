"""The published test problems, ready to be minimized: bound, with starts and minima.

Their values and derivatives are checked against the published ones in tests/oracles/test_mgh.py.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

import symopt
from symopt.problem import Problem
from tests.oracles.test_mgh import HOCK_SCHITTKOWSKI, MGH, PROBLEMS, PROGRAMS

# Judged by the value: 1e-4 of it, or residuals of 1e-6 where it is zero.
RELATIVE, ABSOLUTE = 1e-4, 1e-12
# Published minima at infinity, which no list of places can hold.
AT_INFINITY = {"kowalik_osborne": (1.027345e-3,)}
# The sums of squares among the problems with bounds.
_ROSENBROCK = """
residual valley = 10 * (x2 - x1^2)
residual slope = 1 - x1
"""
_WOOD = """
residual first = 10 * (x2 - x1^2)
residual second = 1 - x1
residual third = sqrt(90) * (x4 - x3^2)
residual fourth = 1 - x3
residual fifth = sqrt(10) * (x2 + x4 - 2)
residual sixth = (x2 - x4) / sqrt(10)
"""
RESIDUALS = {
    "hs1": "param x1\nparam x2 >= -1.5\n" + _ROSENBROCK,
    "hs2": "param x1\nparam x2 >= 1.5\n" + _ROSENBROCK,
    "hs38": "".join(f"param x{i} in [-10, 10]\n" for i in range(1, 5)) + _WOOD,
}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One problem of one size, from one start."""

    name: str
    problem: Problem
    start: np.ndarray
    minima: tuple[np.ndarray, ...]  # the best first
    values: tuple[float, ...]  # at the minima, then those at infinity
    factor: float = 1.0  # of the start: 10 for the distant one

    def reached(self, value: float) -> float | None:
        """The published minimum that this value is one of."""
        for least in self.values:
            if abs(value - least) <= max(RELATIVE * abs(least), ABSOLUTE):
                return least
        return None


def least_squares_cases(factor: float = 1.0) -> tuple[Case, ...]:
    """The sums of squares of More, Garbow and Hillstrom, from `factor` times their starts."""
    sizes = [(number, i) for number, facts in MGH.items() for i in range(len(facts["instances"]))]
    return tuple(_least_squares_case(number, which, factor) for number, which in sizes)


def bounded_cases() -> tuple[Case, ...]:
    """The problems with bounds of Hock and Schittkowski, from their starts, projected.

    Those that are sums of squares come again, as such: "hs1-squares".
    """
    given = tuple(_bounded_case(which) for which in range(len(HOCK_SCHITTKOWSKI)))
    return given + tuple(_as_squares(case) for case in given if case.name in RESIDUALS)


def case(name: str, factor: float = 1.0) -> Case:
    """The one of that name, such as "watson-12" or "hs38"."""
    every = (*least_squares_cases(factor), *bounded_cases())
    return next(one for one in every if one.name == name)


@functools.cache
def _least_squares_case(number: int, which: int, factor: float) -> Case:
    program, sizes = PROBLEMS[number]
    facts, instance = MGH[number], MGH[number]["instances"][which]
    several = len(facts["instances"]) > 1
    return Case(
        f"{program}-{instance['n']}" if several else program,
        _model(program).bind(facts["data"], **sizes(instance["n"], instance["m"])),
        factor * np.array(instance["x0"], float),
        tuple(np.array(minimum["x"], float) for minimum in instance["minima"]),
        (*(minimum["f"] for minimum in instance["minima"]), *AT_INFINITY.get(program, ())),
        factor,
    )


@functools.cache
def _bounded_case(which: int) -> Case:
    facts = HOCK_SCHITTKOWSKI[which]
    problem = _model(facts["id"].lower()).bind()
    # HS2: its second minimum is listed in words only, and its start violates a bound.
    others = ((-1.2210262, 1.5),) if facts["id"] == "HS2" else ()
    return Case(
        facts["id"].lower(),
        problem,
        np.clip(np.array(facts["x0"], float), *problem.bounds),
        (np.array(facts["x_opt"], float), *(np.array(other) for other in others)),
        (facts["f_opt"], *((4.941229318,) if others else ())),
    )


def _as_squares(case: Case) -> Case:
    name = f"{case.name}-squares"
    return replace(case, name=name, problem=_squares_model(name).bind())


@functools.cache
def _squares_model(name: str) -> symopt.Model:
    return symopt.parse(RESIDUALS[name.removesuffix("-squares")], name)


@functools.cache
def _model(program: str) -> symopt.Model:
    return symopt.load(PROGRAMS / f"{program}.sym")
