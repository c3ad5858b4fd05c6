"""Which derivative is wrong: statement by statement, read by read, against complex steps.

The partial of an expression by each thing it reads is what the chain rule multiplies; it is
computed here as `derive` does and compared with the complex step of that one expression, at the
values that occur. Where all are right, whole statements are compared, which adds their reductions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import S

from symopt.certify.oracle import STEP, Oracle
from symopt.certify.places import definition_of, place_of
from symopt.certify.report import Comparison, Failure
from symopt.certify.sweep import Known, all_points, reads_at, real_tensors, slopes
from symopt.derive.forward import directional
from symopt.derive.reverse import adjoint
from symopt.derive.scalar import Finiteness, weights
from symopt.primitives.record import Primitive
from symopt.statements.evaluate import Values, evaluate, evaluate_expression
from symopt.statements.expression import operands, postorder
from symopt.statements.program import Program, Read, Role, Statement, Tensor
from symopt.typed import program as typed

Array = NDArray[Any]

_MOST_POINTS = 2000  # of one statement that are looked at
_WRONG = 1e-8  # relative to the greatest at all points: far beyond rounding
# Functions of which the gradient is differentiated once more.
_SECOND = ("hvp", "hess", "gnvp", "gauss_newton")


def locate(
    program: typed.Program, oracle: Oracle, p: Array, failed: tuple[Comparison, ...]
) -> tuple[Failure, ...]:
    """Where the functions that failed go wrong."""
    if not failed:
        return ()
    functions = tuple(dict.fromkeys(comparison.function for comparison in failed))
    search = _Search(program, oracle, p, functions)
    found = list(search.wrong(oracle.task.program))
    if not found and any(name.startswith(_SECOND) for name in functions):
        found = list(search.wrong(oracle.program("grad")))
    return tuple(dict.fromkeys(found)) or search.elsewhere(failed)


@dataclass(slots=True)
class _Search:
    program: typed.Program
    oracle: Oracle
    p: Array
    functions: tuple[str, ...]

    def wrong(self, program: Program) -> Iterator[Failure]:
        """Failures of expressions and, if there are none, of reductions."""
        values = self.oracle.run(program, self.oracle.params.arrays(self.p))
        count = 0
        for statement in program.statements:
            for failure in self.expression(program, statement, values):
                count += 1
                yield failure
        for statement in program.statements if not count else ():
            yield from self.reduction(program, statement, values)

    def expression(
        self, program: Program, statement: Statement, values: Values
    ) -> Iterator[Failure]:
        """Reads by which the derivative of a statement's expression is wrong."""
        indices, total = all_points(statement, values)
        if not total:
            return
        chosen = np.unique(np.linspace(0, total - 1, min(total, _MOST_POINTS)).astype(int))
        indices = {name: array[chosen] for name, array in indices.items()}
        known = reads_at(statement, values, indices)
        real = real_tensors(program)
        wanted = frozenset(read.symbol for read in statement.reads if read.tensor in real)
        symbolic = weights(statement.expression, S.One, wanted, Finiteness())
        for read in statement.reads:
            if read.symbol not in wanted:
                continue
            found = evaluate_expression(symbolic.get(read.symbol, S.Zero), dict(known))
            stepped = {**known, read.symbol: known[read.symbol] + 1j * STEP}
            right = np.imag(evaluate_expression(statement.expression, stepped)) / STEP
            found, right = np.broadcast_arrays(np.real(found), right, chosen)[:2]
            worst = _worst(found, right)
            if worst is not None:
                at = {name: int(array[worst]) for name, array in indices.items()}
                culprit = _wrong_primitive(statement.expression, known)
                numbers = float(found[worst]), float(right[worst])
                yield self.failure(statement, read, numbers, at, culprit)

    def failure(
        self,
        statement: Statement,
        read: Read,
        numbers: tuple[float, float],
        at: dict[str, int],
        culprit: tuple[Primitive, int] | None,
    ) -> Failure:
        name = self.name(statement)
        where = f" at {', '.join(f'{k} = {v}' for k, v in at.items())}" if at else ""
        own = any(s.target == statement.target for s in self.oracle.task.program.statements)
        what = "derivative" if own else "second derivative"
        found, right = numbers
        reason = (
            f"the {what} of `{name}` by `{read.symbol}` is {found:.10g}, and should be "
            f"{right:.10g}{where}"
        )
        if culprit is not None:
            node, number = culprit
            reason += f": the derivative of {self.written(statement, node)} by its operand {number}"
            reason += " is wrong"
        return Failure(self.functions, name, str(read.symbol), reason, statement.span)

    def written(self, statement: Statement, node: Primitive) -> str:
        """A call as it is written and where; or else the name of the function."""
        span = place_of(self.program, statement, node)
        if span is None:
            return f"`{node.record.name}`"
        return f"`{' '.join(span.text.split())}` at {span.line}:{span.column}"

    def name(self, statement: Statement) -> str:
        definition = definition_of(self.program, statement)
        if definition is None:
            return statement.target
        return "minimize" if definition.name == self.program.objective else definition.name

    def reduction(
        self, program: Program, statement: Statement, values: Values
    ) -> Iterator[Failure]:
        """Whether the tangent or the adjoint of a whole statement, by itself, is wrong."""
        real = real_tensors(program)
        names = {read.tensor for read in statement.reads if read.tensor in real}
        if statement.steps or statement.target in names:
            return  # a recurrence: it cannot run by itself
        alone = _Alone(program, statement, values, tuple(sorted(filter(None, names))))
        change = alone.change()
        tangent, pulled = alone.tangent(), alone.adjoint()
        weighted = np.sum(alone.weight() * change)
        size = np.sum(np.abs(alone.weight() * change))
        name, kind = self.name(statement), statement.reduction
        if _worst(np.ravel(tangent), np.ravel(change)) is not None:
            reason = f"the tangent of the reduction `{kind}` in `{name}` is wrong"
            yield Failure(self.functions, name, "", reason, statement.span)
        elif abs(pulled - weighted) > _WRONG * size:
            reason = f"the adjoint of the reduction `{kind}` in `{name}` is wrong"
            yield Failure(self.functions, name, "", reason, statement.span)

    def elsewhere(self, failed: tuple[Comparison, ...]) -> tuple[Failure, ...]:
        """What is left where every derivative of every statement is right."""
        compiled = tuple(dict.fromkeys(c.function for c in failed if c.oracle == "NumPy evaluator"))
        reason = "every derivative of every statement is right"
        if compiled:
            entry = next(c.entry for c in failed if c.function in compiled)
            reason += f"; compiled code differs from its own statements, most at {entry}"
        else:
            reason += "; they are put together in a wrong way"
        return (Failure(compiled or self.functions, "", "", reason),)


