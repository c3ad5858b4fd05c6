"""Statements as text: deterministic, one per line, for people and for golden tests."""

from __future__ import annotations

import sympy
from sympy.printing.str import StrPrinter

from symopt.primitives.record import Primitive
from symopt.statements.program import Program, Statement, Tensor


def print_program(program: Program) -> str:
    """All statements, with the shapes of what they compute, then the outputs."""
    lines: list[str] = []
    seen: set[str] = set()
    for statement in program.statements:
        if statement.target not in seen:
            seen.add(statement.target)
            lines.append(print_tensor(program.tensors[statement.target]))
        lines.append("  " + print_statement(statement))
    if program.outputs:
        lines.append("outputs: " + ", ".join(program.outputs))
    return "\n".join(lines)


def print_tensor(tensor: Tensor) -> str:
    return f"{tensor.name}: ({', '.join(map(str, tensor.shape))})"


def print_statement(statement: Statement) -> str:
    """`z[i] sum= X[i, j]*w[j] for i in range(n), j in range(d)`."""
    place = f"[{', '.join(map(str, statement.map))}]" if statement.map else ""
    operator = "=" if statement.reduction == "=" else f"{statement.reduction}="
    text = f"{statement.target}{place} {operator} {print_expression(statement.expression)}"
    if statement.loops:
        text += " for " + ", ".join(map(str, statement.loops))
    return text


def print_expression(expression: sympy.Expr) -> str:
    """An expression with the operators of the language."""
    return _Printer({"order": "none"}).doprint(expression)


class _Printer(StrPrinter):
    """SymPy's text, with our operators written as operators."""

    def emptyPrinter(self, expr: object) -> str:  # noqa: N802
        if isinstance(expr, Primitive):
            if expr.record.infix and len(expr.args) == 2:
                left, right = (self._operand(part) for part in expr.args)
                return f"{left} {expr.record.infix} {right}"
            return f"{expr.record.name}({', '.join(self._print(part) for part in expr.args)})"
        return super().emptyPrinter(expr)

    def _operand(self, part: sympy.Basic) -> str:
        text = self._print(part)
        plain = part.is_Symbol or part.is_Atom or (isinstance(part, Primitive) and not part.record.infix)
        return text if plain and not text.startswith("-") else f"({text})"
