"""Values and derivatives of a bound loss by the NumPy evaluator: in real, complex, dual numbers.

First derivatives are taken of the statements of the loss itself, second ones of the statements of
its gradient, which the first ones certify.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.derive.functions import Task, derive, direction, weight
from symopt.derive.reverse import adjoint
from symopt.layout import Layout
from symopt.statements.evaluate import Rounding, Values, evaluate, points
from symopt.statements.program import Program, Role

Vector = NDArray[Any]

# The square of a step of this size is 0: where a square is all there is, as in the norm of a vector
# of zeros, any other would leave a negative number under the root.
STEP = 2.0**-540
# Elsewhere, the square of this one is lost in rounding.
EPSILON = 2.0**-50


@dataclass(slots=True)
class Oracle:
    """The statements of one loss, its data, and where parameters and cut are in flat vectors."""

    task: Task
    dims: Mapping[str, int]
    arrays: Mapping[str, NDArray[Any]]
    params: Layout
    cut: Layout
    _programs: dict[str, Program] = field(default_factory=dict)

    def program(self, name: str) -> Program:
        """The statements of a function, not hoisted."""
        if name not in self._programs:
            self._programs[name] = derive(self.task, name)
        return self._programs[name]

    def run(
        self,
        program: Program,
        given: Mapping[str, Any],
        tangents: Mapping[str, Any] | None = None,
        rounding: Rounding | None = None,
    ) -> Values:
        """All tensors of a program, from the data and what else is given."""
        everything = {**self.arrays, **given}
        needed = {name: array for name, array in everything.items() if name in program.tensors}
        return evaluate(program, self.dims, needed, tangents, rounding)

    def given(
        self, p: Vector, v: Vector | None = None, u: Vector | None = None
    ) -> dict[str, Vector]:
        """What a function reads besides data: parameters, a direction, weights of the cut."""
        found = self.params.arrays(p)
        if v is not None:
            found |= {direction(name): part for name, part in self.params.arrays(v).items()}
        if u is not None:
            found |= {weight(name): part for name, part in self.cut.arrays(u).items()}
        return found

    def function(
        self, name: str, p: Vector, v: Vector | None = None, u: Vector | None = None
    ) -> Vector:
        """The outputs of a function, flattened, by its own statements."""
        program = self.program(name)
        return flat(self.run(program, self.given(p, v, u)).tensors, program.outputs)

    def complex_step(self, name: str, p: Vector, v: Vector, step: float = STEP) -> Vector:
        """The change of a function's outputs along v: Im f(p + i step v) / step."""
        return np.imag(self.function(name, p + 1j * step * v)) / step

    def dual(self, name: str, p: Vector, v: Vector) -> Vector:
        """The same in dual numbers."""
        program = self.program(name)
        tangents = self.params.arrays(v)
        return flat(self.run(program, self.params.arrays(p), tangents).tangents, program.outputs)

    def scale(
        self,
        name: str,
        p: Vector,
        v: Vector | None = None,
        u: Vector | None = None,
        signs: int = 2,
    ) -> Vector:
        """How far each output moves per relative change of all numbers that it is made of.

        That is of what goes in and of the result of every operation: rounding errors cannot do
        more to it. It is the greatest of some changes, each along random signs, by complex step.
        """
        program = self.program(name)
        rng = np.random.default_rng(0)
        given = {**self.arrays, **self.given(p, v, u)}
        found: Vector | None = None

        def moved(array: Any) -> Any:
            return array * (1 + 1j * STEP * rng.choice((-1.0, 1.0), np.shape(array)))

        numbers = {
            key: array for key, array in given.items() if np.asarray(array).dtype.kind == "f"
        }
        for _ in range(signs):
            start = {key: moved(array) for key, array in numbers.items()}
            tensors = self.run(program, start, rounding=moved).tensors
            change = np.abs(np.imag(flat(tensors, program.outputs))) / STEP
            found = change if found is None else np.maximum(found, change)
        assert found is not None
        return found

    def bent(self, program: Program, p: Vector, along: Mapping[str, Vector], v: Vector) -> Vector:
        """∇²l times a change of cut and parameters, by complex step of the gradient of l."""
        cut = self.run(self.task.program, self.params.arrays(p)).tensors
        given: dict[str, Any] = {
            name: cut[name] + 1j * STEP * change for name, change in along.items()
        }
        values = self.run(program, {**given, **self.params.arrays(p + 1j * STEP * v)})
        return np.imag(flat(values.tensors, program.outputs)) / STEP

    def loss_gradient(self) -> Program:
        """The gradient of l, the objective as a function of the cut and what it reads directly."""
        task = self.task
        assert task.objective is not None
        program = task.program
        given = {name: replace(program.tensors[name], role=Role.PARAM) for name in task.cut}
        rest = tuple(s for s in program.statements if s.target not in given)
        outer = replace(program, statements=rest, tensors={**program.tensors, **given})
        names = (*task.cut, *task.params)
        back = adjoint(outer, {task.objective: None}, names)
        outputs = tuple(f"{name}.bar" for name in names)
        missing = {
            output: replace(program.tensors[name], name=output, role=Role.COMPUTED)
            for output, name in zip(outputs, names, strict=True)
            if output not in back.tensors
        }
        return replace(back.extended((), missing), outputs=outputs)

    def summand_gradients(self, p: Vector, directions: Vector) -> Vector:
        """The change of every sample's summand along each direction, in rows, by complex step.

        Raises DerivativeUnavailable where the objective is no sum over samples.
        """
        from symopt.derive.functions import with_summands_of

        program, summands = with_summands_of(self.task)
        rows = []
        for v in directions:
            tensors = self.run(program, self.params.arrays(p + 1j * STEP * v)).tensors
            parts = [np.ravel(tensors[name]) for name in summands]
            rows.append(np.imag(np.concatenate(parts)) / STEP)
        return np.array(rows)

    def points(self, p: Vector) -> int:
        """How many points the statements of the loss run over, all together."""
        tensors = self.run(self.task.program, self.params.arrays(p)).tensors
        return sum(
            points(statement.loops, self.dims, tensors)[1]
            for statement in self.task.program.statements
        )


def flat(tensors: Mapping[str, Vector], names: tuple[str, ...]) -> Vector:
    """Some tensors, one after another."""
    return np.concatenate([*(np.ravel(tensors[name]) for name in names), np.zeros(0)])
