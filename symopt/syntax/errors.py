"""The diagnostics of the syntax stage: one constructor for each kind of mistake in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from symopt.diagnostics import Diagnostic, Kind, Label
from symopt.source import Source, Span


class Rejection(Exception):
    """Carries the diagnostic of a statement that the grammar admits and the language does not."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


def mistake(
    code: str,
    message: str,
    span: Span,
    found: str = "",
    help: str | None = None,
    notes: tuple[str, ...] = (),
) -> Diagnostic:
    """A syntax error at one place."""
    return Diagnostic(Kind.PARSE, code, message, (Label(span, found),), notes, help)


def quoted(text: str) -> str:
    """What was written, in backquotes, shortened where it is very long."""
    return f"`{text}`" if len(text) <= _LONGEST_QUOTE else f"`{text[:_LONGEST_QUOTE]}…`"


_LONGEST_QUOTE = 40


# ── whole files ──────────────────────────────────────────────────────────────────────────────


def not_utf8(source: Source, position: int, byte: int, offset: int) -> Diagnostic:
    return mistake(
        "not-utf8",
        f"this file is not UTF-8 text: byte 0x{byte:02X} at offset {offset}",
        Span(source, position, position + 1),
        help="a .sym file is plain text; save it in the UTF-8 encoding",
    )


def not_text(source: Source, position: int) -> Diagnostic:
    return mistake(
        "not-text",
        "this is not a text file: it holds a NUL character",
        Span(source, position, position + 1),
        help="a .sym file is plain UTF-8 text; is this the right file?",
    )


def too_many_errors(span: Span, limit: int) -> Diagnostic:
    return mistake(
        "too-many-errors",
        f"stopped after {limit} errors; the file was not read from here on",
        span,
    )


# ── characters and brackets ──────────────────────────────────────────────────────────────────

_CHARACTER_FIXES = {
    ";": "a statement ends with its line; write one statement a line, without `;`",
    "&": "write `and`",
    "|": "write `or`; absolute values are `abs(x)`",
    "!": "write `not`, or `!=` for unequal",
    "'": 'texts are written in double quotes, "like this"; a transposed matrix is `A.T`',
    "`": 'texts are written in double quotes, "like this"',
    "“": 'texts are written in straight quotes, "like this"',
    "”": 'texts are written in straight quotes, "like this"',
    "‘": 'texts are written in straight double quotes, "like this"',
    "’": "a transposed matrix is `A.T`",
    "~": "a distribution is a term of the objective, such as `-normal_logpdf(x, mu, sigma)`",
    "\\": "to continue a statement on the next line, open a bracket",
    "$": "names are used without `$`",
    "?": "a choice is written `a if condition else b`",
    "×": "write `*`",
    "·": "write `*`",
    "⋅": "write `*`",
    "÷": "write `/`",
    "−": "this is not the minus sign of the keyboard; write `-`",
    "–": "this is a dash; write `-` for minus",
    "—": "this is a dash; write `-` for minus",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
    "∈": "write `in`",
    "√": "write `sqrt(x)`",
    "∑": "write `sum(x[i] for i)`",
    "∞": "write `inf`",
    "→": "a definition is written with `=`",
    "←": "a definition is written with `=`",
}


def unexpected_character(source: Source, position: int) -> Diagnostic:
    text = source.text
    character = text[position]
    span = Span(source, position, position + 1)
    if character == '"':
        end = text.find("\n", position)
        return mistake(
            "unclosed-text",
            "this text is never closed",
            Span(source, position, len(text) if end < 0 else end),
            help='end it with `"` on the same line',
        )
    if character == ".":
        return _unexpected_dot(source, position)
    if character * 2 in ("&&", "||") and text.startswith(character * 2, position):
        span = Span(source, position, position + 2)
        shown = character * 2
    else:
        shown = character if character.isprintable() else _code_point(character)
    return mistake(
        "unexpected-character",
        f"unexpected character `{shown}`",
        span,
        help=_CHARACTER_FIXES.get(character) or _plain_digit(character),
    )


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


def _plain_digit(character: str) -> str | None:
    """A fix for superscripts and subscripts, which look like powers and parts of names."""
    kind, _, digit = unicodedata.decomposition(character).partition(" ")
    if kind not in ("<super>", "<sub>"):
        return None
    plain = chr(int(digit.split()[0], 16))
    if kind == "<super>":
        return f"write `^{plain}` for a power"
    return f"write a plain digit: `x{plain}` or `x[{plain}]`"


def _unexpected_dot(source: Source, position: int) -> Diagnostic:
    written = re.compile(r"\.+\w*").match(source.text, position)
    assert written is not None
    span = Span(source, position, written.end())
    if span.text.startswith(".."):
        return mistake(
            "unexpected-character",
            f"found `{span.text[:2]}`, which has no meaning here",
            span,
            help="a range is written `for i in range(0, n)`; all of an axis is `:`",
        )
    fix = "functions are called by their name alone, such as `sum(x)` or `sqrt(x)`"
    if source.text[:position].rpartition("\n")[2].lstrip().startswith("import"):
        fix = 'a file is named in quotes: `import "camera.sym"`'
    elif re.search(r"\bfrom\s+[\w/-]*$", source.text[:position]):
        fix = 'a file is named in quotes: `data x[n] from "points.csv"`'
    message = f"found {quoted(span.text)}, but only `.T` (transposed) can follow a dot"
    return mistake("unexpected-character", message, span, "", fix)


