"""The kernels through symopt: what a user calls."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import symopt
from symopt.problem import Problem
from tests.benchmarks.fast_core.work import Contender, Parts, Work

HERE = Path(__file__).parent
NAME = "symopt"
# What is compiled for each work.
FUNCTIONS = {
    "jtj": "gauss_newton",
    "jac": "residuals_and_jac",
    "ba": "residuals_and_jac_sparse",
    "softmax": "value_and_grad",
    "gmm": "value_and_grad",
}


@functools.cache
def model(kernel: str) -> symopt.Model:
    """A kernel's program."""
    return symopt.load(HERE / f"{kernel}.sym")


def contender(work: Work) -> Contender:
    """symopt's way of doing a work."""
    return Contender(NAME, NAME, *_MAKERS[work.key](work))


Ran = tuple[Callable[[], object], Callable[[], Parts]]


def bound(work: Work, of: symopt.Model | None = None) -> tuple[Problem, Any]:
    """The problem, and the point at which it is evaluated."""
    given = dict(work.inputs)
    of = of or model(work.kernel)
    if work.kernel == "exponential_fit":
        given |= dict(zip(of.params, given.pop("b"), strict=True))
    params = {name: given.pop(name) for name in of.params}
    problem = of.bind(given, **_sizes(work.kernel, params))
    return problem, problem.pack(params)


def _sizes(kernel: str, params: dict[str, Any]) -> dict[str, int]:
    """The dims that only parameters have."""
    match kernel:
        case "bundle_adjustment":
            return {"ncam": len(params["camera"]), "npt": len(params["point"])}
        case "softmax":
            return {"K": len(params["b"])}
        case "gaussian_mixture":
            return {"K": len(params["alpha"]), "q": params["factor"].shape[1]}
        case _:
            return {}


def _normal_equations(work: Work) -> Ran:
    problem, p = bound(work)
    run = functools.partial(problem.gauss_newton, p)
    # G and the gradient are those of the sum of squares: twice the normal equations.
    return run, lambda: tuple(part / 2 for part in run())


def _jacobian(work: Work) -> Ran:
    problem, p = bound(work)
    out = np.zeros(work.n), np.zeros((work.n, problem.n))
    run = functools.partial(problem.residuals_and_jac, p, out=out)
    return run, lambda: run()


def _blocks(work: Work) -> Ran:
    problem, p = bound(work)
    out = problem.residuals_and_jac(p, sparse=True)
    run = functools.partial(problem.residuals_and_jac, p, sparse=True, out=out)

    def parts() -> Parts:
        r, jac = run()
        return r.reshape(-1, 2), jac.data.reshape(-1, 2, 12)

    return run, parts


def _gradient(work: Work) -> Ran:
    problem, p = bound(work)
    out = np.zeros(problem.n)
    run = functools.partial(problem.value_and_grad, p, out=out)
    return run, lambda: (run()[0], *problem.unpack(out).values())


_MAKERS: dict[str, Callable[[Work], Ran]] = {
    "jtj": _normal_equations,
    "jac": _jacobian,
    "ba": _blocks,
    "softmax": _gradient,
    "gmm": _gradient,
}
