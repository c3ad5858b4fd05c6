"""Parsing: the trees of all constructs, their places, files on disk, and hostile texts."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from symopt.diagnostics import ParseError
from symopt.source import Source, Span
from symopt.syntax import tree
from symopt.syntax.parser import parse, read_source

ANYWHERE = Span(Source("nowhere", ""), 0, 0)  # places do not take part in comparisons


def statements(text: str) -> tuple[tree.Statement, ...]:
    return parse(Source("test.sym", text)).statements


def statement(text: str) -> tree.Statement:
    (only,) = statements(text)
    return only


def expression(text: str) -> tree.Expression:
    objective = statement("minimize " + text)
    assert isinstance(objective, tree.Objective)
    return objective.value


def name(text: str) -> tree.Name:
    return tree.Name(text, ANYWHERE)


def number(value: float) -> tree.Number:
    return tree.Number(float(value), isinstance(value, int), ANYWHERE)


def chain(first: tree.Expression, *rest: object) -> tree.Chain:
    pairs = tuple(zip(rest[::2], rest[1::2], strict=True))
    return tree.Chain(first, pairs, ANYWHERE)  # type: ignore[arg-type]


def call(function: str, *arguments: tree.Expression | tree.Generator) -> tree.Call:
    return tree.Call(function, arguments, (), ANYWHERE, ANYWHERE)


def loop(index: str, start: tree.Expression | None, stop: tree.Expression | None) -> tree.ForClause:
    return tree.ForClause(index, start, stop, ANYWHERE)


def negate(operand: tree.Expression) -> tree.Negate:
    return tree.Negate(operand, ANYWHERE)


def power(base: tree.Expression, exponent: tree.Expression) -> tree.Power:
    return tree.Power(base, exponent, ANYWHERE)


def subscript(base: tree.Expression, *indices: tree.Expression | tree.Slice) -> tree.Subscript:
    return tree.Subscript(base, indices, ANYWHERE)


def compare(*parts: object) -> tree.Compare:
    return tree.Compare(parts[::2], parts[1::2], ANYWHERE)  # type: ignore[arg-type]


a, b, c, d, i, n = (name(letter) for letter in "abcdin")


# ── expressions ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b - c", chain(a, "+", b, "-", c)),
        ("a - (b - c)", chain(a, "-", chain(b, "-", c))),
        ("(a - b) - c", chain(chain(a, "-", b), "-", c)),
        ("a + b * c", chain(a, "+", chain(b, "*", c))),
        ("a * b / c // d % a @ b", chain(a, "*", b, "/", c, "//", d, "%", a, "@", b)),
        ("-a^2", negate(power(a, number(2)))),
        ("-a * b", chain(negate(a), "*", b)),
        ("a ^ -b", power(a, negate(b))),
        ("a^b**c", power(a, power(b, c))),
        ("+a", a),
        ("--a", negate(negate(a))),
        ("a^b[i]", power(a, subscript(b, i))),
        ("A.T @ b", chain(tree.Transpose(name("A"), ANYWHERE), "@", b)),
        ("0 <= i < n", compare(number(0), "<=", i, "<", n)),
        ("a + b == c * d", compare(chain(a, "+", b), "==", chain(c, "*", d))),
        ("a != b", compare(a, "!=", b)),
        ("not a == b", tree.Not(compare(a, "==", b), ANYWHERE)),
        (
            "a or not b and c",
            tree.Logical(
                "or",
                (a, tree.Logical("and", (tree.Not(b, ANYWHERE), c), ANYWHERE)),
                ANYWHERE,
            ),
        ),
        (
            "a if b else c if d else i",
            tree.Conditional(b, a, tree.Conditional(d, c, i, ANYWHERE), ANYWHERE),
        ),
        ("a[i, :]", subscript(a, i, tree.Slice(None, None, ANYWHERE))),
        ("a[0:3]", subscript(a, tree.Slice(number(0), number(3), ANYWHERE))),
        ("a[:n][i:]", subscript(
            subscript(a, tree.Slice(None, n, ANYWHERE)), tree.Slice(i, None, ANYWHERE)
        )),
        ("f()", call("f")),
        ("f(a, b,)", call("f", a, b)),
        (
            "f(a, axis=0)",
            tree.Call(
                "f", (a,), (tree.Keyword("axis", number(0), ANYWHERE),), ANYWHERE, ANYWHERE
            ),
        ),
        (
            "sum(a if b else c for i if d)",
            call(
                "sum",
                tree.Generator(
                    tree.Conditional(b, a, c, ANYWHERE), (loop("i", None, None),), (d,), ANYWHERE
                ),
            ),
        ),
    ],
)  # fmt: skip
def test_expression(text: str, expected: tree.Expression) -> None:
    assert expression(text) == expected


@pytest.mark.parametrize(
    ("text", "value", "integer"),
    [
        ("12", 12.0, True),
        ("0.5", 0.5, False),
        (".5", 0.5, False),
        ("5.", 5.0, False),
        ("1e-3", 1e-3, False),
        ("1.5E+2", 150.0, False),
        ("1e999", float("inf"), False),
        ("9" * 400, float("inf"), True),
        ("0.1000000000000000055511151231257827", 0.1, False),
    ],
)
def test_number(text: str, value: float, integer: bool) -> None:
    assert expression(text) == tree.Number(value, integer, ANYWHERE)


@pytest.mark.parametrize(
    ("text", "clauses", "filters"),
    [
        ("for i", [loop("i", None, None)], []),
        ("for i in 3", [loop("i", None, number(3))], []),
        ("for i in range(n)", [loop("i", None, n)], []),
        ("for i in range(a, b)", [loop("i", a, b)], []),
        ("for i, j", [loop("i", None, None), loop("j", None, None)], []),
        # Names before an `in` share its range, as in "for i, j in 1..n".
        ("for i, j in n", [loop("i", None, n), loop("j", None, n)], []),
        ("for i in n, j in d", [loop("i", None, n), loop("j", None, d)], []),
        ("for i in n, j", [loop("i", None, n), loop("j", None, None)], []),
        ("for i if a for j if b", [loop("i", None, None), loop("j", None, None)], [a, b]),
        ("for i in n if a if b", [loop("i", None, n)], [a, b]),
    ],
)
def test_loops(text: str, clauses: list[tree.ForClause], filters: list[tree.Expression]) -> None:
    definition = statement("z = c " + text)
    assert isinstance(definition, tree.Definition)
    assert (list(definition.clauses), list(definition.filters)) == (clauses, filters)
    assert expression(f"sum(c {text})") == call(
        "sum", tree.Generator(c, tuple(clauses), tuple(filters), ANYWHERE)
    )


# ── statements ───────────────────────────────────────────────────────────────────────────────


def definition(target: str, value: tree.Expression, **given: object) -> tree.Definition:
    fields: dict[str, object] = {
        **dict.fromkeys(("subscripts", "mark", "loss", "description")),
        **dict.fromkeys(("clauses", "filters"), ()),
        "accumulate": False,
        **given,
    }
    return tree.Definition(
        name=target,
        value=value,
        name_span=ANYWHERE,
        span=ANYWHERE,
        **fields,  # type: ignore[arg-type]
    )


def param(target: str, **given: object) -> tree.ParamDeclaration:
    fields: dict[str, object] = {
        **dict.fromkeys(("lower", "upper", "packing", "init", "description")),
        "shape": (),
        **given,
    }
    return tree.ParamDeclaration(
        name=target,
        name_span=ANYWHERE,
        span=ANYWHERE,
        **fields,  # type: ignore[arg-type]
    )


def bound(value: float, *, open: bool) -> tree.Bound:
    return tree.Bound(number(value), open, ANYWHERE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("param w", param("w")),
        ("param w[d] init 0", param("w", shape=(d,), init=number(0))),
        ("param w > 0", param("w", lower=bound(0, open=True))),
        ("param w >= 0", param("w", lower=bound(0, open=False))),
        ("param w < 0", param("w", upper=bound(0, open=True))),
        ("param w <= 0", param("w", upper=bound(0, open=False))),
        (
            "param w in (0, 1)",
            param("w", lower=bound(0, open=True), upper=bound(1, open=True)),
        ),
        (
            "param w in [0, 1)",
            param("w", lower=bound(0, open=False), upper=bound(1, open=True)),
        ),
        (
            "param w in (0, 1]",
            param("w", lower=bound(0, open=True), upper=bound(1, open=False)),
        ),
        (
            'param w > 0 as strict lower init 1 if n else 2 "a \\ \'b"',
            param(
                "w",
                lower=bound(0, open=True),
                packing="strict lower",
                init=tree.Conditional(n, number(1), number(2), ANYWHERE),
                description="a \\ 'b",
            ),
        ),
        ("param w as lower", param("w", packing="lower")),
        ("param w as symmetric", param("w", packing="symmetric")),
        (
            "param w init [1, [-1]]",
            param(
                "w",
                init=tree.Array(
                    (number(1), tree.Array((negate(number(1)),), ANYWHERE)), ANYWHERE
                ),
            ),
        ),
        ("sample n", tree.SampleDeclaration("n", ANYWHERE)),
        ('import "camera.sym"', tree.Import("camera.sym", ANYWHERE)),
        ("maximize a", tree.Objective("maximize", a, ANYWHERE)),
        ("z = a", definition("z", a)),
        ("z[i] += a", definition("z", a, subscripts=(i,), accumulate=True)),
        ("h[0, i] = a", definition("h", a, subscripts=(number(0), i))),
        ("g[c[i]] += a", definition("g", a, subscripts=(subscript(c, i),), accumulate=True)),
        ('model z = a "b"', definition("z", a, mark="model", description="b")),
        ("report z = a", definition("z", a, mark="report")),
        ("residual z = a", definition("z", a, mark="residual")),
        (
            'residual z = a for i if b loss huber(1) elementwise "c"',
            definition(
                "z",
                a,
                clauses=(loop("i", None, None),),
                filters=(b,),
                mark="residual",
                loss=tree.Loss("huber", (number(1),), True, ANYWHERE),
                description="c",
            ),
        ),
        (
            "def f(a, b[n]) = c",
            tree.FunctionDefinition(
                "f",
                (tree.Argument("a", None, ANYWHERE), tree.Argument("b", (n,), ANYWHERE)),
                (),
                c,
                False,
                ANYWHERE,
                ANYWHERE,
            ),
        ),
        ("def f() { return a }", tree.FunctionDefinition(
            "f", (), (), a, True, ANYWHERE, ANYWHERE
        )),
        (
            "def f(a) {\n\n  b = (a\n   + c)  # why\n\n  c[i] = b\n  return c\n\n}",
            tree.FunctionDefinition(
                "f",
                (tree.Argument("a", None, ANYWHERE),),
                (definition("b", chain(a, "+", c)), definition("c", b, subscripts=(i,))),
                c,
                True,
                ANYWHERE,
                ANYWHERE,
            ),
        ),
    ],
)  # fmt: skip
def test_statement(text: str, expected: tree.Statement) -> None:
    assert statement(text) == expected


def test_lists_are_one_node_each() -> None:
    assert statements("dim n, k = 10") == (
        tree.DimDeclaration("n", None, None, ANYWHERE, ANYWHERE),
        tree.DimDeclaration("k", number(10), None, ANYWHERE, ANYWHERE),
    )
    assert statements('data X[n, d] "x", s = 2.0, cam[a] in n') == (
        tree.DataDeclaration("X", (n, d), None, None, "x", None, ANYWHERE, ANYWHERE),
        tree.DataDeclaration("s", (), None, number(2.0), None, None, ANYWHERE, ANYWHERE),
        tree.DataDeclaration("cam", (a,), n, None, None, None, ANYWHERE, ANYWHERE),
    )
    assert statements("param w init 0, b") == (param("w", init=number(0)), param("b"))


def test_a_file_is_of_all_data_of_its_line() -> None:
    file = tree.DataFile("points.csv:a,b", ANYWHERE)
    assert statements('data x[n], y[n] "seen" from "points.csv:a,b"') == (
        tree.DataDeclaration("x", (n,), None, None, None, file, ANYWHERE, ANYWHERE),
        tree.DataDeclaration("y", (n,), None, None, "seen", file, ANYWHERE, ANYWHERE),
    )


def test_words_of_expectations_and_files_are_names_elsewhere() -> None:
    text = """
