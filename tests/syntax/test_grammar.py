"""The grammar: found in every kind of installation, and free of conflicts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lark import Lark
from lark.exceptions import GrammarError
from lark.lexer import Lexer

from symopt.syntax import grammar
from symopt.syntax.builder import TreeBuilder


class Unused(Lexer):
    def __init__(self, lexer_conf: object) -> None:
        pass

    def lex(self, lexer_state: object, parser_state: object) -> Iterator[object]:
        raise AssertionError


def build(text: str) -> Lark:
    return Lark(text, parser="lalr", lexer=Unused, start="statement", strict=True)


def test_grammar_has_no_conflicts() -> None:
    # In strict mode lark refuses shift/reduce conflicts; reduce/reduce it always refuses.
    assert build(grammar.grammar_text()).rules


def test_a_conflict_would_be_noticed() -> None:
    ambiguous = grammar.grammar_text().replace(
        "?sum: product (SIGN product)*", "?sum: product | sum SIGN sum"
    )
    with pytest.raises(GrammarError, match="conflict"):
        build(ambiguous)


def test_every_rule_has_a_builder_method() -> None:
    named = {rule.alias or rule.origin.name for rule in build(grammar.grammar_text()).rules}
    # Rules written with `?` that only pass their one child on never reach the builder.
    passing = {"statement", "initial", "expression", "unary", "primary", "argument", "subscript"}
    helpers = {name for name in named if name.startswith("_")}
    assert {name for name in named - passing - helpers if not hasattr(TreeBuilder, name)} == set()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place where the package seems to be installed."""
    package = tmp_path / "symopt"
    monkeypatch.setattr(grammar, "__file__", str(package / "syntax" / "grammar.py"))
    for folder in (package / "grammar", tmp_path / "grammar"):
        folder.mkdir(parents=True)
    (tmp_path / "grammar" / "symopt.lark").write_text("from a checkout", encoding="utf-8")
    return package


def test_packaged_grammar_comes_first(installed: Path) -> None:
    (installed / "grammar" / "symopt.lark").write_text("from a wheel", encoding="utf-8")
    assert grammar.grammar_text() == "from a wheel"


def test_checkout_grammar_is_found(installed: Path) -> None:
    assert grammar.grammar_text() == "from a checkout"
