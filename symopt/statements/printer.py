"""Statements as text: deterministic, one per line, for people and for golden tests."""

from __future__ import annotations

import sympy
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from symopt.primitives.record import Constant, Primitive
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
    return _Printer({"order": "none"}).bare(expression)


class _Printer(StrPrinter):
    """SymPy's text, with our operators between their operands, in parentheses within others."""

    def bare(self, part: sympy.Basic) -> str:
        """The text where nothing around it can bind tighter."""
        if isinstance(part, Primitive) and part.record.infix and len(part.args) == 2:
            left, right = (
                self.parenthesize(operand, PRECEDENCE["Atom"], strict=True) for operand in part.args
            )
            return f"{left} {part.record.infix} {right}"
        if isinstance(part, Primitive):
            return f"{part.record.name}({', '.join(map(self.bare, part.args))})"
        return self._print(part)

    def _print_Primitive(self, part: Primitive) -> str:
        text = self.bare(part)
        return f"({text})" if part.record.infix and len(part.args) == 2 else text

    def parenthesize(self, item: sympy.Basic, level: int, strict: bool = False) -> str:
        """As SymPy does it, and around negative constants."""
        text = super().parenthesize(item, level, strict)
        return f"({text})" if text.startswith("-") and isinstance(item, Constant) else text
