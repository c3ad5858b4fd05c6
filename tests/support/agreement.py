"""Whether native functions and the NumPy evaluator say the same about one bound problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from symopt.compiler import Compiled
from symopt.derive.functions import direction, weight
from symopt.loops.options import Options
from symopt.loops.verify import verify as verify_kernel
from symopt.model import Model
from symopt.problem import Problem
from symopt.source import Source
from symopt.statements.evaluate import evaluate
from symopt.statements.verify import verify

STEP = 1e-180  # of the complex step: its square is 0 in double precision
TOLERANCE = 1e-7  # sums in another order; second derivatives of terms that cancel


def model_of(text: str, lanes: int = 1, **choices: int) -> Model:
    """The model of a text whose passes run so many samples at a time, with choices of a schedule.

    With `written_out` 0 every loop that can runs around the blocks of samples; with few
    `registers` sums over samples are taken in lots.
    """
    return Model(Source("<random>", text), Options(lanes=lanes, **choices))


def compiled_of(problem: Problem, name: str) -> Compiled:
    """What the problem itself compiles for a function."""
    fixed = problem.model.fixed_by(problem.dims, problem._bound.arrays)
    return problem.model.compiled(name, None, fixed)


def evaluated(
    problem: Problem, name: str, p: np.ndarray, v: np.ndarray, u: np.ndarray | None = None
) -> np.ndarray:
    """The outputs of a function's own statements by the evaluator, one after another."""
    program = verify(compiled_of(problem, name).statements)
    arrays = problem._layout.arrays
    given = {**problem._bound.arrays, **arrays(p)}
    given |= {direction(key): array for key, array in arrays(v).items()}
    given |= _weights(problem, u)
    given = {key: array for key, array in given.items() if key in program.tensors}
    values = evaluate(program, problem.dims, given).tensors
    parts = []
    for key in program.outputs:
        shape = problem._calls.kernels.shape(program.tensors[key].shape)
        parts.append(np.ravel(values.get(key, np.zeros(shape))))
    return np.concatenate([*parts, np.zeros(0)])


def _weights(problem: Problem, u: np.ndarray | None) -> dict[str, np.ndarray]:
    task, found, start = problem.model.stages.task, {}, 0
    for name in task.cut if u is not None else ():
        shape = problem._calls.kernels.shape(task.program.tensors[name].shape)
        size = int(np.prod(shape, dtype=int))
        found[weight(name)] = u[start : start + size].reshape(shape)
        start += size
    return found


def by_complex_step(problem: Problem, name: str, p: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The change of a function's outputs along v, from its value statements alone."""
    return np.imag(evaluated(problem, name, p + 1j * STEP * v, 0 * p)) / STEP


def columns(problem: Problem, name: str, p: np.ndarray) -> np.ndarray:
    """The derivative of a function's outputs by every parameter, by complex steps."""
    size = len(evaluated(problem, name, p, 0 * p))
    rows = [by_complex_step(problem, name, p, unit) for unit in np.eye(len(p))]
    return np.array(rows).reshape(len(p), size).T


def assert_agree(found: Any, wanted: Any, what: str) -> None:
    """The same where finite, relative to the greatest of all; not finite in the same places."""
    found, wanted = np.ravel(found), np.ravel(wanted)
    assert found.shape == wanted.shape, f"{what}: {found.shape} and {wanted.shape}"
    finite = np.isfinite(wanted)
    assert np.array_equal(np.isfinite(found), finite), f"{what}:\n{found}\n{wanted}"
    if finite.any():
        scale = 1.0 + np.abs(wanted[finite]).max()
        error = np.abs(found[finite] - wanted[finite]).max() / scale
        assert error <= TOLERANCE, f"{what}: off by {error:.1e}\n{found}\n{wanted}"


def assert_native_is_right(problem: Problem, p: np.ndarray, v: np.ndarray) -> None:
    """Every native function against the evaluator: on its own statements, and by complex step."""
    for name, found, u in _native(problem, p, v):
        verify_kernel(compiled_of(problem, name).kernel)
        assert_agree(found, evaluated(problem, name, p, v, u), name)
    value = evaluated(problem, "value", p, v)
    if not np.isfinite(value).all():
        return  # derivatives of infinite values are nobody's promise
    gradient = columns(problem, "value", p)
    assert_agree(problem.grad(p), gradient, "grad by complex step")
    hessian = columns(problem, "grad", p)
    assert_agree(problem.hess(p), hessian, "hess by complex step")
    assert_agree(problem.hvp(p, v), hessian @ v, "hvp by complex step")
    if problem.model.cut:
        jacobian = columns(problem, "residuals", p)
        assert_agree(problem.jac(p), jacobian, "jac by complex step")
        assert_agree(problem.jvp(p, v), jacobian @ v, "jvp by complex step")
        curvature, slope = problem.gauss_newton(p)
        assert_agree(slope, gradient, "gradient of gauss_newton")
        assert_agree(problem.gnvp(p, v), curvature @ v, "gnvp by gauss_newton")
        if problem.least_squares:
            assert_agree(curvature, 2 * jacobian.T @ jacobian, "gauss_newton by complex step")


def _native(
    problem: Problem, p: np.ndarray, v: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    yield "value", np.array(problem.value(p)), None
    yield "grad", problem.grad(p), None
    yield "value_and_grad", np.append(*problem.value_and_grad(p)), None
    yield "hvp", problem.hvp(p, v), None
    yield "hess", problem.hess(p), None
    if problem.model.cut:
        yield "residuals", problem.residuals(p), None
        yield "jac", problem.jac(p), None
        yield "jvp", problem.jvp(p, v), None
        u = np.cos(np.arange(len(problem.residuals(p))))
        yield "vjp", problem.vjp(p, u), u
        yield "gnvp", problem.gnvp(p, v), None
