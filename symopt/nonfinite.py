"""Where a nan or inf came from: found by running the statements again, slowly, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symopt.derive.functions import Task, derive
from symopt.primitives.record import Primitive
from symopt.statements.evaluate import Values, evaluate, evaluate_expression, points
from symopt.statements.expression import operands, postorder
from symopt.statements.printer import print_expression
from symopt.statements.program import Program, Statement
from symopt.types import Integer
from symopt.types import evaluate as evaluate_integer

Array = NDArray[Any]


def explain(task: Task, dims: Mapping[str, int], given: Mapping[str, Array]) -> str | None:
    """A sentence on the first operation that made the objective or its gradient non-finite."""
    for name in ("value", "grad"):
        program = derive(task, name)
        needed = {k: a for k, a in given.items() if k in program.tensors}
        values = evaluate(program, dims, needed)
        for output in program.outputs:
            found = values.tensors.get(output)
            if found is not None and not np.isfinite(found).all():
                place = tuple(int(k) for k in np.argwhere(~np.isfinite(found))[0])
                return _Trace(program, values).describe(output, place)
    return None


class _Trace:
    """Follows non-finite elements back to the operation whose arguments are all finite."""

    def __init__(self, program: Program, values: Values) -> None:
        self.program = program
        self.values = values

    def describe(self, tensor: str, place: tuple[int, ...]) -> str:
        while True:
            found = self._writer(tensor, place)
            if found is None:
                return f"{_element(tensor, place)} is not finite"
            statement, indices = found
            culprit = self._read(statement, indices)
            if culprit is None:
                return self._operation(statement, indices, tensor, place)
            tensor, place = culprit

    def _integer(self, value: Integer, indices: Mapping[str, Any]) -> Any:
        return evaluate_integer(value, self.values.dims, indices, self.values.tensors)

    def _known(self, statement: Statement, indices: Mapping[str, Any]) -> dict[sympy.Expr, Any]:
        known: dict[sympy.Expr, Any] = {}
        for read in statement.reads:
            where = tuple(self._integer(part, indices) for part in read.map)
            known[read.symbol] = (
                np.asarray(where[0], dtype=np.float64)
                if read.tensor is None
                else self.values.tensors[read.tensor][where]
            )
        return known

    def _writer(
        self, tensor: str, place: tuple[int, ...]
    ) -> tuple[Statement, dict[str, int]] | None:
        """The statement and point that put something non-finite there."""
        for statement in self.program.statements:
            if statement.target != tensor:
                continue
            indices, total = points(statement.loops, self.values.dims, self.values.tensors)
            here = np.ones(total, dtype=bool)
            for part, wanted in zip(statement.map, place, strict=True):
                here &= np.broadcast_to(self._integer(part, indices), total) == wanted
            with np.errstate(all="ignore"):
                known = self._known(statement, indices)
                value = evaluate_expression(statement.expression, known)
            bad = np.flatnonzero(here & ~np.isfinite(np.broadcast_to(value, total)))
            if len(bad):
                return statement, {name: int(array[bad[0]]) for name, array in indices.items()}
        return None

    def _read(
        self, statement: Statement, indices: Mapping[str, int]
    ) -> tuple[str, tuple[int, ...]] | None:
        computed = {other.target for other in self.program.statements}
        for read in statement.reads:
            if read.tensor is None or read.tensor not in computed:
                continue
            place = tuple(int(self._integer(part, indices)) for part in read.map)
            if not np.isfinite(self.values.tensors[read.tensor][place]):
                return read.tensor, place
        return None

    def _operation(
        self, statement: Statement, indices: Mapping[str, int], tensor: str, place: tuple[int, ...]
    ) -> str:
        with np.errstate(all="ignore"):
            known = self._known(statement, indices)
            evaluate_expression(statement.expression, known)
        where = _where(statement, indices, tensor, place)
        for node in postorder(statement.expression):
            parts = operands(node)
            if parts and not np.isfinite(known[node]):
                if isinstance(node, Primitive) and not node.record.infix:
                    arguments = ", ".join(f"{float(known[part]):.6g}" for part in parts)
                    return f"{node.record.name} of {arguments} {where}"
                values = ", ".join(
                    f"{print_expression(part)} = {float(known[part]):.6g}"
                    for part in parts
                    if part.free_symbols
                )
                return f"{print_expression(node)} is {float(known[node])} ({values}) {where}"
        return f"the value overflows {where}"


def _element(tensor: str, place: tuple[int, ...]) -> str:
    if tensor == "minimize":
        return "the objective"
    return f"{tensor}[{', '.join(map(str, place))}]" if place else tensor


def _where(
    statement: Statement, indices: Mapping[str, int], tensor: str, place: tuple[int, ...]
) -> str:
    line = f"in line {statement.span.line}" if statement.span else "in a derivative"
    base, _, derivative = tensor.partition(".bar")
    element = _element(base.rstrip(".0123456789") or base, place) if base == tensor else tensor
    if ".bar" in tensor:
        element = f"the gradient by {_element(base, place)}"
    at = ", ".join(f"{name.partition('.')[0]} = {value}" for name, value in indices.items())
    return f"{line}, {element}" + (f", at {at}" if at else "") + derivative