def malformed_number(source: Source, start: int) -> Diagnostic:
    written = re.compile(r"[0-9.]+(?:[eE][+-]?[0-9]*)?[\w.]*").match(source.text, start)
    assert written is not None
    span = Span(source, start, written.end())
    message = f"{quoted(span.text)} is not a number"
    return mistake("malformed-number", message, span, help=_number_fix(span.text))


def _number_fix(text: str) -> str:
    if ".." in text:
        return "a range is written `for i in range(0, n)`"
    if re.fullmatch(r"[0-9.]+[eE][+-]?", text):
        return f"the exponent has no digits: write {quoted(text + '6')}, say"
    if re.fullmatch(r"[0-9]+(_[0-9]+)+", text):
        return f"write {quoted(text.replace('_', ''))}"
    if digit := _plain_digit(text[-1]):
        return digit
    product = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^\W\d]\w*)", text)
    if product and not re.match(r"_|0[xXbBoO]", text.lstrip("123456789")):
        return f"a product needs its sign: {quoted('*'.join(product.groups()))}"
    return "numbers are written `12`, `0.5` or `1.5e-3`"


def unclosed_bracket(opening: Span, closing: Span | None) -> Diagnostic:
    """A bracket without its partner; `closing` is the wrong one found in its place."""
    partner = {"(": ")", "[": "]", "{": "}"}[opening.text]
    labels = [Label(opening, "opened here")]
    if closing is not None:
        labels.append(Label(closing, f"expected `{partner}` before this"))
    return Diagnostic(
        Kind.PARSE,
        "unclosed-bracket",
        f"`{opening.text}` is never closed",
        tuple(labels),
        help=f"add `{partner}`",
    )


def unmatched_bracket(closing: Span) -> Diagnostic:
    return mistake(
        "unmatched-bracket",
        f"`{closing.text}` closes nothing: no bracket is open here",
        closing,
        help="remove it, or open a bracket before it",
    )


def nesting_too_deep(span: Span, limit: int) -> Diagnostic:
    return mistake(
        "nesting-too-deep",
        f"this expression is nested more than {limit} levels deep",
        span,
        help="give inner parts names of their own: `part = ...`",
    )


# ── found while the tree is built ────────────────────────────────────────────────────────────


def positional_after_keyword(argument: Span) -> Diagnostic:
    return mistake(
        "argument-order",
        "this argument comes after a named one",
        argument,
        help="named arguments such as `axis=0` come last",
    )


def malformed_range(written: Span) -> Diagnostic:
    return mistake(
        "malformed-range",
        "`range` takes a stop, or a start and a stop",
        written,
        help="write `range(n)` or `range(a, b)`; for every second index, use `x[2*i]`",
    )


# ── what the parser did not expect ───────────────────────────────────────────────────────────

_WORDS_FOR = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": 'a text in "quotes"',
    "$END": "the end of the statement",
    "_NEWLINE": "the end of the line",
    "COMMA": "`,`",
    "COLON": "`:`",
    "EQUAL": "`=`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "ORDER": "a bound such as `> 0`",
    "TRANSPOSE": "`.T`",
}
_OPERAND = {"NAME", "NUMBER", "LPAR", "SIGN", "NOT"}
_OPERATOR = {"SIGN", "TIMES", "POWER", "ORDER", "EQUALITY", "AND", "OR", "IF", "TRANSPOSE"}
_MOST_EXPECTED = 4
_DECLARATION = {"DIM", "DATA", "PARAM", "SAMPLE", "DEF", "IMPORT", "MODEL", "RESIDUAL", "REPORT"}


def unexpected_token(
    type: str, span: Span, accepted: Iterable[str], help: str | None = None
) -> Diagnostic:
    """What was found, and a short list of what would have been right."""
    found = _found(type, span.text)
    expected = _expected(set(accepted))
    return mistake("unexpected-token", f"found {found}, expected {expected}", span, "", help)


def _found(type: str, text: str) -> str:
    match type:
        case "$END" | "_NEWLINE":
            return _WORDS_FOR[type]
        case "NAME":
            return f"the name {quoted(text)}"
        case "NUMBER":
            return f"the number {quoted(text)}"
        case "STRING":
            return f"the text {quoted(text)}"
    return quoted(text)


def _expected(accepted: set[str]) -> str:
    words: list[str] = []
    if accepted >= _DECLARATION:
        return "a statement: a declaration, a definition `name = ...`, or `minimize ...`"
    if {"NUMBER", "LPAR"} <= accepted:
        words.append("an expression")
        accepted -= _OPERAND
    if "TIMES" in accepted:
        words.append("an operator")
        # A call or an index can follow a name as well, but is seldom what was forgotten.
        accepted -= _OPERATOR | {"LSQB", "LPAR"}
    punctuation = sorted(accepted & _WORDS_FOR.keys(), key=list(_WORDS_FOR).index)
    keywords = sorted(accepted - _WORDS_FOR.keys())
    words += [f"`{name.lower()}`" for name in keywords]
    words += [_WORDS_FOR[name] for name in punctuation]
    for dull in ("STRING", "LSQB", "COMMA", "$END"):
        if len(words) > _MOST_EXPECTED and _WORDS_FOR[dull] in words:
            words.remove(_WORDS_FOR[dull])
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
