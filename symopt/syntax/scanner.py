"""Cuts a text into statements, each a tuple of tokens, using the terminals of the grammar."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symopt.diagnostics import Diagnostic
from symopt.source import Source, Span
from symopt.syntax import errors

if TYPE_CHECKING:
    from lark.lexer import TerminalDef

NESTING_LIMIT = 100

_CLOSING = {"(": ")", "[": "]", "{": "}"}

# Where a bracket is never closed, the next statement is taken to begin at a line like these.
_FRESH_STATEMENT = re.compile(
    r"""^(?: (?:dim|data|param|sample|model|residual|report|def|minimize|maximize
              |expect)\b[ \t]+[\w(]
           | import\b[ \t]*"
           | [^\W\d]\w*[ \t]*(?:\[[^\]\n]*\])?[ \t]*\+?=(?!=)
        )""",
    re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A terminal of the grammar and its place; `type` is `$END` behind the last one."""

    type: str
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class ScannedStatement:
    """The tokens of one statement, or the mistake that kept it from being cut into tokens."""

    tokens: tuple[Token, ...]
    problem: Diagnostic | None

    @property
    def start(self) -> Span:
        """Where it begins, as far as it was read."""
        if self.tokens:
            return self.tokens[0].span
        assert self.problem is not None
        return self.problem.labels[0].span


@dataclass(frozen=True, slots=True)
class _Bracket:
    text: str
    span: Span
    interval: bool  # follows `in`, so that it may be closed as `[a, b)`


class Scanner:
    """Regular expressions made from the grammar's terminals, once."""

    def __init__(self, terminals: Iterable[TerminalDef], ignored: Iterable[str]) -> None:
        spelled = {t.name: t.pattern.value for t in terminals if t.pattern.type == "str"}
        words = {name: text for name, text in spelled.items() if text.isidentifier()}
        self.keywords = {text: name for name, text in words.items()}
        self.reserved = frozenset(t.name for t in terminals if t.name in words and t.priority > 0)
        self._ignored = frozenset(ignored)
        patterns = [t for t in terminals if t.name not in words]
        patterns.sort(key=lambda t: (-t.priority, -t.pattern.max_width, t.name))
        alternatives = "|".join(f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in patterns)
        self._pattern = re.compile(alternatives)

    def scan(self, source: Source) -> Iterator[ScannedStatement]:
        """The statements of a text, in order; empty lines and comments are none."""
        position = 0
        while position < len(source.text):
            cutter = _Cutter(source)
            position = self._cut(cutter, position)
            if cutter.tokens or cutter.problem:
                yield ScannedStatement(tuple(cutter.tokens), cutter.problem)

    def _cut(self, cutter: _Cutter, position: int) -> int:
        """Fill the cutter with one statement from `position` on; where the next one begins."""
        text = cutter.source.text
        match_at, ignored = self._pattern.match, self._ignored
        while position < len(text):
            match = match_at(text, position)
            if match is None:
                if cutter.problem is None:
                    cutter.problem = errors.unexpected_character(cutter.source, position)
                position += 1
                continue
            kind, end = match.lastgroup or "", match.end()
            if kind == "_NEWLINE":
                if not cutter.open:
                    return end
                cutter.add_newline(position)
            elif kind not in ignored:
                cutter.add(kind, match.group(), position, end)
            position = end
        return cutter.resume_after_open_bracket() if cutter.open else position


class _Cutter:
    """One statement while it is being cut: its tokens, open brackets and first mistake.

    Once there is a mistake only the brackets are followed, to find where the statement ends:
    later mistakes are mostly caused by the first.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens: list[Token] = []
        self.open: list[_Bracket] = []
        self.problem: Diagnostic | None = None

    def add(self, kind: str, text: str, start: int, end: int) -> None:
        span = Span(self.source, start, end)
        if text in _CLOSING:
            self._open(text, span)
        elif text in _CLOSING.values():
            self._close(text, span)
        if self.problem is None:
            self.problem = self._misspelling(kind, text, start, end)
            self.tokens.append(Token(kind, text, span))

    def add_newline(self, position: int) -> None:
        """A line end inside brackets counts only between the statements of a body."""
        in_body = self.problem is None and self.open[-1].text == "{"
        if in_body and self.tokens[-1].text not in ("{", "\n"):
            span = Span(self.source, position, position + 1)
            self.tokens.append(Token("_NEWLINE", "\n", span))

    def resume_after_open_bracket(self) -> int:
        """Report a bracket left open at the end; a guess at where the next statement begins."""
        outermost = self.open[0].span
        fresh = _FRESH_STATEMENT.search(self.source.text, outermost.end)
        resume = fresh.start() if fresh else len(self.source.text)
        if self.problem is None or self.problem.labels[0].span.start >= resume:
            culprits = [bracket.span for bracket in self.open if bracket.span.start < resume]
            self.problem = errors.unclosed_bracket(culprits[-1], None)
        return resume

    def _misspelling(self, kind: str, text: str, start: int, end: int) -> Diagnostic | None:
        if kind == "NUMBER" and _continues_number(self.source.text, end):
            return errors.malformed_number(self.source, start)
        if kind == "NAME" and not text.isascii() and not text.isidentifier():
            # `\w` also matches digits such as a superscript two, which no name may hold.
            bad = next(i for i in range(len(text)) if not text[: i + 1].isidentifier())
            return errors.unexpected_character(self.source, start + bad)
        return None

    def _open(self, text: str, span: Span) -> None:
        interval = bool(self.tokens) and self.tokens[-1].text == "in" and text != "{"
        self.open.append(_Bracket(text, span, interval))
        if len(self.open) > NESTING_LIMIT and self.problem is None:
            self.problem = errors.nesting_too_deep(span, NESTING_LIMIT)

    def _close(self, text: str, span: Span) -> None:
        if text == "}" and self.tokens and self.tokens[-1].type == "_NEWLINE":
            self.tokens.pop()
        if not self.open:
            self.problem = self.problem or errors.unmatched_bracket(span)
            return
        bracket = self.open.pop()
        half_open = bracket.interval and text != "}"  # `[0, 1)` is an interval
        if _CLOSING[bracket.text] == text or half_open:
            return
        if self.problem is None:
            self.problem = errors.unclosed_bracket(bracket.span, span)
        # Close the nearest bracket of this kind, or take the sign for a slip of the last one.
        for index in range(len(self.open) - 1, max(-1, len(self.open) - NESTING_LIMIT), -1):
            if _CLOSING[self.open[index].text] == text:
                del self.open[index:]
                break


def _continues_number(text: str, end: int) -> bool:
    following = text[end : end + 1]
    return following.isalnum() or following in {"_", "."}
