"""The reference meaning of statements, in NumPy: slow, obvious, and for any of three arithmetics.

Real numbers give values; complex numbers give complex-step derivatives; dual numbers (values
with tangents) give directional derivatives. Nothing here is used by compiled code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symopt.primitives.complex_step import (
    complex_from_parts,
    has_imaginary_part,
    real_strong_product,
)
from symopt.primitives.operators import smul
from symopt.primitives.record import Constant, Primitive
from symopt.statements import matrices
from symopt.statements.expression import operands, postorder
from symopt.statements.program import IDENTITY, Program, Role, Statement, sections
from symopt.types import Integer, Range
from symopt.types import evaluate as evaluate_integer

Array = NDArray[Any]
Rounding = Callable[[Array], Array]  # what becomes of the result of an operation


@dataclass(slots=True)
class Values:
    """The tensors so far and, in dual arithmetic, their tangents."""

    dims: Mapping[str, int]
    tensors: dict[str, Array]
    tangents: dict[str, Array] = field(default_factory=dict)
    dual: bool = False
    rounding: Rounding | None = None


def evaluate(
    program: Program,
    dims: Mapping[str, int],
    given: Mapping[str, Array],
    tangents: Mapping[str, Array] | None = None,
    rounding: Rounding | None = None,
) -> Values:
    """All tensors of a program, from those given (data, parameters, seeds).

    Complex input is computed with complex numbers throughout; `tangents` of given tensors ask for
    dual numbers. Outputs that no statement writes are zero. A `rounding` is applied to the result
    of every operation inside a statement.
    """
    dtypes = (np.asarray(array).dtype for array in given.values())
    dtype = np.result_type(np.float64, *(found for found in dtypes if found.kind in "fc"))
    values = Values(dims, {}, {}, tangents is not None, rounding)
    for name, array in given.items():
        integers = program.tensors[name].role is Role.INDICES
        values.tensors[name] = np.asarray(array, dtype=np.int64 if integers else dtype)
        if not integers:
            change = (tangents or {}).get(name, 0.0)
            values.tangents[name] = np.broadcast_to(change, values.tensors[name].shape)
    with np.errstate(all="ignore"):
        _run(program, program.statements, values, dtype, {})
    for name in program.outputs:
        if name not in values.tensors:
            shape = _shape(program, name, values)
            values.tensors[name] = np.zeros(shape, dtype=dtype)
            values.tangents[name] = np.zeros(shape, dtype=dtype)
    return values


def _shape(program: Program, name: str, values: Values) -> tuple[int, ...]:
    sizes = program.tensors[name].shape
    return tuple(max(int(evaluate_integer(s, values.dims, {}, values.tensors)), 0) for s in sizes)


def _run(
    program: Program,
    statements: tuple[Statement, ...],
    values: Values,
    dtype: Any,
    at: Mapping[int, int],
) -> None:
    """Statements in order, at a point of the steps that they share; `at` is by level."""
    for section in sections(statements, len(at)):
        if len(section[0].steps) <= len(at):
            for statement in section:
                _execute(program, statement, values, dtype, at)
            continue
        for statement in section:
            _begin(program, statement, values, dtype)  # to be read before the first step, unused
        first = section[0]
        loop, step = first.loops[len(at)], first.steps[len(at)]
        here = {first.loops[level].index: np.asarray(value) for level, value in at.items()}
        lower, upper = (
            int(np.max(evaluate_integer(edge, values.dims, here, values.tensors)))
            for edge in (loop.lower, loop.upper)
        )
        numbers = range(lower, upper)
        for number in reversed(numbers) if step.backward else numbers:
            _run(program, section, values, dtype, {**at, len(at): number})


def _begin(program: Program, statement: Statement, values: Values, dtype: Any) -> Array:
    """The target of a statement, as it is before the first that writes it."""
    name = statement.target
    if name not in values.tensors:
        shape = _shape(program, name, values)
        values.tensors[name] = np.full(shape, IDENTITY[statement.reduction], dtype=dtype)
        values.tangents[name] = np.zeros(shape, dtype=dtype)
        if statement.winner is not None:
            values.tensors[statement.winner.tensor] = np.full(shape, -1.0, dtype=dtype)
            values.tangents[statement.winner.tensor] = np.zeros(shape, dtype=dtype)
    return values.tensors[name]


def points(
    loops: tuple[Range, ...],
    dims: Mapping[str, int],
    tensors: Mapping[str, Array],
    at: Mapping[int, int] = MappingProxyType({}),
) -> tuple[dict[str, Array], int]:
    """Every point of a loop nest in order: per index its values, and how many points there are.

    The outermost loops may be `at` one point.
    """
    indices: dict[str, Array] = {
        loops[level].index: np.full(1, number) for level, number in at.items()
    }
    loops = loops[len(at) :]
    total = 1
    for loop in loops:
        lower = np.broadcast_to(evaluate_integer(loop.lower, dims, indices, tensors), total)
        upper = np.broadcast_to(evaluate_integer(loop.upper, dims, indices, tensors), total)
        counts = np.maximum(upper - lower, 0)
        starts = np.cumsum(counts) - counts
        indices = {name: np.repeat(array, counts) for name, array in indices.items()}
        total = int(counts.sum())
        indices[loop.index] = np.arange(total) + np.repeat(lower - starts, counts)
    return indices, total


def _execute(
    program: Program, statement: Statement, values: Values, dtype: Any, at: Mapping[int, int]
) -> None:
    if statement.of_matrix:
        _function_of_matrix(program, statement, values, dtype, at)
        return
    indices, total = points(statement.loops, values.dims, values.tensors, at)

    def place(parts: tuple[Integer, ...]) -> tuple[Any, ...]:
        found = (evaluate_integer(part, values.dims, indices, values.tensors) for part in parts)
        return tuple(np.broadcast_to(part, total) for part in found)

    known: dict[sympy.Expr, Array] = {}
    changes: dict[sympy.Symbol, Array] = {}
    for read in statement.reads:
        where = place(read.map)
        if read.tensor is None:
            known[read.symbol] = where[0].astype(np.float64)
            continue
        known[read.symbol] = np.broadcast_to(values.tensors[read.tensor][where], total)
        if values.dual:
            changes[read.symbol] = np.broadcast_to(values.tangents[read.tensor][where], total)
    expression = np.broadcast_to(
        evaluate_expression(statement.expression, known, values.rounding), total
    )
    tangent = None
    if values.dual:
        tangent = np.broadcast_to(_tangent(statement.expression, known, changes), total)
    target = _begin(program, statement, values, dtype)
    flat = np.zeros(total, int)
    if target.shape:
        flat = np.asarray(np.ravel_multi_index(place(statement.map), target.shape))
    _Reducer(statement, values, target, flat, expression, tangent).run(
        place((statement.winner.position,))[0] if statement.winner else None
    )


def _function_of_matrix(
    program: Program, statement: Statement, values: Values, dtype: Any, at: Mapping[int, int]
) -> None:
    """The matrices that are read, one after another, and what is made of each."""
    around = statement.around

    def at_points(loops: tuple[Range, ...], parts: tuple[Integer, ...]) -> tuple[Any, ...]:
        indices, total = points(loops, values.dims, values.tensors, at)
        found = (evaluate_integer(part, values.dims, indices, values.tensors) for part in parts)
        return tuple(np.broadcast_to(part, total) for part in found)

    size = max(int(evaluate_integer(statement.loops[-1].upper, values.dims, {}, values.tensors)), 0)
    (read,) = statement.reads
    assert read.tensor is not None
    target = _begin(program, statement, values, dtype)
    _, count = points(around, values.dims, values.tensors, at)
    read_at = at_points((*around, *statement.loops[-2:]), read.map)
    written = at_points(statement.loops[: len(statement.loops) - 2], statement.map)
    flat = np.ravel_multi_index(written, target.shape) if written else np.zeros(1, int)

    def stack(array: Array) -> Array:
        return array[read_at].reshape(count, size, size)

    found = matrices.value(statement.reduction, stack(values.tensors[read.tensor]))
    target.reshape(-1)[flat] = np.ravel(found)
    if values.dual:
        change = stack(values.tangents[read.tensor])
        matrix = stack(values.tensors[read.tensor])
        moved = matrices.tangent(statement.reduction, matrix, found, change)
        values.tangents[statement.target].reshape(-1)[flat] = np.ravel(moved)


def evaluate_expression(
    expression: sympy.Expr, known: dict[sympy.Expr, Array], rounding: Rounding | None = None
) -> Array:
    """The value of a SymPy expression of our nodes; `known` gains the parts, once each."""
    pending = [expression]
    while pending:
        node = pending[-1]
        if node in known:
            pending.pop()
            continue
        parts = operands(node)
        missing = [part for part in parts if part not in known]
        if missing:
            pending.extend(missing)
            continue
        pending.pop()
        result = _operate(node, [known[part] for part in parts])
        known[node] = rounding(result) if rounding and parts else result
    return known[expression]


def _operate(node: sympy.Expr, parts: list[Array]) -> Array:
    match node:
        case Constant():
            return np.asarray(node.value)
        case sympy.Integer():
            return np.asarray(float(int(node)))
        case sympy.Add():
            return sum(parts[1:], parts[0])
        case sympy.Mul():
            return functools.reduce(_product, parts)
        case sympy.Pow():
            return functools.reduce(_product, [parts[0]] * int(node.exp))
        case Primitive():
            return node.record.reference(*parts)
    raise AssertionError(f"{type(node).__name__} in a statement")


def _product(a: Array, b: Array) -> Array:
    """a·b; complex to first order, so that inf times a zero imaginary part makes no nan."""
    if not has_imaginary_part(a, b):
        return a * b
    (ar, ai), (br, bi) = ((np.real(value), np.imag(value)) for value in (a, b))
    return complex_from_parts(ar * br, real_strong_product(ai, br) + real_strong_product(bi, ar))


def _tangent(
    expression: sympy.Expr, known: dict[sympy.Expr, Array], changes: dict[sympy.Symbol, Array]
) -> Array:
    """The tangent of an expression whose value is known, by the rules of dual numbers."""
    tangents: dict[sympy.Expr, Array] = {**changes}
    for node in postorder(expression):
        if node not in tangents:
            tangents[node] = _node_tangent(node, known, tangents)
    return tangents[expression]


def _node_tangent(
    node: sympy.Expr, known: dict[sympy.Expr, Array], tangents: dict[sympy.Expr, Array]
) -> Array:
    zero: Array = np.asarray(0.0)
    parts = operands(node)
    match node:
        case sympy.Add():
            return sum((tangents[part] for part in parts), zero)
        case sympy.Mul():
            total = zero
            for chosen in parts:
                others = [known[other] for other in parts if other is not chosen]
                slope = functools.reduce(_product, others)
                total = total + smul.reference(tangents[chosen], slope)
            return total
        case sympy.Pow():
            n = int(node.exp)
            slope = n * np.power(known[node.base], n - 1)
            return smul.reference(tangents[node.base], slope)
        case Primitive() if node.record.tangent is not None:
            symbols = tuple(sympy.Dummy(real=True) for _ in parts)
            rule = node.record.tangent(parts, symbols)
            local = {**known, **{s: tangents[a] for s, a in zip(symbols, parts, strict=True)}}
            return evaluate_expression(rule, local)
        case Primitive():
            total = zero
            for part, partial in zip(parts, node.record.partials(*parts), strict=True):
                slope = evaluate_expression(sympy.sympify(partial), known)
                total = total + smul.reference(tangents[part], slope)
            return total
    return zero


@dataclass(slots=True)
class _Reducer:
    """Brings the values at all points together at their places in the target."""

    statement: Statement
    values: Values
    target: Array
    flat: Array
    expression: Array
    tangent: Array | None

    def run(self, positions: Array | None) -> None:
        change = self.values.tangents[self.statement.target]
        match self.statement.reduction:
            case "=":
                self.target.reshape(-1)[self.flat] = self.expression
                if self.tangent is not None:
                    change.reshape(-1)[self.flat] = self.tangent
            case "sum":
                self.target += self._sums(self.expression)
                if self.tangent is not None:
                    change += self._sums(self.tangent)
            case "prod":
                self._prod(change)
            case "max" | "min":
                self._extremum(change, positions)
            case "logsumexp":
                self._logsumexp(change)

    def _sums(self, what: Array) -> Array:
        size, shape = self.target.size, self.target.shape
        real = np.bincount(self.flat, np.real(what), minlength=size).reshape(shape)
        if not np.iscomplexobj(what):
            return real
        imaginary = np.bincount(self.flat, np.imag(what), minlength=size).reshape(shape)
        return complex_from_parts(real, imaginary)

    def _prod(self, change: Array) -> None:
        """One factor after the other: right at zeros, in dual numbers too."""
        value, tangent = self.target.reshape(-1), change.reshape(-1)
        for point, place in enumerate(self.flat):
            factor = self.expression[point]
            if self.tangent is not None:
                left = smul.reference(tangent[place], factor)
                tangent[place] = left + smul.reference(self.tangent[point], value[place])
            value[place] = _product(value[place], factor)

    def _extremum(self, change: Array, positions: Array | None) -> None:
        """The first best point of every element; nothing beats -inf (inf) by being equal to it."""
        assert self.statement.winner is not None and positions is not None
        sign = 1.0 if self.statement.reduction == "max" else -1.0
        key = np.real(self.expression) * sign
        key = np.where(np.isnan(key), np.inf, key)
        order = np.lexsort((np.arange(len(key)), ~np.isnan(self.expression), -key, self.flat))
        order = order[key[order] > -np.inf]
        groups, first = np.unique(self.flat[order], return_index=True)
        chosen = order[first]
        self.target.reshape(-1)[groups] = self.expression[chosen]
        winner = self.values.tensors[self.statement.winner.tensor]
        winner.reshape(-1)[groups] = positions[chosen]
        if self.tangent is not None:
            change.reshape(-1)[groups] = self.tangent[chosen]

    def _logsumexp(self, change: Array) -> None:
        top = np.full(self.target.size, -np.inf)
        np.maximum.at(top, self.flat, np.real(self.expression))
        shift = np.where(np.isfinite(top), top, 0.0)
        weights = np.exp(self.expression - shift[self.flat])
        total = self._sums(weights)
        here = np.unique(self.flat)  # of one step among others
        found = shift + np.log(total).reshape(-1)
        self.target.reshape(-1)[here] = found[here]
        if self.tangent is not None:
            shares = weights / np.where(total == 0, 1.0, total).reshape(-1)[self.flat]
            change += self._sums(smul.reference(shares, self.tangent))
