"""What is not finite, in words: the operation as it is written, its place, and its operands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy

from symopt.certify.oracle import Oracle
from symopt.certify.places import definition_of, operands_written, place_of
from symopt.certify.sweep import Known, integer
from symopt.primitives.record import Constant, Primitive
from symopt.source import Span
from symopt.statements.evaluate import Values
from symopt.statements.expression import operands, symbols_of
from symopt.statements.printer import print_expression
from symopt.statements.program import Statement
from symopt.typed import program as typed
from symopt.types import Entry, atom, atom_text

_LONGEST = 60  # characters of an excerpt that are shown


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a statement, and the values of all parts of its expression there."""

    statement: Statement
    indices: Mapping[str, int]
    known: Known
    values: Values


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation at a point; of order 1 or 2, its (second) derivative by one of its operands."""

    point: Point
    node: sympy.Expr
    operand: int = 0
    slope: float | None = None
    order: int = 0


def describe_operation(source: typed.Program, operation: Operation, what: str) -> str:
    """`log(s - x[i])` at 7:12, i = 4182, s - x[i] = -0.03, in the gradient by s: ..."""
    point, node = operation.point, operation.node
    span = place_of(source, point.statement, node)
    text = print_expression(node) if span is None else " ".join(span.text.split())
    texts = _operand_texts(node, span)
    numbers = [float(np.real(point.known[part])) for part in operands(node)]
    facts = [f"{name.rstrip(chr(39))} = {k}" for name, k in _own_indices(point).items()]
    facts += [f"{name} = {k}" for name, k in _entries(point, node).items()]
    facts += [
        f"{_short(operand)} = {number:.6g}"
        for operand, number, part in zip(texts, numbers, operands(node), strict=True)
        if not isinstance(part, Constant | sympy.Integer)
        and not _is_number(operand)
        and not _is_ours(operand)
    ]
    place = _place(source, span or point.statement.span)
    head = ", ".join([f"`{_short(text)}`{place}", *dict.fromkeys(facts), f"in {what}"])
    return f"{head}: {_reason(operation, texts, numbers)} ({_where(source, point)})"


def _reason(operation: Operation, texts: tuple[str, ...], numbers: list[float]) -> str:
    """What the operation made of its operands."""
    node = operation.node
    named = isinstance(node, Primitive) and not node.record.infix
    if operation.slope is not None:
        which = {1: "derivative", 2: "second derivative"}[operation.order]
        return f"its {which} by {_short(texts[operation.operand])} is {operation.slope:g}"
    value = float(np.real(operation.point.known[node]))
    if named:
        assert isinstance(node, Primitive)
        of = ", ".join(f"{number:.6g}" for number in numbers)
        return f"{node.record.name} of {of} is {value:g}"
    text = print_expression(node)
    if _is_ours(text) and isinstance(node, Primitive):
        text = f" {node.record.infix} ".join(f"{number:.6g}" for number in numbers)
    return f"{_short(text)} is {value:g}"


def _operand_texts(node: sympy.Expr, span: Span | None) -> tuple[str, ...]:
    """The operands as they are written, or else in terms of the statement."""
    parts = operands(node)
    written = operands_written(span, len(parts)) if span is not None else None
    return tuple(map(_bare, written)) if written else tuple(map(print_expression, parts))


def _own_indices(point: Point) -> dict[str, int]:
    """The loops as the program calls them."""
    return {name: k for name, k in point.indices.items() if not name.startswith("~")}


def _entries(point: Point, node: sympy.Expr) -> dict[str, int]:
    """The entries of integer data by which the operands were found."""
    symbols = symbols_of(node)
    found: dict[str, int] = {}
    for read in point.statement.reads:
        for place in read.map if read.symbol in symbols else ():
            for item in place.atoms():
                if isinstance(item, Entry):
                    found[atom_text(item)] = int(integer(atom(item), point.values, point.indices))
    return found


def _where(source: typed.Program, point: Point) -> str:
    """The line and the element of the definition."""
    statement = point.statement
    line = f"line {statement.span.line}" if statement.span else "a derivative"
    definition = definition_of(source, statement)
    if definition is None:
        return line
    if definition.name == source.objective:
        return f"{line}, the objective"
    name = definition.name
    if name.startswith("~"):
        return line
    if statement.target == name and statement.map:
        first = [origin.value or 0 for origin in definition.origin]
        place = [int(integer(k, point.values, point.indices)) for k in statement.map]
        name += f"[{', '.join(str(k + low) for k, low in zip(place, first, strict=True))}]"
    return f"{line}, {name}"


def describe_element(function: str, output: str, place: tuple[int, ...], oracle: Oracle) -> str:
    """Which entry of which function: `the gradient by w[3]`."""
    names = oracle.params.names
    base = output.partition(".")[0]
    at = f"{base}[{', '.join(map(str, place))}]" if place else base
    match function:
        case "value":
            return "the value"
        case "grad":
            return f"the gradient by {at}"
        case "hvp":
            return f"the Hessian-vector product by {at}"
        case "gnvp":
            return f"the Gauss-Newton product by {at}"
        case "vjp":
            return f"the vector-Jacobian product by {at}"
        case "residuals":
            return f"`{at}`"
        case "jvp":
            return f"the Jacobian-vector product of {at}"
        case "hess" | "jac":
            *own, column = place
            at = f"{base}[{', '.join(map(str, own))}]" if own else base
            by = names[column]
            return (
                f"the Jacobian of {at} by {by}"
                if function == "jac"
                else (f"the Hessian by {at} and {by}")
            )
        case "gauss_newton":
            return f"the Gauss-Newton matrix by {' and '.join(names[k] for k in place)}"
        case _:
            return f"`{function}`"


def _place(source: typed.Program, span: Span | None) -> str:
    if span is None:
        return ""
    same = span.source.text == source.source.text
    return f" at {span.line}:{span.column}" if same else f" at {span}"


def describe_matrix(statement: Statement, place: tuple[int, ...], line: str, what: str) -> str:
    """Why a function of a finite matrix is not finite, and which matrix that is."""
    result, fault = _FAULTS[statement.reduction]
    known = {part.index: k for part, k in zip(statement.map, place, strict=True)}
    around = (loop.index for loop in statement.around if loop.index in known)
    at = ", ".join(f"{name} = {known[name]}" for name in around)
    return f"the {result} in {line} is of a matrix {fault}{f', {at}' if at else ''}, in {what}"


_FAULTS: Mapping[str, tuple[str, str]] = {
    "inverse": ("inverse", "that is singular"),
    "cholesky": ("Cholesky factor", "that is not positive definite"),
    "determinant": ("determinant", "that is too large"),
    "logdet": ("logarithm of a determinant", "whose determinant is not above 0"),
}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_ours(text: str) -> bool:
    """Whether a text mentions a tensor that no program can: a name of ours within a definition."""
    return re.search(r"[^\W\d]\w*\.\d|~", text) is not None


def _bare(text: str) -> str:
    """A text without parentheses around all of it."""
    depth = 0
    for number, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            whole = character == ")" and number == len(text) - 1
            return _bare(text[1:-1].strip()) if whole else text
    return text


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
