"""Parse tables made beforehand: building them from the grammar takes longer than all parsing.

They lie beside the grammar, written by `make grammar`, and name the grammar and the lark they were
made of. With any other, the parser is built from the grammar, to the same effect.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from symopt.syntax.builder import TreeBuilder
from symopt.syntax.grammar import grammar_path

if TYPE_CHECKING:
    from lark import Lark

_NAME = "symopt.tables.json"


def parser_of(grammar: str, lexer: type) -> Lark:
    """The LALR(1) parser of a grammar, by its stored tables where these are its own."""
    stored = _stored(grammar)
    return _built(grammar, lexer) if stored is None else _loaded(stored, lexer)


def _built(grammar: str, lexer: type | str) -> Lark:
    from lark import Lark

    return Lark(
        grammar,
        parser="lalr",
        lexer=lexer,  # pyright: ignore[reportArgumentType]: typed as a name; a class is documented
        start="statement",
        transformer=None if isinstance(lexer, str) else TreeBuilder(),
        keep_all_tokens=True,
        maybe_placeholders=False,
    )


def _loaded(stored: dict[str, Any], lexer: type) -> Lark:
    """A parser of tables, as lark's own stand-alone parsers are made."""
    from lark import Lark

    data = stored["data"]
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = lexer
    load: Callable[..., Lark] = Lark._load_from_dict
    return load(data, stored["memo"], transformer=TreeBuilder())


def _stored(grammar: str) -> dict[str, Any] | None:
    import lark

    path = grammar_path().with_name(_NAME)
    if not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"), object_hook=_with_numbers)
    made_of = {"grammar": digest(grammar), "lark": lark.__version__}
    return stored if stored["made_of"] == made_of else None


def _with_numbers(found: dict[str, Any]) -> dict[str | int, Any]:
    """Keys that were numbers: JSON has made text of them."""
    return {int(key) if key.isdigit() else key: value for key, value in found.items()}


def digest(grammar: str) -> str:
    """What tells one grammar from another."""
    return hashlib.sha256(grammar.encode()).hexdigest()


def write_tables() -> None:
    """Make the tables of the grammar as it is now."""
    import lark
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    grammar = grammar_path().read_text(encoding="utf-8")
    data, memo = _built(grammar, "basic").memo_serialize([TerminalDef, Rule])
    made_of = {"grammar": digest(grammar), "lark": lark.__version__}
    text = json.dumps({"made_of": made_of, "data": data, "memo": memo}, sort_keys=False)
    grammar_path().with_name(_NAME).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_tables()
