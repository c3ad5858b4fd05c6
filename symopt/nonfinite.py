"""Where a nan or inf came from: found by running the statements again, slowly, in NumPy.

From an element that is not finite, reads and operands that are not finite either lead back to the
first operation whose operands are all finite; or, in a derivative, to the function whose slope is
not finite where it is taken. That operation is shown as it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symopt.certify.oracle import Oracle
from symopt.certify.sweep import Known, all_points, integer, parts_at, slope_expressions, weights
from symopt.nonfinite_text import (
    Operation,
    Point,
    describe_element,
    describe_matrix,
    describe_operation,
)
from symopt.primitives.operators import select
from symopt.primitives.record import Constant, Primitive
from symopt.statements.evaluate import Values, evaluate_expression
from symopt.statements.expression import operands, postorder
from symopt.statements.program import Program, Role, Statement
from symopt.typed import program as typed

Array = NDArray[Any]

_MOST_ENTRIES = 1_000_000  # of a Jacobian that nobody asked for by name
# Functions with the same entries, of which the first is explained in place of the others.
_SAME = {
    "value_and_grad": "grad",
    "jac_sparse": "jac",
    "residuals_and_jac": "jac",
    "hess_sparse": "hess",
    "gauss_newton_sparse": "gauss_newton",
}


def explain(
    program: typed.Program,
    oracle: Oracle,
    p: Array,
    function: str | None = None,
    v: Array | None = None,
    u: Array | None = None,
) -> str | None:
    """A sentence on the first operation that made a result non-finite; None if all are finite."""
    v = np.ones(oracle.params.size) if v is None else np.asarray(v, dtype=float)
    u = np.ones(oracle.cut.size) if u is None else np.asarray(u, dtype=float)
    for name in _functions(oracle, function):
        statements = oracle.program(name)
        values = oracle.run(statements, oracle.given(p, v, u))
        for output in statements.outputs:
            found = values.tensors[output]
            if not np.isfinite(found).all():
                place = tuple(int(k) for k in np.argwhere(~np.isfinite(found))[0])
                trace = _Trace(program, oracle, statements, values, p)
                what = describe_element(name, output, place, oracle)
                return trace.describe(output, place, what)
    return None


def _functions(oracle: Oracle, function: str | None) -> Iterator[str]:
    if function is not None:
        yield _SAME.get(function, function)
        return
    yield from ("value", "grad")
    if oracle.cut.size and oracle.cut.size * oracle.params.size <= _MOST_ENTRIES:
        yield "jac"


@dataclass(slots=True)
class _Trace:
    """Follows non-finite elements of one function's tensors back."""

    source: typed.Program
    oracle: Oracle
    program: Program
    values: Values
    p: Array

    def describe(self, tensor: str, place: tuple[int, ...], what: str) -> str:
        """What made an element non-finite, in words."""
        while True:
            point = self.writer(tensor, place)
            if point is None:
                return self.whole(tensor, place, what)
            node = _culprit(point.statement.expression, point.known)
            if not isinstance(node, sympy.Symbol):
                return describe_operation(self.source, self.operation(point, node), what)
            read = next(r for r in point.statement.reads if r.symbol == node)
            assert read.tensor is not None, "an integer is finite"
            tensor = read.tensor
            place = tuple(int(integer(k, self.values, point.indices)) for k in read.map)

    def writer(self, tensor: str, place: tuple[int, ...]) -> Point | None:
        """The first point of a statement that put something non-finite there."""
        for statement in self.program.statements:
            if statement.target != tensor:
                continue
            indices, total = all_points(statement, self.values)
            here = np.ones(total, dtype=bool)
            for part, wanted in zip(statement.map, place, strict=True):
                here &= np.broadcast_to(integer(part, self.values, indices), total) == wanted
            chosen = np.flatnonzero(here)
            indices = {name: array[chosen] for name, array in indices.items()}
            known = parts_at(statement, self.values, indices)
            value = np.broadcast_to(known[statement.expression], len(chosen))
            bad = np.flatnonzero(~np.isfinite(value))
            if len(bad):
                first = {name: int(array[bad[0]]) for name, array in indices.items()}
                return _point(statement, first, self.values)
        return None

    def whole(self, tensor: str, place: tuple[int, ...], what: str) -> str:
        """Of an element that no single point made non-finite, or that was given."""
        name = f"{tensor}[{', '.join(map(str, place))}]" if place else tensor
        if self.program.tensors[tensor].role is not Role.COMPUTED:
            return f"`{name}` is {self.values.tensors[tensor][place]}, in {what}"
        statements = [s for s in self.program.statements if s.target == tensor]
        last = statements[-1]
        line = f"line {last.span.line}" if last.span else "a derivative"
        if last.of_matrix:
            return describe_matrix(last, place, line, what)
        loops = ", ".join(map(str, last.reduced))
        kind = "logsumexp" if last.reduction == "logsumexp" else last.reduction
        if not statements or not loops:
            return f"`{name}` is not finite in {line}, in {what}"
        empty = all(all_points(statement, self.values)[1] == 0 for statement in statements)
        fate = "has nothing to run over" if empty else "overflows"
        return f"the {kind} for {loops} in {line} {fate}, in {what}"

    # ── derivatives ──────────────────────────────────────────────────────────────────────────

    def operation(self, point: Point, node: sympy.Expr) -> Operation:
        """The operation to blame: of the loss itself, or one of it whose slope is not finite."""
        own = self.oracle.task.program
        if any(s.target == point.statement.target for s in own.statements):
            return Operation(point, node)
        # A derivative need not compute all that it is the derivative of.
        values = self.oracle.run(own, self.oracle.params.arrays(self.p))
        for statement in own.statements:
            loops = {loop.index for loop in statement.loops}
            same = statement.span is not None and statement.span == point.statement.span
            if not same or not loops <= point.indices.keys():
                continue
            here = {name: k for name, k in point.indices.items() if name in loops}
            original = _point(statement, here, values)
            for order in (1, 2):
                found = _steep(statement.expression, original.known, order)
                if found is not None:
                    return Operation(original, *found, order)
        return Operation(point, node, order=1)


