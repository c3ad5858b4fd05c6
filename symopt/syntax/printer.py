"""Canonical source text of a syntax tree: parsing it gives the same tree again."""

from __future__ import annotations

import math
from typing import assert_never

from symopt.syntax import tree

# Precedence levels, loosest first; an expression is bracketed where a tighter one must stand.
_CONDITIONAL, _OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _UNARY, _POWER, _PRIMARY = range(10)


def print_file(file: tree.File) -> str:
    """The whole file, one statement a line (a function's body takes several)."""
    return "".join(print_statement(statement) + "\n" for statement in file.statements)


def print_statement(statement: tree.Statement) -> str:
    """One statement, without a line end."""
    match statement:
        case tree.DimDeclaration(name, default, description):
            return f"dim {name}" + _default(default) + _description(description)
        case tree.DataDeclaration(name, shape, index_of, default, description, file):
            kind = "" if index_of is None else " in " + _print(index_of, _SUM)
            head = f"data {name}{_subscripts(shape)}{kind}"
            tail = "" if file is None else f' from "{file.text}"'
            return head + _default(default) + _description(description) + tail
        case tree.ParamDeclaration():
            return _param(statement)
        case tree.SampleDeclaration(dim):
            return f"sample {dim}"
        case tree.Definition():
            return _definition(statement)
        case tree.FunctionDefinition():
            return _function(statement)
        case tree.Import(path):
            return f'import "{path}"'
        case tree.FiniteExpectation():
            return "expect finite"
        case tree.Expectation(condition, tolerance):
            within = "" if tolerance is None else f" within {_print(tolerance, _SUM)}"
            return f"expect {_print(condition, _COMPARE)}{within}"
        case tree.Unread():
            return "# a statement that could not be read"
        case tree.Objective(sense, value):
            return f"{sense} {print_expression(value)}"
        case _:
            assert_never(statement)


def print_expression(expression: tree.Expression | tree.Slice | tree.Generator) -> str:
    """One expression, a slice `a:b`, or a generator `body for i`."""
    match expression:
        case tree.Slice(start, stop):
            return f"{_optional(start)}:{_optional(stop)}"
        case tree.Generator(body, clauses, filters):
            return print_expression(body) + _loops(clauses, filters)
        case _:
            return _print(expression, _CONDITIONAL)


# ── statements ───────────────────────────────────────────────────────────────────────────────


def _param(param: tree.ParamDeclaration) -> str:
    text = f"param {param.name}{_subscripts(param.shape)}"
    text += _bounds(param.lower, param.upper)
    if param.packing is not None:
        text += f" as {param.packing}"
    if param.init is not None:
        text += " init " + _print(param.init, _SUM)
    return text + _description(param.description)


def _bounds(lower: tree.Bound | None, upper: tree.Bound | None) -> str:
    match lower, upper:
        case None, None:
            return ""
        case tree.Bound(low), None:
            return f" {'>' if lower.open else '>='} {_print(low, _SUM)}"
        case None, tree.Bound(high):
            return f" {'<' if upper.open else '<='} {_print(high, _SUM)}"
        case tree.Bound(low), tree.Bound(high):
            opening, closing = "(" if lower.open else "[", ")" if upper.open else "]"
            return f" in {opening}{_print(low, _SUM)}, {_print(high, _SUM)}{closing}"
    raise AssertionError((lower, upper))


def _definition(definition: tree.Definition) -> str:
    text = "" if definition.mark is None else definition.mark + " "
    text += definition.name
    if definition.subscripts is not None:
        text += _subscripts(definition.subscripts)
    text += " += " if definition.accumulate else " = "
    text += print_expression(definition.value) + _loops(definition.clauses, definition.filters)
    if definition.loss is not None:
        loss = definition.loss
        text += f" loss {loss.name}({_join(loss.arguments)})"
        text += " elementwise" if loss.elementwise else ""
    return text + _description(definition.description)


def _function(function: tree.FunctionDefinition) -> str:
    formals = ", ".join(a.name + _subscripts(a.shape or ()) for a in function.arguments)
    head = f"def {function.name}({formals})"
    value = print_expression(function.value)
    if not function.braces:
        return f"{head} = {value}"
    lines = [_definition(definition) for definition in function.body] + [f"return {value}"]
    return "\n".join([head + " {", *("    " + line for line in lines), "}"])


