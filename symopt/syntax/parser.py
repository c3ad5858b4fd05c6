"""Text to syntax tree, reporting every statement that cannot be read."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symopt.diagnostics import Diagnostic, failure
from symopt.source import Source, Span
from symopt.syntax import errors, slips, tree
from symopt.syntax.grammar import grammar_text
from symopt.syntax.scanner import NESTING_LIMIT, ScannedStatement, Scanner, Token
from symopt.syntax.tables import parser_of

if TYPE_CHECKING:
    from lark import Lark

_MOST_ERRORS = 20


def read_source(path: str | os.PathLike[str], name: str | None = None) -> Source:
    """The text of a file; a byte order mark is dropped, anything but UTF-8 is an error.

    `name` is what diagnostics print, the path if not given.
    """
    content = Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)
    file, name = os.fspath(path), name or os.fspath(path)
    try:
        return Source(name, content.decode("utf-8"), file)
    except UnicodeDecodeError as error:
        source = Source(name, content.decode("utf-8", "replace"), file)
        position = len(content[: error.start].decode("utf-8"))
        byte = content[error.start]
        raise failure([errors.not_utf8(source, position, byte, error.start)]) from None


def parse(source: Source) -> tree.File:
    """The syntax tree of a text, or a ParseError with all its independent syntax errors."""
    file, mistakes = parse_what_can_be(source)
    if mistakes:
        raise failure(mistakes)
    return file


def parse_what_can_be(source: Source) -> tuple[tree.File, tuple[Diagnostic, ...]]:
    """The tree, with `Unread` for statements that cannot be read, and what is wrong with these.

    Raises ParseError for what is no text, or has too many mistakes to go on.
    """
    if (nul := source.text.find("\0")) >= 0:
        raise failure([errors.not_text(source, nul)])
    language = _language()
    statements: list[tree.Statement] = []
    mistakes: list[Diagnostic] = []
    bad_column: int | None = None  # where the last bad statement began
    for scanned in language.scanner.scan(source):
        column = scanned.start.column
        # What stands indented below a bad line belongs to it, and fails because of it.
        belongs_to_bad = bad_column is not None and column > bad_column
        if not belongs_to_bad:
            bad_column = None
        try:
            statements.extend(_parse_statement(language, scanned))
        except errors.Rejection as rejection:
            statements.append(_unread(scanned))
            if belongs_to_bad:
                continue
            bad_column = column
            if len(mistakes) == _MOST_ERRORS:
                raise failure(
                    [*mistakes, errors.too_many_errors(scanned.start, _MOST_ERRORS)]
                ) from None
            mistakes.append(rejection.diagnostic)
    return tree.File(tuple(statements), source), tuple(mistakes)


def _unread(scanned: ScannedStatement) -> tree.Unread:
    """The statement by its names: those of its tokens, and of its first line in any case."""
    start = scanned.start
    words = [token.text for token in scanned.tokens]
    words += re.findall(r"\w+", start.source.line(start.line))
    return tree.Unread(frozenset(word for word in words if word.isidentifier()), start)


@dataclass(frozen=True, slots=True)
class _Language:
    lark: Lark
    scanner: Scanner

    def new_parser(self) -> Any:
        """lark's InteractiveParser, untyped: it is fed our tokens, which hold their span."""
        return self.lark.parse_interactive()


@cache
def _language() -> _Language:
    """The parser and the scanner of the grammar."""
    # Imported here: most of a process's life is spent without parsing anything.
    from lark.lexer import Lexer

    class Unused(Lexer):
        """Tokens come from our scanner; lark's own lexers cost more to build than its tables."""

        def __init__(self, lexer_conf: object) -> None:
            pass

        def lex(self, lexer_state: object, parser_state: object) -> Iterator[Any]:
            raise AssertionError("the parser is fed by hand")

    lark = parser_of(grammar_text(), Unused)
    return _Language(lark, Scanner(lark.lexer_conf.terminals, list(lark.lexer_conf.ignore)))


def _parse_statement(language: _Language, scanned: ScannedStatement) -> tuple[tree.Statement, ...]:
    """The nodes of one statement: a declaration has one for each name of its list."""
    from lark.exceptions import UnexpectedToken

    if scanned.problem is not None:
        raise errors.Rejection(scanned.problem)
    tokens = scanned.tokens
    for token in tokens:
        if token.text in slips.RESERVED:
            raise errors.Rejection(slips.reserved_word(token))
    last = tokens[-1].span
    end = Token("$END", "", Span(last.source, last.end, last.end))
    parser = language.new_parser()
    read: list[Token] = []
    parsed: Any = None
    for token in (*tokens, end):
        read.append(_classified(token, parser.choices(), language.scanner))
        try:
            parsed = parser.feed_token(read[-1])
        except UnexpectedToken:
            stop = _stop(language, (*read, *tokens[len(read) :], end), len(read) - 1)
            raise errors.Rejection(slips.explain(stop)) from None
    statements = parsed if isinstance(parsed, tuple) else (parsed,)
    if len(tokens) > NESTING_LIMIT:
        _check_nesting(statements)
    return statements


def _classified(token: Token, choices: Container[str], scanner: Scanner) -> Token:
    """The token, as a keyword where the grammar admits that keyword here."""
    keyword = scanner.keywords.get(token.text)
    if keyword is None or not (keyword in choices or keyword in scanner.reserved):
        return token
    return Token(keyword, token.text, token.span)


def _stop(language: _Language, tokens: tuple[Token, ...], index: int) -> slips.Stop:
    """What the parser would have accepted at `index`.

    The parser that failed may already have reduced on the strength of the bad token, which
    narrows its choices; a fresh one, fed up to that place, has not.
    """
    parser = language.new_parser()
    for token in tokens[:index]:
        parser.feed_token(token)
    accepted = frozenset(parser.accepts())
    words = language.scanner.keywords.items()
    keywords = frozenset(text for text, name in words if name in accepted)
    return slips.Stop(tokens, index, accepted, keywords, language.scanner.reserved)


def _check_nesting(statements: tuple[tree.Statement, ...]) -> None:
    """Refuse expressions too deep for the stages behind, which may recurse."""
    pending: list[tuple[Any, int]] = [(statement, 0) for statement in statements]
    while pending:
        node, depth = pending.pop()
        if isinstance(node, tuple):
            pending.extend((item, depth) for item in node)
        elif not isinstance(node, str | int | float | Span | None):
            if depth > NESTING_LIMIT:
                raise errors.Rejection(errors.nesting_too_deep(node.span, NESTING_LIMIT))
            pending.extend((getattr(node, name), depth + 1) for name in node.__slots__)
