"""The time of a call from Python: a function of five numbers, and its gradient into an array."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from timeit import Timer

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import rosen, rosen_der

from tests.benchmarks.fast_core import ours
from tests.benchmarks.fast_core.measure import Outcome, compare
from tests.benchmarks.fast_core.work import CASADI, Contender, Goal, Parts, Work

KERNEL = "rosenbrock"
GOALS = (Goal(1.0, (CASADI,)),)
VALUE = Work("call", KERNEL, "A call from Python, five parameters: value", 1, GOALS)
BOTH = Work("call", KERNEL, "A call from Python, five parameters: value and gradient", 1, GOALS)


def measure_calls(peers: Iterable[str], seconds: float) -> tuple[Outcome, Outcome]:
    """Both calls, with CasADi's through its buffers where it is installed."""
    point = np.linspace(0.3, 0.7, 5)
    value, both = [_value(point)], [_value_and_grad(point)]
    if "casadi" in peers:
        from tests.benchmarks.fast_core.casadi_peer import rosenbrock

        value += rosenbrock(point, gradient=False)
        both += rosenbrock(point, gradient=True)
    wanted: Parts = (float(rosen(point)), rosen_der(point))
    return (
        compare(VALUE, value, wanted[:1], seconds),
        compare(BOTH, both, wanted, seconds),
    )


def _value(point: NDArray[np.float64]) -> Contender:
    problem = ours.model(KERNEL).bind()
    problem.value(point)  # from now on the attribute is the native function
    run = functools.partial(problem.value, point)
    timer = Timer("problem.value(p)", globals={"problem": problem, "p": point})
    return Contender(ours.NAME, ours.NAME, run, lambda: (run(),), timer)


def _value_and_grad(point: NDArray[np.float64]) -> Contender:
    problem = ours.model(KERNEL).bind()
    out = np.zeros(problem.n)
    problem.value_and_grad(point, out=out)
    run = functools.partial(problem.value_and_grad, point, out=out)
    names = {"problem": problem, "p": point, "g": out}
    timer = Timer("problem.value_and_grad(p, out=g)", globals=names)
    return Contender(ours.NAME, ours.NAME, run, lambda: (run()[0], out), timer)