def _default(value: tree.Expression | None) -> str:
    return "" if value is None else " = " + print_expression(value)


def _description(text: str | None) -> str:
    return "" if text is None else f' "{text}"'


def _loops(clauses: tuple[tree.ForClause, ...], filters: tuple[tree.Expression, ...]) -> str:
    loops = "".join(_clause(clause) for clause in clauses)
    return loops + "".join(" if " + _print(condition, _OR) for condition in filters)


def _clause(clause: tree.ForClause) -> str:
    if clause.stop is None:
        return f" for {clause.index}"
    start = "" if clause.start is None else print_expression(clause.start) + ", "
    return f" for {clause.index} in range({start}{print_expression(clause.stop)})"


# ── expressions ──────────────────────────────────────────────────────────────────────────────


def _print(expression: tree.Expression, level: int) -> str:
    """The text of an expression where nothing looser than `level` may stand unbracketed."""
    own, text = _own_level(expression)
    return f"({text})" if own < level else text


def _own_level(expression: tree.Expression) -> tuple[int, str]:
    match expression:
        case tree.Number() | tree.Name() | tree.Call() | tree.Array():
            return _PRIMARY, _atom(expression)
        case tree.Subscript(base, subscripts):
            return _PRIMARY, _print(base, _PRIMARY) + _subscripts(subscripts)
        case tree.Transpose(operand):
            inner = _print(operand, _PRIMARY)
            # `2.T` would be read as the number `2.` with a stray T.
            return _PRIMARY, (f"({inner})" if isinstance(operand, tree.Number) else inner) + ".T"
        case tree.Power(base, exponent):
            return _POWER, f"{_print(base, _PRIMARY)}^{_print(exponent, _UNARY)}"
        case tree.Negate(operand):
            return _UNARY, "-" + _print(operand, _UNARY)
        case tree.Chain(first, rest):
            level = _SUM if rest[0][0] in ("+", "-") else _PRODUCT
            operands = (f" {sign} {_print(operand, level + 1)}" for sign, operand in rest)
            return level, _print(first, level + 1) + "".join(operands)
        case tree.Compare(operands, signs):
            first, *others = (_print(operand, _SUM) for operand in operands)
            pairs = zip(signs, others, strict=True)
            return _COMPARE, first + "".join(f" {sign} {other}" for sign, other in pairs)
        case tree.Not(operand):
            return _NOT, "not " + _print(operand, _NOT)
        case tree.Logical(operator, operands):
            level = _AND if operator == "and" else _OR
            return level, f" {operator} ".join(_print(o, level + 1) for o in operands)
        case tree.Conditional(condition, then, otherwise):
            text = f"{_print(then, _OR)} if {_print(condition, _OR)} else "
            return _CONDITIONAL, text + _print(otherwise, _CONDITIONAL)
        case _:
            assert_never(expression)


def _atom(expression: tree.Number | tree.Name | tree.Call | tree.Array) -> str:
    match expression:
        case tree.Number():
            return _number(expression)
        case tree.Name(name):
            return name
        case tree.Call(function, arguments, keywords):
            named = [f"{k.name}={print_expression(k.value)}" for k in keywords]
            return f"{function}({', '.join([*map(print_expression, arguments), *named])})"
        case tree.Array(elements):
            return f"[{_join(elements)}]"
        case _:
            assert_never(expression)


def _number(number: tree.Number) -> str:
    if math.isinf(number.value):
        return str(10**309) if number.integer else "1e999"
    return str(int(number.value)) if number.integer else repr(number.value)


def _subscripts(subscripts: tuple[tree.Expression | tree.Slice, ...]) -> str:
    return f"[{_join(subscripts)}]" if subscripts else ""


def _join(expressions: tuple[tree.Expression | tree.Slice, ...]) -> str:
    return ", ".join(map(print_expression, expressions))


def _optional(expression: tree.Expression | None) -> str:
    return "" if expression is None else print_expression(expression)
