"""Writes docs/reference/methods.md from the records of all methods: `make docs`."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from symopt.optim import METHODS, Method
from symopt.optim.errors import CAPABILITIES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "methods.md"

_HEAD = """# Methods

Made by `make docs` from the records and settings of the methods themselves; a test fails when this
page is behind them. [Choosing an optimizer](../choosing-an-optimizer.md) says what suits what.

Every method minimizes any model, and plain Python functions that provide what it needs. *Batches*
are for methods that take 32 samples a step by default where a problem has more; any other method
takes them when `batch_size` or `stream` is given. Methods that do not keep to *bounds* refuse a
problem that has some. Names are found in any case, and with `_` for `-`.
"""


def page() -> str:
    """The whole page."""
    families = dict.fromkeys(method.family for method in METHODS)
    parts = [_HEAD, _table()]
    for family in families:
        parts.append(f"## {family[0].upper()}{family[1:]}\n")
        parts += [_section(method) for method in METHODS if method.family == family]
    return "\n".join(parts)


def _table() -> str:
    head = ("method", "family", "order", "needs", "random", "batches", "bounds")
    rows = [
        (
            f"[`{m.name}`](#{m.name})",
            m.family,
            str(m.order),
            _needs(m),
            _yes(m.stochastic),
            _yes(m.batches),
            _yes(m.bounds),
        )
        for m in METHODS
    ]
    return _rows(head, rows)


def _section(method: Method) -> str:
    also = ", ".join(f"`{alias}`" for alias in method.aliases)
    text = inspect.cleandoc(method.optimizer.__doc__ or "")
    preset = "".join(f" It is `{name}={value!r}`." for name, value in method.preset)
    settings, hints = method.settings({}), get_type_hints(method.optimizer)
    options = [
        (f"`{field.name}`", f"`{_type(hints[field.name])}`", f"`{getattr(settings, field.name)!r}`")
        for field in fields(method.optimizer)
    ]
    table = _rows(("option", "type", "default"), options) if options else "No options.\n"
    names = f"\nAlso called {also}.\n" if also else ""
    limit = f"At most {method.optimizer.max_iter:,} steps unless `max_iter` says otherwise."
    return (
        f"### {method.name}\n{names}\n{text}{preset}\n\n{table}\n{limit}\n\n"
        f"Source: {method.source}.\n"
    )


def _type(hint: Any) -> str:
    """A type as users write it: without modules, and choices as their values."""
    if get_origin(hint) is Literal:
        return " | ".join(map(repr, get_args(hint)))
    if isinstance(hint, type) and not get_args(hint):
        return hint.__name__
    return re.sub(r"\b[a-z_]+(\.[a-z_]+)*\.(?=[A-Z])", "", str(hint)).replace("NoneType", "None")


def _needs(method: Method) -> str:
    return ", ".join(text for flag, text in CAPABILITIES.items() if flag in method.needs)


def _yes(value: bool) -> str:
    return "yes" if value else ""


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    escaped = (tuple(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
