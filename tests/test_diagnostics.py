"""Rendering of diagnostics, and which exception they become."""

from __future__ import annotations

import pytest

from symopt.diagnostics import (
    Diagnostic,
    Kind,
    Label,
    ParseError,
    Report,
    Severity,
    ShapeError,
    failure,
    render,
)
from symopt.source import Source, Span

SOURCE = Source("line.sym", "data x[n]\n\tminimize sum(y)\n")
Y = Span(SOURCE, 24, 25)
X = Span(SOURCE, 5, 6)


def test_excerpt_is_underlined_under_its_tabs():
    diagnostic = Diagnostic(
        Kind.PARSE,
        "unknown-name",
        "`y` is not defined",
        (Label(Y, "used here"), Label(X, "near this")),
        notes=("a fact",),
        help="did you mean `x`?",
    )
    assert render([diagnostic]).splitlines() == [
        "line.sym:2:15: error: `y` is not defined",
        "    2 | \tminimize sum(y)",
        "      | \t             ^ used here",
        "    1 | data x[n]",
        "      |      - near this",
        "  note: a fact",
        "  help: did you mean `x`?",
    ]
    assert "\33[" in render([diagnostic], color=True)


def test_long_lines_and_control_characters_are_shown_safely():
    source = Source("long.sym", "a" * 500 + "\x1b[31m!" + "b" * 500)
    text = render([Diagnostic(Kind.PARSE, "bad", "bad", (Label(Span(source, 500, 501)),))])
    assert "\x1b" not in text
    assert all(len(line) < 200 for line in text.splitlines())


def test_the_class_is_that_of_the_first_mistake():
    shape = Diagnostic(Kind.SHAPE, "a", "a", (Label(X),))
    parse = Diagnostic(Kind.PARSE, "b", "b", (Label(Y),))
    error = failure([parse, shape])
    assert isinstance(error, ShapeError)
    assert error.diagnostics == (shape, parse)
    assert isinstance(failure([parse]), ParseError)


def test_a_report_keeps_each_mistake_once_and_warnings_apart():
    report = Report()
    wrong = Diagnostic(Kind.PARSE, "b", "b", (Label(Y),))
    odd = Diagnostic(Kind.PARSE, "c", "c", severity=Severity.WARNING)
    for diagnostic in (odd, wrong, wrong):
        report.add(diagnostic)
    assert report.errors == (wrong,)
    assert report.warnings == (odd,)
    with pytest.raises(ParseError):
        report.stop_if_errors()
