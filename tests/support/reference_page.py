"""Writes docs/reference/functions.md from the records of all functions: `make docs`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import sympy
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from symopt.primitives import activation, elementary, operators, special
from symopt.primitives.record import Elementwise
from symopt.primitives.robust import ROBUST_LOSSES
from symopt.typed.reductions import REDUCTIONS
from symopt.typed.vectors import VECTOR_FUNCTIONS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "functions.md"
_MODULES: dict[str, ModuleType] = {
    "Elementary functions": elementary,
    "Special functions": special,
    "Links and activations": activation,
}

_HEAD = """# Functions

Made by `make docs` from the records that the compiler itself uses; a test fails when this page is
behind them.

Elementwise functions take numbers or arrays, which are broadcast as in NumPy. Each is tested
against mpmath at hundreds of bits, on the range given: the value to a few units in the last place,
and its first three derivatives. Derivatives of every order follow from the first, written here in
functions of this page and some that have no other use (`gaussian`, `polygamma`).

`max(a, b, ...)` and `min(a, b, ...)` of several arguments are elementwise too; the derivative goes
to the first winner.
"""

_LOSSES = """Functions of a residual `r` and a scale `k`, all close to r^2/2 near 0. Behind a
residual, `loss huber(k)` is twice that, so that it tends to the plain sum of squares; there the
scale is 1 if left out.
"""

_REDUCTIONS = """Over all of an array (`sum(A)`), along one axis (`sum(A, axis=0)`; negative ones
count from the end), or over indices (`sum(A[i, j] for i, j if i < j)`).
"""


class _Printer(StrPrinter):
    """Expressions in primitives, as the language writes them."""

    def _print_Primitive(self, node: Any) -> str:
        record, arguments = node.record, node.args
        if record is operators.select:
            condition, first, second = map(self._print, arguments)
            return f"({first} if {condition} else {second})"
        sign = "*" if record is operators.smul else record.infix
        if sign is None:
            return f"{record.name}({', '.join(map(self._print, arguments))})"
        left, right = (self.parenthesize(part, PRECEDENCE["Pow"]) for part in arguments)
        return f"({left}^{right})" if sign == "^" else f"({left} {sign} {right})"


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    listed: set[str] = set()
    for title, module in _MODULES.items():
        records = [r for r in vars(module).values() if _is_public(r) and r.name not in listed]
        listed |= {record.name for record in records}
        parts.append(f"## {title}\n\n{_table(records)}")
    losses = [loss.residual for loss in ROBUST_LOSSES.values()]
    parts.append(f"## Robust losses\n\n{_LOSSES}\n{_table(losses)}")
    parts += [_reductions(), _vectors()]
    return "\n".join(parts)


def _is_public(value: object) -> bool:
    return isinstance(value, Elementwise) and value.public


def _table(records: Iterable[Elementwise]) -> str:
    head = "function", "meaning", "derivative", "defined for", "not smooth: derivative", "tested on"
    return _rows(head, [_row(record) for record in records])


def _row(record: Elementwise) -> tuple[str, ...]:
    names = record.arguments or ("x",)
    symbols = [sympy.Symbol(name, real=True) for name in names]
    partials = record.partials(*symbols)
    texts = [_unbracketed(_Printer().doprint(partial)) for partial in partials]
    if len(texts) > 1:
        slopes = "; ".join(f"by {name}: `{text}`" for name, text in zip(names, texts, strict=True))
    else:
        slopes = f"`{texts[0]}`"
    domain = " × ".join(f"[{low:g}, {high:g}]" for low, high in record.domain)
    call = f"`{record.name}({', '.join(names)})`"
    return call, record.summary, slopes, record.defined, record.kink, domain


def _unbracketed(text: str) -> str:
    """The text without a pair of brackets around all of it."""
    depth = 0
    for number, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if number == len(text) - 1 and text[0] == "(" else text
    return text


def _reductions() -> str:
    head = "function", "meaning", "derivative by an element x", "of nothing"
    rows = [(f"`{n}`", r.summary, r.derivative, r.empty) for n, r in REDUCTIONS.items()]
    return f"## Reductions\n\n{_REDUCTIONS}\n{_rows(head, rows)}"


def _vectors() -> str:
    head = "function", "meaning", "derivative"
    rows = [
        (f"`{name}({', '.join(function.arguments)})`", function.summary, function.derivative)
        for name, function in VECTOR_FUNCTIONS.items()
    ]
    return f"## Functions of vectors and matrices\n\n{_rows(head, rows)}"


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    escaped = (tuple(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
