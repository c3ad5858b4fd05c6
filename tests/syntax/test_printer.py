"""Printing: what is printed parses to the same tree, for example texts and random trees."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symopt.source import Source, Span
from symopt.syntax import tree
from symopt.syntax.parser import parse
from symopt.syntax.printer import print_expression, print_file

EMPTY = Source("nowhere", "")
ANYWHERE = Span(EMPTY, 0, 0)

# ── random trees ─────────────────────────────────────────────────────────────────────────────

names = st.sampled_from(["x", "y_1", "λ", "loss", "init", "lower", "range", "strict", "axis"])
numbers = st.one_of(
    st.integers(0, 10**25).map(lambda value: tree.Number(float(value), True, ANYWHERE)),
    st.floats(0, allow_nan=False).map(lambda value: tree.Number(abs(value), False, ANYWHERE)),
    st.just(tree.Number(float("inf"), True, ANYWHERE)),
)
atoms = st.one_of(numbers, names.map(lambda name: tree.Name(name, ANYWHERE)))


def placed(node: type, *parts: st.SearchStrategy, places: int = 1) -> st.SearchStrategy:
    """Nodes of a type from strategies for its fields, with places that do not matter."""
    return st.tuples(*parts).map(lambda values: node(*values, *[ANYWHERE] * places))


def few(parts: st.SearchStrategy, least: int = 0, most: int = 3) -> st.SearchStrategy:
    return st.lists(parts, min_size=least, max_size=most).map(tuple)


def loops_over(inner: st.SearchStrategy) -> st.SearchStrategy:
    bounds = st.one_of(st.just((None, None)), st.tuples(st.none(), inner), st.tuples(inner, inner))
    pairs = st.tuples(names, bounds)
    return pairs.map(lambda pair: tree.ForClause(pair[0], *pair[1], ANYWHERE))


def chains(inner: st.SearchStrategy) -> st.SearchStrategy:
    def of(operators: tuple[str, ...]) -> st.SearchStrategy:
        return placed(tree.Chain, inner, few(st.tuples(st.sampled_from(operators), inner), 1))

    return st.one_of(of(("+", "-")), of(("*", "/", "//", "%", "@")))


def comparisons(inner: st.SearchStrategy) -> st.SearchStrategy:
    signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return st.tuples(inner, few(st.tuples(signs, inner), 1)).map(
        lambda parts: tree.Compare(
            (parts[0], *(operand for _, operand in parts[1])),
            tuple(sign for sign, _ in parts[1]),
            ANYWHERE,
        )
    )


def calls(inner: st.SearchStrategy) -> st.SearchStrategy:
    generator = placed(tree.Generator, inner, few(loops_over(inner), 1), few(inner))
    keywords = few(placed(tree.Keyword, names, inner))
    return st.one_of(
        placed(tree.Call, names, few(inner), keywords, places=2),
        placed(tree.Call, names, st.tuples(generator), st.just(()), places=2),
    )


def compounds(inner: st.SearchStrategy) -> st.SearchStrategy:
    optional = st.none() | inner
    subscripts = few(inner | placed(tree.Slice, optional, optional), 1)
    return st.one_of(
        chains(inner),
        comparisons(inner),
        calls(inner),
        placed(tree.Power, inner, inner),
        placed(tree.Negate, inner),
        placed(tree.Not, inner),
        placed(tree.Logical, st.sampled_from(["and", "or"]), few(inner, 2)),
        placed(tree.Conditional, inner, inner, inner),
        placed(tree.Subscript, inner, subscripts),
        placed(tree.Transpose, inner),
    )


expressions = st.recursive(atoms, compounds, max_leaves=12)
arrays = st.recursive(
    placed(tree.Array, few(expressions, 1)),
    lambda inner: placed(tree.Array, few(inner, 1)),
    max_leaves=3,
)
shapes = few(expressions)
initials = st.none() | expressions | arrays
descriptions = st.none() | st.text(st.characters(exclude_characters='"\n\0', codec="utf-8"))
bounds = st.none() | placed(tree.Bound, expressions, st.booleans())
loops = few(loops_over(expressions), 1)
loops_and_filters = st.just(((), ())) | st.tuples(loops, few(expressions))


def definitions(
    marks: st.SearchStrategy, losses: st.SearchStrategy, texts: st.SearchStrategy
) -> st.SearchStrategy:
    subscripts = st.none() | few(expressions, 1)
    fields = st.tuples(names, subscripts, st.booleans(), expressions, loops_and_filters)
    return st.tuples(fields, marks, losses, texts).map(
        lambda parts: tree.Definition(*parts[0][:4], *parts[0][4], *parts[1:], ANYWHERE, ANYWHERE)
    )


plain_definitions = definitions(st.none(), st.none(), st.none())
losses = placed(tree.Loss, names, few(expressions), st.booleans())
formals = few(placed(tree.Argument, names, st.none() | few(expressions, 1)))
packings = st.sampled_from([None, "lower", "strict lower", "symmetric"])
data_files = st.none() | placed(tree.DataFile, st.just("dir/points.csv:a,b"))
statements = st.one_of(
    placed(tree.DimDeclaration, names, st.none() | expressions, descriptions, places=2),
    placed(
        tree.DataDeclaration,
        *(names, shapes, st.none() | expressions, initials, descriptions, data_files),
        places=2,
    ),
    placed(
        tree.ParamDeclaration,
        *(names, shapes, bounds, bounds, packings, initials, descriptions),
        places=2,
    ),
    placed(tree.SampleDeclaration, names),
    definitions(st.sampled_from([None, "model", "report"]), st.none(), descriptions),
    definitions(st.just("residual"), st.none() | losses, descriptions),
    placed(
        tree.FunctionDefinition,
        *(names, formals, st.just(()), expressions, st.just(False)),
        places=2,
    ),
    placed(
        tree.FunctionDefinition,
        *(names, formals, few(plain_definitions), expressions, st.just(True)),
        places=2,
    ),
    placed(tree.Import, st.just("dir/camera.sym")),
    placed(tree.Objective, st.sampled_from(["minimize", "maximize"]), expressions),
    st.just(tree.FiniteExpectation(ANYWHERE)),
    placed(tree.Expectation, comparisons(expressions), st.none() | expressions),
)
files = few(statements, most=4).map(lambda several: tree.File(several, EMPTY))


NODES = {node for node in vars(tree).values() if isinstance(node, type) and is_dataclass(node)}


def nodes_in(part: object) -> set[type]:
    """The types of all nodes of a tree."""
    if isinstance(part, tuple):
        return set().union(*map(nodes_in, part))
    if type(part) not in NODES:
        return set()
    return {type(part)}.union(*(nodes_in(getattr(part, field.name)) for field in fields(part)))


def test_printed_trees_parse_to_themselves() -> None:
    seen: set[type] = set()

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(files)
    def parse_what_is_printed(file: tree.File) -> None:
        assert parse(Source("printed", print_file(file))) == file
        seen.update(nodes_in(file))

    parse_what_is_printed()
    assert seen == NODES - {tree.Unread}  # which stands for what cannot be printed


# ── texts ────────────────────────────────────────────────────────────────────────────────────


def test_language_snippets_keep_their_tree_and_print_stably() -> None:
    text = (Path(__file__).parent / "language_snippets.sym").read_text(encoding="utf-8")
    file = parse(Source("snippets", text))
    printed = print_file(file)
    again = parse(Source("printed", printed))
    assert again == file
    assert print_file(again) == printed


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("a-(b+c)", "a - (b + c)"),
        ("(a*b)*c", "(a * b) * c"),
        ("(a^b)**c", "(a^b)^c"),
        ("(-a)^2", "(-a)^2"),
        ("-(a^2)", "-a^2"),
        ("2.0.T", None),
        ("(2).T", "(2).T"),
        ("(a if b else c)[i]", "(a if b else c)[i]"),
        (
            "sum( x[i] for i,j in 3 if i<j )",
            "sum(x[i] for i in range(3) for j in range(3) if i < j)",
        ),
        ("1e999", "1e999"),
        ("0.1e1", "1.0"),
    ],
)
def test_canonical_expression(written: str, printed: str | None) -> None:
    source = Source("test.sym", f"minimize {written}")
    if printed is None:  # the dot belongs to the number, so that this is no transposition
        with pytest.raises(Exception, match="not a number"):
            parse(source)
        return
    (objective,) = parse(source).statements
    assert isinstance(objective, tree.Objective)
    assert print_expression(objective.value) == printed
