"""The stored parse tables: those of the grammar as it is, and with the same effect."""

from __future__ import annotations

import json

import lark
import pytest

from symopt.syntax import tables
from symopt.syntax.grammar import grammar_path, grammar_text

STORED = grammar_path().with_name("symopt.tables.json")


class Unused(lark.lexer.Lexer):
    def __init__(self, lexer_conf: object) -> None:
        pass

    def lex(self, lexer_state: object, parser_state: object):
        raise AssertionError("the parser is fed by hand")


def test_they_are_of_this_grammar():
    made_of = json.loads(STORED.read_text())["made_of"]
    assert made_of["grammar"] == tables.digest(grammar_text()), "run `make grammar`"


def test_a_changed_grammar_is_built_anew(monkeypatch):
    built: list[str] = []
    monkeypatch.setattr(tables, "_built", lambda grammar, lexer: built.append(grammar))
    changed = grammar_text() + "\n// changed\n"
    tables.parser_of(changed, Unused)
    assert built == [changed]


def test_they_parse_as_the_grammar_does():
    if json.loads(STORED.read_text())["made_of"]["lark"] != lark.__version__:
        pytest.skip("made with another lark: the parser is built from the grammar")
    stored = tables._stored(grammar_text())
    assert stored is not None
    loaded, built = tables._loaded(stored, Unused), tables._built(grammar_text(), Unused)
    terminals = [
        {t.name: (t.pattern.to_regexp(), t.priority) for t in parser.lexer_conf.terminals}
        for parser in (loaded, built)
    ]
    assert terminals[0] == terminals[1]
    assert set(loaded.lexer_conf.ignore) == set(built.lexer_conf.ignore)
    assert set(map(str, loaded.rules)) == set(map(str, built.rules))
    assert loaded.parse_interactive().accepts() == built.parse_interactive().accepts()
