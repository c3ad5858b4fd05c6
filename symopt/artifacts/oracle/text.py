"""Expressions and sizes of statements as text of Python."""

from __future__ import annotations

import builtins
import keyword
import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

import sympy

from symopt.artifacts.oracle.parts import INFIX, PLAIN, part_names, text_name
from symopt.primitives.record import Constant, Primitive
from symopt.primitives.robust import ROBUST_LOSSES
from symopt.statements.expression import operands
from symopt.types import (
    Atom,
    Clamp,
    Dim,
    Entry,
    Index,
    Integer,
    Quotient,
    Remainder,
    polynomial_text,
)

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)  # what binds tighter
_TAKEN = {
    *(
        "np",
        "math",
        "pytest",
        "module",
        "p",
        "cut",
        "data",
        "near",
        "kind",
        "stack",
        "rng",
        "value",
    ),
    *("loss", "defaults", "draw", *dir(builtins)),
}
AS_NUMBER = "1.0 * "  # before an integer
_COMPARISONS = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"})
_RHO = {loss.rho.name: loss.name for loss in ROBUST_LOSSES.values()}


@dataclass(slots=True)
class Names:
    """What tensors, dims and indices of a program are called in Python: each of them once."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=lambda: {*_TAKEN, *keyword.kwlist, *part_names()})

    def tensor(self, name: str) -> str:
        """The variable for a tensor or dim."""
        return self._of("tensor", name)

    def index(self, name: str) -> str:
        """The variable for a loop index, which may share its name with a tensor."""
        return self._of("index", name)

    def _of(self, what: str, name: str) -> str:
        if (what, name) not in self.known:
            text = "".join(c if c.isidentifier() or c.isdigit() else "_" for c in name)
            text = text.strip("_") if name[:1] == "~" else text
            text = text if text.isidentifier() else f"_{text}"
            text = unicodedata.normalize("NFKC", text)  # as Python reads it
            while text in self.taken:
                text += "_"
            self.taken.add(text)
            self.known[what, name] = text
        return self.known[what, name]


# ── integers ─────────────────────────────────────────────────────────────────────────────────────


def integer_text(value: Integer, names: Names, level: int = _SUM) -> str:
    """A size or an index as a Python expression, in parentheses where the level asks for them."""
    if not value.terms:
        return "0"
    text = polynomial_text(value, lambda item: _atom_text(item, names), " * ")
    (monomial, coefficient), *others = value.terms
    own = _ATOM if coefficient >= 0 and len(monomial) + (abs(coefficient) != 1) <= 1 else _PRODUCT
    own = _SUM if others else own
    return f"({text})" if own < level else text


def _atom_text(item: Atom, names: Names) -> str:
    match item:
        case Dim(name):
            return names.tensor(name)
        case Index(name):
            return names.index(name)
        case Entry(tensor, places):
            return element_text(tensor, places, names)
        case Quotient(a, b):
            return f"({integer_text(a, names, _ATOM)} // {integer_text(b, names, _ATOM)})"
        case Remainder(a, b):
            return f"({integer_text(a, names, _ATOM)} % {integer_text(b, names, _ATOM)})"
        case Clamp(value, extent):
            return f"clamp({integer_text(value, names)}, {integer_text(extent, names)})"
        case _:
            assert_never(item)


def element_text(tensor: str, places: Iterable[Integer], names: Names) -> str:
    """`X[i, j]`, or the name of a number."""
    inner = ", ".join(integer_text(place, names) for place in places)
    return f"{names.tensor(tensor)}[{inner}]" if inner else names.tensor(tensor)


def tuple_text(items: Iterable[str]) -> str:
    """Several texts as a tuple."""
    found = list(items)
    return f"({', '.join(found)}{',' if len(found) == 1 else ''})"


# ── expressions ──────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Expressions:
    """Makes text of expressions; `used` gains the functions that it mentions.

    The robust losses are numbered, so that each can be told from the others.
    """

    used: set[str]
    robust: int = 0

    def text(self, expression: sympy.Expr, symbols: Mapping[sympy.Expr, str]) -> str:
        """The expression in Python; `symbols` has the text of what it reads."""
        return self._of(expression, symbols)[0]

    def _of(self, node: sympy.Expr, symbols: Mapping[sympy.Expr, str]) -> tuple[str, int]:
        """The text of a node, and how tightly it binds."""

        def inside(part: sympy.Expr, level: int) -> str:
            text, own = self._of(part, symbols)
            return f"({text})" if own < level else text

        match node:
            case sympy.Symbol():
                text = symbols[node]
                return text, _PRODUCT if text.startswith(AS_NUMBER) else _ATOM
            case Constant():
                return number_text(node.value), _SIGN if _negative(node.value) else _ATOM
            case sympy.Integer():
                return f"{int(node)}.0", _SIGN if int(node) < 0 else _ATOM
            case sympy.Add():
                return self._sum(operands(node), inside), _SUM
            case sympy.Mul():
                return self._product(operands(node), inside), _PRODUCT
            case sympy.Pow():
                return f"{inside(operands(node)[0], _ATOM)}**{int(node.exp)}", _POWER
            case Primitive():
                return self._function(node, inside)
        raise AssertionError(f"{type(node).__name__} in a statement")

    def _sum(self, terms: tuple[sympy.Expr, ...], inside: Callable[..., str]) -> str:
        texts = [inside(term, _PRODUCT) for term in terms]
        texts.sort(key=lambda text: text.startswith("-"))  # stable: a difference begins with a plus
        joined = texts[0]
        for text in texts[1:]:
            joined += f" - {text[1:]}" if text.startswith("-") else f" + {text}"
        return joined

    def _product(self, factors: tuple[sympy.Expr, ...], inside: Callable[..., str]) -> str:
        sign = "-" if factors[0] is sympy.S.NegativeOne else ""
        rest = factors[1:] if sign else factors
        first, *others = rest
        texts = [inside(first, _PRODUCT if not sign else _SIGN + 1)]
        texts += [inside(factor, _SIGN + 1) for factor in others]
        return sign + " * ".join(texts)

    def _function(self, node: Primitive, inside: Callable[..., str]) -> tuple[str, int]:
        name, parts = node.record.name, operands(node)
        if name == "divide":
            return f"{inside(parts[0], _PRODUCT)} / {inside(parts[1], _SIGN + 1)}", _PRODUCT
        if name == "integer_power" and int(parts[1]) >= 0:
            return f"{inside(parts[0], _ATOM)}{INFIX[name]}{int(parts[1])}", _POWER
        if name in ("integer_power", "polygamma", "stumpff", "sinc_derivative"):
            whole = 1 if name == "integer_power" else 0
            arguments = [str(int(p)) if k == whole else inside(p, 0) for k, p in enumerate(parts)]
        else:
            arguments = [inside(part, 0) for part in parts]
        if name in _COMPARISONS:  # integers will do
            arguments = [argument.removeprefix(AS_NUMBER) for argument in arguments]
        if name in PLAIN:
            return f"np.{name}({', '.join(arguments)})", _ATOM
        if name in _RHO:
            return self._loss(_RHO[name], arguments), _ATOM
        self.used.add(text_name(name))
        return f"{text_name(name)}({', '.join(arguments)})", _ATOM

    def _loss(self, name: str, arguments: list[str]) -> str:
        forms = [f"{name}_{form}" for form in ("rho", "rho1", "rho2")]
        self.used.update(("robust", *forms))
        number, self.robust = self.robust, self.robust + 1
        return f"robust(({', '.join(forms)}), {', '.join(arguments)}, near, {number})"


def number_text(value: float) -> str:
    """A double, exactly."""
    if math.isfinite(value):
        return repr(value)
    return "np.nan" if math.isnan(value) else ("np.inf" if value > 0 else "-np.inf")


def _negative(value: float) -> bool:
    return math.copysign(1.0, value) < 0
