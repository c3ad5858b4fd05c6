"""Finds the grammar text, in an installed package and in a checkout."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

_NAME = "symopt.lark"


def grammar_text() -> str:
    """The text of `grammar/symopt.lark`."""
    packaged = files("symopt") / "grammar" / _NAME
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    # A wheel carries the grammar inside the package; an editable install leaves it beside it.
    checkout = Path(__file__).parents[2] / "grammar" / _NAME
    return checkout.read_text(encoding="utf-8")