data from[n] = from from "from.csv"
within = finite + minimum + stderr
expect within == within within within
expect finite
"""
    (data, definition, expected, finite) = statements(text)
    assert isinstance(data, tree.DataDeclaration) and data.name == "from"
    assert data.default == tree.Name("from", ANYWHERE)
    assert isinstance(definition, tree.Definition)
    within = tree.Name("within", ANYWHERE)
    condition = tree.Compare((within, within), ("==",), ANYWHERE)
    assert expected == tree.Expectation(condition, within, ANYWHERE)
    assert finite == tree.FiniteExpectation(ANYWHERE)


def test_every_snippet_of_the_language_page() -> None:
    text = (Path(__file__).parent / "language_snippets.sym").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and line[0] not in "# }"]
    # Each line that begins at the margin is a statement; two of them declare two names each.
    assert len(statements(text)) == len(lines) + text.count("# two names")


def test_keywords_are_names_where_no_keyword_can_stand() -> None:
    words = "dim data param sample model residual report def init as loss lower elementwise return"
    for word in words.split():
        assert statement(f"data {word}[n]").name == word  # type: ignore[union-attr]
        assert expression(f"{word} + {word}[i]") == chain(name(word), "+", subscript(name(word), i))
    assert statement("loss = init").name == "loss"  # type: ignore[union-attr]


def test_unicode_names() -> None:
    assert expression("λ * σ_1") == chain(name("λ"), "*", name("σ_1"))
    # The micro sign and the Greek letter look the same and are the same name, as in Python.
    assert expression("\N{MICRO SIGN}") == name("\N{GREEK SMALL LETTER MU}")


# ── places ───────────────────────────────────────────────────────────────────────────────────


def test_places() -> None:
    text = "param w[d] > 0 init 1, b\nmodel z[i] = (a + b) * f(c)\n"
    first, second, model = statements(text)
    assert isinstance(first, tree.ParamDeclaration)
    assert isinstance(second, tree.ParamDeclaration)
    assert isinstance(model, tree.Definition)
    assert (first.span.text, first.name_span.text) == ("w[d] > 0 init 1", "w")
    assert first.lower is not None
    assert first.lower.span.text == "> 0"
    assert second.span.text == "b"
    assert (model.span.text, model.name_span.text) == ("model z[i] = (a + b) * f(c)", "z")
    assert isinstance(model.value, tree.Chain)
    assert model.value.span.text == "(a + b) * f(c)"
    assert model.value.first.span.text == "(a + b)"
    function = model.value.rest[0][1]
    assert isinstance(function, tree.Call)
    assert (function.span.text, function.function_span.text) == ("f(c)", "f")
    assert str(function.span) == "test.sym:2:24"


# ── files ────────────────────────────────────────────────────────────────────────────────────


def test_empty_files() -> None:
    assert statements("") == statements("\n\n  # only a comment") == ()


def test_windows_file(tmp_path: Path) -> None:
    path = tmp_path / "w.sym"
    path.write_bytes(b"\xef\xbb\xbfparam w\r\n\r\nminimize (w\r\n  ^2)\r\n")
    source = read_source(path)
    assert source.name == str(path)
    assert parse(source).statements == statements("param w\nminimize w^2")


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.sym"
    path.write_bytes("λ = 1\nσ = ä".encode() + b"\xe4\n")
    with pytest.raises(ParseError, match=r"latin.sym:2:6: .* byte 0xE4 at offset 14"):
        read_source(path)


def test_random_bytes_are_a_clear_error(tmp_path: Path) -> None:
    content = random.Random(0).randbytes(1_000_000)
    path = tmp_path / "random.sym"
    path.write_bytes(content)
    with pytest.raises(ParseError, match="not UTF-8"):
        read_source(path)
    with pytest.raises(ParseError, match="not a text file"):
        statements(content.decode("utf-8", "replace"))
    for text in (content.decode("utf-8", "replace"), content.decode("latin-1")):
        with pytest.raises(ParseError) as caught:
            statements(text.replace("\0", " "))
        assert len(caught.value.diagnostics) == 21
        assert caught.value.diagnostics[-1].code == "too-many-errors"


# ── hostile nesting ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "a" + ")" * 10_000,
        "(" * 10_000,
        "a[" * 10_000 + "0" + "]" * 10_000,
        "f(" * 10_000 + ")" * 10_000,
        "-" * 10_000 + "a",
        "not " * 10_000 + "a",
        "a" + "^a" * 10_000,
        "a" + ".T" * 10_000,
        "a" + "[0]" * 10_000,
        "a" + " if b else a" * 10_000,
        "(" * 101 + "a" + ")" * 101,
    ],
    ids=lambda text: text[:9],
)
def test_nesting_too_deep(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        expression(text)
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["nesting-too-deep"]


def test_nesting_within_the_limit() -> None:
    assert expression("(" * 100 + "a" + ")" * 100) == a
    expression("-" * 99 + "a")


@pytest.mark.parametrize("operator", [" + ", " * ", " and ", " or ", " < "])
def test_long_chains_are_flat(operator: str) -> None:
    long = expression(operator.join(["a"] * 5000))
    match long:
        case tree.Chain():
            assert len(long.rest) == 4999
        case tree.Logical() | tree.Compare():
            assert len(long.operands) == 5000
        case _:
            raise AssertionError(long)


def test_importing_does_not_import_lark() -> None:
    code = "import sys, symopt.syntax.parser; sys.exit('lark' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
    )
