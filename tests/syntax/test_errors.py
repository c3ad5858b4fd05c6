"""Every bad program of tests/programs/bad_syntax gives exactly the text beside it."""

from pathlib import Path

import pytest

from symopt.diagnostics import Kind, ParseError, render
from symopt.source import Source
from symopt.syntax.parser import parse, read_source

BAD_PROGRAMS = sorted((Path(__file__).parents[1] / "programs" / "bad_syntax").glob("*.sym"))


def errors_of(source: Source) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(source)
    return caught.value


@pytest.mark.parametrize("program", BAD_PROGRAMS, ids=lambda path: path.stem)
def test_bad_program(program: Path) -> None:
    error = errors_of(Source(program.name, read_source(program).text))
    expected = program.with_suffix(".expected").read_text(encoding="utf-8")
    assert render(error.diagnostics) + "\n" == expected


def codes(text: str) -> list[str]:
    error = errors_of(Source("test.sym", text))
    assert {diagnostic.kind for diagnostic in error.diagnostics} == {Kind.PARSE}
    return [diagnostic.code for diagnostic in error.diagnostics]


def test_five_mistakes_are_five_reports() -> None:
    text = "data x[n] y[n]\nparm a\nparam b init 1e\nf = b)\nminimize f +"
    assert codes(text) == [
        "missing-comma-or-operator",
        "unknown-statement",
        "malformed-number",
        "unmatched-bracket",
        "continued-line",
    ]


def test_what_is_indented_below_a_bad_line_is_not_reported_again() -> None:
    text = "def f(x):\n    y = x\n    return y\nz ==\n"
    assert codes(text) == ["python-function", "wrong-sign"]


def test_an_open_bracket_does_not_swallow_the_next_statement() -> None:
    assert codes("z = sum(x[i]\n  for i\nparam w init\nz = 1\n") == [
        "unclosed-bracket",
        "unexpected-token",
    ]


def test_unclosed_bracket_points_at_the_opening_one() -> None:
    (diagnostic,) = errors_of(Source("test.sym", "z = f(a[i, 0)\n")).diagnostics
    assert [label.span.text for label in diagnostic.labels] == ["[", ")"]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("parm w", "did you mean `param`?"),
        ("maximise w", "did you mean `maximize`?"),
        ("param w intt 0", "did you mean `init`?"),
        ("z = 2w", "a product needs its sign: `2*w`"),
        ("z = w²", "write `^2` for a power"),
        ("z = a && b", "write `and`"),
    ],
)
def test_suggestion(text: str, help: str) -> None:
    (diagnostic,) = errors_of(Source("test.sym", text)).diagnostics
    assert diagnostic.help == help


def test_messages_stay_short_for_long_words() -> None:
    for text in ("z = " + "9" * 10_000 + "x", "z" * 10_000 + " x", "y = a " + "z" * 10_000):
        (diagnostic,) = errors_of(Source("test.sym", text)).diagnostics
        assert len(diagnostic.message) < 200
