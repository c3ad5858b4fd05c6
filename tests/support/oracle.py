"""Derivatives of a bound problem that owe nothing to `symopt.derive`: complex steps of its values.

Only the statements of the loss itself are evaluated, by the NumPy evaluator; second derivatives
are fourth-order differences of complex-step gradients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symopt.derive.functions import Task, direction, weight
from symopt.layout import Layout
from symopt.problem import Problem
from symopt.statements.evaluate import Values, evaluate
from symopt.statements.program import Program, Role

Vector = np.ndarray
STEP = 1e-40  # far from underflow in products, and its square is far below rounding
# Steps of fourth-order differences. The first is for losses that bend sharply; the second is better
# where the gradient is much greater than its change, whose rounding is that of the gradient.
WIDTHS = (3e-5, 1e-3)


class Oracle:
    """Values and derivatives of one problem at any point, real or complex."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.task: Task = problem.model.stages.task
        self.dims = problem.dims
        self.arrays: Mapping[str, Any] = problem._bound.arrays
        self.layout = Layout({name: self.shape(name) for name in self.task.params})
        self.rows = Layout({name: self.shape(name) for name in self.task.cut})

    def shape(self, name: str) -> tuple[int, ...]:
        return self.problem._calls.kernels.shape(self.task.program.tensors[name].shape)

    def parts(self, p: Vector) -> dict[str, Vector]:
        """Parameters by name, of a real or complex flat vector."""
        return self.layout.arrays(np.asarray(p))

    def run(self, program: Program, given: Mapping[str, Any], **more: Any) -> Values:
        """All tensors of a program, from the data and what else is given."""
        everything = {**self.arrays, **given}
        needed = {name: a for name, a in everything.items() if name in program.tensors}
        return evaluate(program, self.dims, needed, **more)

    def function(
        self, program: Program, p: Vector, v: Vector | None = None, u: Vector | None = None
    ) -> Vector:
        """The outputs of a function's statements, flattened: at p, along v, weighted by u."""
        given = self.parts(p)
        if v is not None:
            given |= {direction(name): part for name, part in self.parts(v).items()}
        if u is not None:
            given |= {weight(name): part for name, part in self.rows.arrays(u).items()}
        return _flat(self.run(program, given), program.outputs)

    def value(self, p: Vector) -> Any:
        """The objective."""
        assert self.task.objective is not None
        program = replace(self.task.program, outputs=(self.task.objective,))
        return self.run(program, self.parts(p)).tensors[self.task.objective][()]

    def cut(self, p: Vector) -> Vector:
        """The cut, flattened."""
        return _flat(self.run(self.task.program, self.parts(p)), self.task.cut)

    def gradient(self, p: Vector, columns: Sequence[int] | None = None) -> Vector:
        """∂objective/∂p, of some columns or of all."""
        return np.array([np.imag(self.value(q)) / STEP for q in self.steps(p, columns)])

    def jacobian(self, p: Vector, columns: Sequence[int] | None = None) -> Vector:
        """∂cut/∂p, (rows, columns)."""
        return np.array([np.imag(self.cut(q)) / STEP for q in self.steps(p, columns)]).T

    def change_of_cut(self, p: Vector, v: Vector) -> Vector:
        """The Jacobian of the cut times v."""
        return np.imag(self.cut(p + 1j * STEP * v)) / STEP

    def steps(self, p: Vector, columns: Sequence[int] | None) -> list[Vector]:
        """p, moved by a complex step along each of the columns."""
        units = np.eye(len(p)) if columns is None else np.eye(len(p))[list(columns)]
        return [p + 1j * STEP * unit for unit in units]

    def hessian_product(
        self,
        p: Vector,
        v: Vector,
        columns: Sequence[int] | None = None,
        width: float = WIDTHS[0],
    ) -> Vector:
        """The Hessian times v, by differences of complex-step gradients."""
        return fourth_order(lambda t: self.gradient(p + t * v, columns), width)

    def hessian(self, p: Vector) -> Vector:
        """The Hessian, by differences along one parameter at a time, as far as its own size."""
        scale = np.maximum(np.abs(p), 0.1)
        columns = [self.hessian_product(p, step) for step in np.diag(scale)]
        return np.array(columns).T / scale

    def gauss_newton_product(
        self,
        p: Vector,
        v: Vector,
        columns: Sequence[int] | None = None,
        width: float = WIDTHS[0],
    ) -> Vector:
        """ṁᵀ ∇²l ṁ v, with ṁ by complex step and ∇²l by differences of complex steps of l."""
        columns = range(len(p)) if columns is None else columns
        z, along = self.cut(p), self.change_of_cut(p, v)
        jacobian = self.jacobian(p, columns)
        units = np.eye(len(p))[list(columns)]

        def slopes(t: float) -> Vector:
            """The derivative of l, t along v, by each of the columns."""
            at, q = z + t * along, p + t * v
            moved = [
                self.loss(at + 1j * STEP * change, q + 1j * STEP * unit)
                for change, unit in zip(jacobian.T, units, strict=True)
            ]
            return np.imag(moved) / STEP

        return fourth_order(slopes, width)

    def loss(self, z: Vector, p: Vector) -> Any:
        """l: the objective as a function of the cut and of the parameters read directly."""
        assert self.task.objective is not None
        program, cut = self.task.program, set(self.task.cut)
        given = {name: replace(program.tensors[name], role=Role.PARAM) for name in cut}
        rest = tuple(s for s in program.statements if s.target not in cut)
        outer = replace(program, statements=rest, tensors={**program.tensors, **given})
        values = self.run(outer, {**self.parts(p), **self.rows.arrays(z)})
        return values.tensors[self.task.objective][()]


def fourth_order(function: Any, h: float) -> Vector:
    """The derivative at 0, by central differences of fourth order."""
    near, far = function(h) - function(-h), function(2 * h) - function(-2 * h)
    return (8 * near - far) / (12 * h)


def _flat(values: Values, names: tuple[str, ...]) -> Vector:
    return np.concatenate([*(np.ravel(values.tensors[name]) for name in names), np.zeros(0)])


def error(found: Any, wanted: Any, scale: Any = 1.0) -> float:
    """The greatest difference, relative to the greatest wanted number; per `scale` of each."""
    found, wanted = np.asarray(found) * scale, np.asarray(wanted) * scale
    assert found.shape == wanted.shape, f"{found.shape} and {wanted.shape}"
    if not wanted.size:
        return 0.0
    assert np.isfinite(found).all(), found
    top = np.abs(wanted).max()
    return float(np.abs(found - wanted).max() / (top if top > 0 else 1.0))
