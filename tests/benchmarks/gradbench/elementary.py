"""The modules with one array of unknowns: hello, lse, llsq, det, ode and kmeans."""

from __future__ import annotations

import numpy as np

from symopt.problem import Problem
from tests.benchmarks.gradbench.modules import (
    GRADIENT,
    VALUE,
    Function,
    Json,
    Module,
    Vector,
    model,
)

Bound = tuple[Problem, Vector]


def _hello(x: Json) -> Bound:
    return model("hello").bind(), np.array([x], float)


def _lse(given: Json) -> Bound:
    x = np.array(given["x"])
    return model("lse").bind(n=len(x)), x


def _llsq(given: Json) -> Bound:
    x = np.array(given["x"])
    return model("llsq").bind(n=given["n"], m=len(x)), x


def _ode(given: Json) -> Bound:
    x = np.array(given["x"])
    return model("ode").bind(steps=given["s"], n=len(x)), x


def _det(given: Json) -> Bound:
    return model("det").bind(sets_of_columns(given["ell"])), np.array(given["A"])


def sets_of_columns(n: int) -> dict[str, np.ndarray]:
    """For each set of columns, as bits: the row to expand along, and a column's factor and rest."""
    sets, column = np.arange(2**n)[:, None], np.arange(n)
    member = sets >> column & 1
    before = np.cumsum(member, axis=1) - member
    return {
        "first": np.minimum(n - member.sum(axis=1), n - 1),  # of the empty set no row is looked at
        "without": np.where(member, sets - 2**column, 0),
        "factor": member * (1.0 - before % 2 * 2),
    }


def _kmeans(given: Json) -> Bound:
    centroids = np.array(given["centroids"])
    return model("kmeans").bind(points=given["points"], k=len(centroids)), centroids.ravel()


def _newton_step(problem: Problem, p: Vector) -> Vector:
    """The gradient over the Hessian, which has the entries of the diagonal alone."""
    return problem.grad(p) / problem.hess_sparse(p).diagonal()


HELLO = Module(
    _hello, {"square": VALUE, "double": Function(Problem.grad, lambda problem, g: g.item())}
)
LSE = Module(_lse, {"primal": VALUE, "gradient": GRADIENT})
LLSQ = Module(_llsq, {"primal": VALUE, "gradient": GRADIENT})
DET = Module(_det, {"primal": VALUE, "gradient": GRADIENT})
ODE = Module(
    _ode,
    {
        "primal": Function(
            lambda problem, p: problem.eval("end", p), lambda problem, y: y.tolist()
        ),
        "gradient": GRADIENT,
    },
)
KMEANS = Module(
    _kmeans,
    {
        "cost": VALUE,
        "dir": Function(
            _newton_step, lambda problem, step: step.reshape(-1, problem.dims["d"]).tolist()
        ),
    },
)
