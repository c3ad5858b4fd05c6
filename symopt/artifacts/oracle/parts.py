"""The pieces of Python that generated files carry with them, and how expressions name them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

# Modules whose definitions can be copied, one by one; the first ones come first in a file.
_MODULES = ("runtime", "functions", "comparing")

# Records that are an operator of Python, which means the same for complex numbers.
INFIX: Mapping[str, str] = MappingProxyType({"divide": "/", "integer_power": "**"})
# Records whose name is taken in Python.
_RENAMED: Mapping[str, str] = MappingProxyType({"abs": "absolute"})
# Functions of NumPy that are right as they are.
PLAIN = frozenset({"exp", "sin", "cos", "sinh", "cosh"})


def text_name(record: str) -> str:
    """What the function of a record is called in `functions.py`."""
    return _RENAMED.get(record, record)


@cache
def part_names() -> tuple[str, ...]:
    """The names of all pieces, in the order of their files."""
    return tuple(_pieces())


def copied(names: Iterable[str]) -> str:
    """The source of some pieces and of all that these use, in order."""
    pieces, wanted, pending = _pieces(), set[str](), list(names)
    while pending:
        name = pending.pop()
        if name not in wanted:
            wanted.add(name)
            pending.extend(_used(pieces[name]))
    text, before = "", ""
    for name in pieces:
        if name in wanted:
            # Functions stand apart, names side by side.
            near = bool(before) and not pieces[name].startswith("def ") and before[:4] != "def "
            text += ("\n" if near else "\n\n\n") + pieces[name]
            before = pieces[name]
    return text.strip("\n")


def mentioned(text: str) -> tuple[str, ...]:
    """The pieces that a text of Python mentions, in order."""
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return tuple(name for name in _pieces() if name in names)


@cache
def _pieces() -> dict[str, str]:
    """The source of every function and name that the modules define."""
    found: dict[str, str] = {}
    for module in _MODULES:
        text = files("symopt.artifacts.oracle").joinpath(f"{module}.py").read_text(encoding="utf-8")
        lines = text.split("\n")
        for node in ast.parse(text).body:
            match node:
                case ast.FunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                    found[name] = _bare("\n".join(lines[node.lineno - 1 : node.end_lineno]))
                case _:
                    continue  # imports and docstrings
    return found


def _bare(source: str) -> str:
    """The source without annotations, which say little to who reads a test."""
    lines = [line.encode() for line in source.split("\n")]
    notes: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(returns=ast.expr() as note):
                notes.append(note)
            case ast.arg(annotation=ast.expr() as note) | ast.AnnAssign(annotation=note):
                notes.append(note)
            case _:
                continue
    for note in sorted(notes, key=lambda note: (note.lineno, note.col_offset), reverse=True):
        line = lines[note.lineno - 1]
        before = line[: note.col_offset].rstrip().removesuffix(b"->").removesuffix(b":").rstrip()
        after = line[note.end_col_offset :]
        if before.lstrip().startswith(b"def "):
            after = after.replace(b" = ", b"=", 1) if after.startswith(b" = ") else after
        lines[note.lineno - 1] = before + after
    return b"\n".join(lines).decode()


@cache
def _used(source: str) -> tuple[str, ...]:
    """The pieces that a piece mentions."""
    return mentioned(source)