@dataclass(frozen=True, slots=True)
class _Alone:
    """One statement as a program of its own, of which everything that it reads moves at once."""

    program: Program
    statement: Statement
    values: Values
    names: tuple[str, ...]

    def alone(self, *seeds: Tensor) -> Program:
        own = {*self.statement.written}
        tensors = {
            name: tensor
            if tensor.role is Role.INDICES or name in own
            else replace(tensor, role=Role.PARAM)
            for name, tensor in self.program.tensors.items()
        }
        tensors |= {seed.name: seed for seed in seeds}
        return Program((self.statement,), tensors, (self.statement.target,))

    def given(self) -> dict[str, Array]:
        own = self.statement.written
        return {name: array for name, array in self.values.tensors.items() if name not in own}

    def moves(self) -> dict[str, Array]:
        """A change of each tensor that is read."""
        rng = np.random.default_rng(0)
        tensors = self.values.tensors
        return {name: rng.normal(size=np.shape(tensors[name])) for name in self.names}

    def weight(self) -> Array:
        """A weight of each element that is written."""
        shape = np.shape(self.values.tensors[self.statement.target])
        return np.random.default_rng(1).normal(size=shape)

    def change(self) -> Array:
        """The change of what is written, by complex step."""
        given = self.given()
        stepped = {name: given[name] + 1j * STEP * move for name, move in self.moves().items()}
        found = evaluate(self.alone(), self.values.dims, {**given, **stepped})
        return np.imag(found.tensors[self.statement.target]) / STEP

    def tangent(self) -> Array:
        """The same by its tangent statements."""
        shapes = self.program.tensors
        seeds = {name: f"{name}.move" for name in self.names}
        program = self.alone(*(Tensor(m, shapes[n].shape, Role.SEED) for n, m in seeds.items()))
        moves = {seeds[name]: move for name, move in self.moves().items()}
        moved = directional(program, seeds)
        tensors = evaluate(moved, self.values.dims, {**self.given(), **moves}).tensors
        target = self.statement.target
        return tensors.get(f"{target}.dot", np.zeros(np.shape(tensors[target])))

    def adjoint(self) -> float:
        """The weighted change, by its adjoint statements."""
        target = self.statement.target
        seed = Tensor(f"{target}.seed", self.program.tensors[target].shape, Role.SEED)
        back = adjoint(self.alone(seed), {target: seed.name}, self.names)
        given = {**self.given(), seed.name: self.weight()}
        tensors = evaluate(back, self.values.dims, given).tensors
        return float(
            sum(
                np.sum(tensors[f"{name}.bar"] * move)
                for name, move in self.moves().items()
                if f"{name}.bar" in tensors
            )
        )


def _worst(found: Array, right: Array) -> int | None:
    """Where two arrays differ most; None where they agree."""
    finite = np.isfinite(right)
    top = np.abs(right[finite]).max(initial=0.0)
    with np.errstate(all="ignore"):
        off = np.where(np.isfinite(found) & finite, np.abs(found - right), 0.0)
        off = np.where(np.isfinite(found) != finite, np.inf, off)
    wrong = off > _WRONG * np.maximum(np.abs(right), 1e-3 * top)
    wrong |= (off > 0) & (top == 0)
    return int(np.argmax(np.where(wrong, off, -1.0))) if wrong.any() else None


def _wrong_primitive(expression: sympy.Expr, known: Known) -> tuple[Primitive, int] | None:
    """The first function in an expression with a wrong partial, and by which operand, from 1."""
    known = dict(known)
    evaluate_expression(expression, known)
    for node in postorder(expression):
        if not isinstance(node, Primitive):
            continue
        parts = operands(node)
        for number, slope in enumerate(slopes(node, dict(known))):
            if not isinstance(parts[number], sympy.Integer):
                moved = [known[part] for part in parts]
                moved[number] = moved[number] + 1j * STEP
                right = np.imag(node.record.reference(*moved)) / STEP
                found, right = np.broadcast_arrays(np.atleast_1d(slope), right)
                if _worst(np.ravel(found), np.ravel(right)) is not None:
                    return node, number + 1
    return None
