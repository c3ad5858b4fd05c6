"""Programs and closed expressions as LaTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import sympy
from sympy.printing.pretty.pretty_symbology import greek_letters

from symopt.derive.closed import Origins, axes, closed_value, symbol
from symopt.derive.functions import Task
from symopt.derive.indices import BAR
from symopt.typed.program import Definition, Program

_GREEK = frozenset(
    [
        "lambda",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
    ]
).union(greek_letters) - {"lamda", "omicron"}
_ESCAPED = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def expression_latex(expression: sympy.Expr) -> str:
    """An expression as LaTeX; names of several letters stand upright."""
    names = {node: name_latex(node.name) for node in expression.atoms(sympy.Symbol)}
    return sympy.latex(expression, symbol_names=names)


def name_latex(name: str) -> str:
    r"""`b1` as b_{1}, `sigma` as \sigma, `w_out` as w_{\mathrm{out}}, `ridge` as \mathrm{ridge}."""
    apart = unicodedata.normalize("NFD", name)
    if apart.endswith(BAR):
        return rf"\bar{{{name_latex(unicodedata.normalize('NFC', apart.removesuffix(BAR)))}}}"
    match = re.fullmatch(r"([^\W\d_]+)(?:_?(\d+)|_(\w+))?", name)
    stem, number, word = match.groups() if match else (name, None, None)
    stem = _spelled(stem)
    if stem not in _GREEK and (len(stem) > 1 or match is None):
        return rf"\mathrm{{{text_latex(name)}}}"
    head = f"\\{stem}" if stem in _GREEK else stem
    below = number or (word and rf"\mathrm{{{text_latex(word)}}}")
    return f"{head}_{{{below}}}" if below else head


def _spelled(letter: str) -> str:
    """A Greek letter by its name; anything else as it is."""
    if len(letter) != 1:
        return letter
    words = unicodedata.name(letter, "").replace("LAMDA", "LAMBDA").split()
    match words:
        case ["GREEK", "SMALL", "LETTER", name]:
            return name.lower()
        case ["GREEK", "CAPITAL", "LETTER", name]:
            return name.capitalize()
        case _:
            return letter


def text_latex(text: str) -> str:
    """Plain text with the characters that mean something to LaTeX escaped."""
    return "".join(_ESCAPED.get(character, character) for character in text)


def print_latex(program: Program, task: Task) -> str:
    """The definitions, the objective, and what the names mean, as rows of an `align*`."""
    origins = {definition.name: definition.origin for definition in program.definitions}
    written = {d.name: d for d in program.definitions if not d.auxiliary}
    written.pop(task.objective or "", None)
    rows = [_definition_row(task, definition, origins, written) for definition in written.values()]
    if task.objective is not None:
        value = closed_value(task, None, origins, keep=written)
        word = r"\max" if program.maximize else r"\min"
        unknowns = r",\, ".join(map(name_latex, task.params))
        rows.append(rf"{word}_{{{unknowns}}}\quad & {expression_latex(value)}")
    for described in (*program.data.values(), *program.params.values(), *written.values()):
        if described.description:
            name = expression_latex(symbol(task, described.name, origins))
            rows.append(rf"{name} &:\ \text{{{text_latex(described.description)}}}")
    return "\n".join([r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}"])


def _definition_row(
    task: Task, definition: Definition, origins: Origins, written: Iterable[str]
) -> str:
    """`z_{i} &= ..., \\quad i = 0, \\ldots, n - 1`."""
    name = definition.name
    value = closed_value(task, name, origins, keep=written)
    ranges = (
        rf"{expression_latex(index)} = {expression_latex(first)}, \ldots, {expression_latex(last)}"
        for index, first, last in axes(task, name, origins)
    )
    left, right = expression_latex(symbol(task, name, origins)), expression_latex(value)
    return r",\quad ".join([f"{left} &= {right}", *ranges])