def _point(statement: Statement, indices: Mapping[str, int], values: Values) -> Point:
    return Point(statement, dict(indices), parts_at(statement, values, indices), values)


def _culprit(expression: sympy.Expr, known: Known) -> sympy.Expr:
    """Where the value of an expression stops being finite: an operation on finite operands, or a
    symbol."""
    node = expression
    while True:
        parts = [p for p in _taken(node, known) if not isinstance(p, Constant)]
        bad = [part for part in parts if not np.isfinite(known[part])]
        if not bad:
            return node
        undefined = [part for part in bad if np.isnan(known[part])]
        node = undefined[0] if np.isnan(known[node]) and undefined else bad[0]
        if isinstance(node, sympy.Symbol):
            return node


def _taken(node: sympy.Expr, known: Known) -> tuple[sympy.Expr, ...]:
    """The operands that a value comes from: of a choice, the branch taken."""
    parts = operands(node)
    if isinstance(node, Primitive) and node.record is select:
        return (parts[1] if known[parts[0]] != 0 else parts[2],)
    return parts


def _steep(
    expression: sympy.Expr, known: Known, order: int
) -> tuple[sympy.Expr, int, float] | None:
    """The first function in an expression, of those that matter, with a slope that is not finite:
    itself, which operand it is by, and the slope; at second order the slope of a slope."""
    share = weights(expression, dict(known))
    for node in postorder(expression):
        parts = operands(node)
        finite = all(np.isfinite(known[part]) for part in parts)
        if not isinstance(node, Primitive) or node not in share or share[node] == 0 or not finite:
            continue
        for number, slope in enumerate(slope_expressions(node)):
            here = dict(known)
            with np.errstate(all="ignore"):
                value = evaluate_expression(slope, here)
                changes = [value] if order == 1 else _slopes_of(slope, parts, here)
            for change in changes:
                if not np.isfinite(change):
                    return node, number, float(change)
    return None


def _slopes_of(slope: sympy.Expr, parts: tuple[sympy.Expr, ...], known: Known) -> list[Array]:
    found = weights(slope, known)
    return [found[part] for part in parts if part in found]
