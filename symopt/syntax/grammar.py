"""Finds the grammar, in an installed package and in a checkout."""

from __future__ import annotations

from pathlib import Path

_NAME = "symopt.lark"


def grammar_path() -> Path:
    """Where the grammar is; its parse tables lie beside it."""
    package = Path(__file__).parents[1]
    packaged = package / "grammar" / _NAME
    # A wheel carries the grammar inside the package; an editable install leaves it beside it.
    return packaged if packaged.is_file() else package.parent / "grammar" / _NAME


def grammar_text() -> str:
    """The text of `grammar/symopt.lark`."""
    return grammar_path().read_text(encoding="utf-8")
