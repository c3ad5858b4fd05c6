"""Where in the source an operation of a statement is written, and how its operands are written.

Statements know the place of their definition. Which call in it an operation came from is found
again in the typed definition, when somebody asks: by the function and by what it reads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import sympy

from symopt.primitives.record import Constant, Primitive
from symopt.source import Source, Span
from symopt.statements.expression import postorder
from symopt.statements.program import Statement
from symopt.syntax import tree
from symopt.syntax.parser import parse_what_can_be
from symopt.typed import program as typed
from symopt.typed.reads import parts

_ASIDE = "minimize "  # a statement that an expression by itself can be read in


def definition_of(program: typed.Program, statement: Statement) -> typed.Definition | None:
    """The definition that a statement, or a derivative of it, was made from."""
    same = [
        d for d in program.definitions if statement.span is not None and d.span == statement.span
    ]
    stem = statement.target.partition(".")[0]
    return next((d for d in same if d.name == stem), same[0] if same else None)


def place_of(program: typed.Program, statement: Statement, node: sympy.Expr) -> Span | None:
    """Where the call or operator that a node stands for is written; None if that is not known."""
    if not isinstance(node, Primitive) or statement.span is None:
        return None
    wanted = _leaves_of_node(node)
    best: tuple[int, Span] | None = None
    for definition in program.definitions:
        if definition.span != statement.span:
            continue
        for scalar in _inside(definition.body):
            if isinstance(scalar, typed.Apply) and scalar.function is node.record:
                found = _leaves_of_scalar(scalar)
                score = sum((wanted & found).values()) - sum((found - wanted).values())
                if best is None or score > best[0]:
                    best = score, scalar.span
    return best[1] if best is not None else None


def operands_written(span: Span, count: int) -> tuple[str, ...] | None:
    """The texts of the operands of the call or operator at a place, if it has so many."""
    source = Source("<excerpt>", _ASIDE + span.text)
    file, mistakes = parse_what_can_be(source)
    if mistakes or len(file.statements) != 1:
        return None
    statement = file.statements[0]
    if not isinstance(statement, tree.Objective):
        return None
    found = _operand_texts(statement.value)
    return found if len(found) == count else None


def _operand_texts(expression: tree.Expression) -> tuple[str, ...]:
    match expression:
        case tree.Call(_, arguments):
            return tuple(_text(argument.span) for argument in arguments)
        case tree.Chain(first, rest) if rest:
            *before, (_, last) = rest
            end = before[-1][1].span if before else first.span
            return _text(first.span.to(end)), _text(last.span)
        case tree.Power(base, exponent):
            return _text(base.span), _text(exponent.span)
    return ()


def _text(span: Span) -> str:
    return " ".join(span.text.split())


def _inside(scalar: typed.Scalar) -> Iterator[typed.Scalar]:
    """A scalar and all its parts, in the order written."""
    pending = [scalar]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(parts(current)))


def _leaves_of_node(node: sympy.Expr) -> Counter[str]:
    found: Counter[str] = Counter()
    for part in postorder(node):
        if isinstance(part, sympy.Symbol):
            found[part.name] += 1
        elif isinstance(part, Constant):
            found[repr(part.value)] += 1
        elif isinstance(part, Primitive):
            found[part.record.name] += 1
    return found


def _leaves_of_scalar(scalar: typed.Scalar) -> Counter[str]:
    """The same of a typed scalar: what it reads, with indices called as statements call them."""
    found: Counter[str] = Counter()
    for part in _inside(scalar):
        match part:
            case typed.Read(tensor, places):
                text = f"{tensor}[{', '.join(map(str, places))}]" if places else tensor
                found[_SERIAL.sub("", text)] += 1
            case typed.Number(value):
                found[repr(value)] += 1
            case typed.Count(value) if value.value is None:
                found[f"#({_SERIAL.sub('', str(value))})"] += 1
            case typed.Apply(function):
                found[function.name] += 1
            case typed.IntegerPower():
                found["integer_power"] += 1
            case _:
                continue
    return found


_SERIAL = re.compile(r"(?<=\w)\.\d+\b")  # what sets apart indices of one name: `i.2`
