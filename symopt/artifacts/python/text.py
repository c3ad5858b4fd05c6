"""Python literals as they are written: calls and tuples, an item to a line where they are long."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Call:
    """A call, or a tuple: items as they are written, with the names of arguments in front."""

    head: str
    items: tuple[tuple[str, Tree], ...]


Tree = str | Call


def call(head: str, /, **fields: Tree) -> Call:
    """A call with arguments by name."""
    return Call(head, tuple((f"{field}=", tree) for field, tree in fields.items()))


def several(items: Iterable[Tree]) -> Call:
    """A tuple."""
    return Call("", tuple(("", tree) for tree in items))


def written(tree: Tree, column: int, indent: int = 0) -> str:
    """The text: on one line from a column where it fits, else an item to a line."""
    line = flat(tree)
    if isinstance(tree, str) or column + len(line) < WIDTH:
        return line
    inner = indent + 4
    lines = [
        f"{' ' * inner}{label}{written(item, inner + len(label), inner)},"
        for label, item in tree.items
    ]
    return "\n".join([f"{tree.head}(", *lines, f"{' ' * indent})"])


def flat(tree: Tree) -> str:
    """The text on one line."""
    if isinstance(tree, str):
        return tree
    items = [f"{label}{flat(item)}" for label, item in tree.items]
    comma = "," if len(items) == 1 and not tree.head else ""
    return f"{tree.head}({', '.join(items)}{comma})"


def text(value: str | None) -> str:
    """A string, or None."""
    if value is None:
        return "None"
    quoted = json.dumps(value, ensure_ascii=False)
    if '"' in value and "'" not in value:
        return "'" + quoted[1:-1].replace('\\"', '"') + "'"
    return quoted


def texts(values: Iterable[str]) -> Call:
    """A tuple of strings."""
    return several(map(text, values))
