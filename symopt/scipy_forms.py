"""A problem as SciPy takes it: linear operators, and the arguments of `scipy.optimize.minimize`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from symopt.diagnostics import DataError, Diagnostic, Kind
from symopt.typed.errors import nearest

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

    from symopt.problem import Problem

_OPERATORS = ("hess", "gauss_newton", "jac")


def minimize_arguments(problem: Problem) -> dict[str, Any]:
    """Keyword arguments for `scipy.optimize.minimize`; of -E where E is to be made large."""
    lower, upper = problem.bounds

    def signed(function: Callable[..., Any]) -> Callable[..., Any]:
        return (lambda *args: -function(*args)) if problem.maximize else function

    def vector(function: Callable[..., Any]) -> Callable[..., Any]:
        if problem.dtype == np.float64:
            return signed(function)
        return signed(lambda *args: function(*args).astype(np.float64))  # SciPy has no other

    arguments: dict[str, Any] = {
        "fun": signed(problem.value),
        "x0": np.asarray(problem.x0, np.float64),
        "jac": vector(problem.grad),
        "hessp": vector(problem.hvp),
    }
    if np.isfinite(lower).any() or np.isfinite(upper).any():
        arguments["bounds"] = list(zip(lower, upper, strict=True))
    return arguments


def operator_of(problem: Problem, name: str, p: Any) -> LinearOperator:
    """The operator of a symmetric matrix, or of the Jacobian; the point is copied."""
    if name not in _OPERATORS:
        raise DataError(_unknown(name))
    at = np.array(p, dtype=problem.dtype)
    if name == "jac":
        rows = len(problem.residuals(at))
        return _operator(
            problem.dtype,
            (rows, problem.n),
            lambda v: problem.jvp(at, v),
            lambda u: problem.vjp(at, u),
        )
    product = problem.hvp if name == "hess" else problem.gnvp
    shape = problem.n, problem.n
    return _operator(problem.dtype, shape, lambda v: product(at, v), lambda v: product(at, v))


def _operator(
    dtype: np.dtype[Any], shape: tuple[int, int], forward: Any, backward: Any
) -> LinearOperator:
    from scipy.sparse.linalg import LinearOperator  # takes longer to import than all of ours

    make: Any = LinearOperator  # whose own class declares less than it takes
    return make(
        shape=shape,
        matvec=forward,
        rmatvec=backward,
        matmat=forward,
        rmatmat=backward,
        dtype=dtype,
    )


def _unknown(name: str) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "unknown-operator",
        f"there is no operator `{name}`",
        help=nearest(name, _OPERATORS) or f"the operators are {', '.join(_OPERATORS)}",
    )
