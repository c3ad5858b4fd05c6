"""Reads of packed parameters: where they are plain, a choice, or nothing at all."""

import pytest

import symopt
from symopt.diagnostics import ShapeError, SymoptError


def meaning(kind, body):
    """The statements of a program, as text."""
    text = f"""
        data x[d]
        param L[d, d] as {kind} init 0
        s = {body}
        minimize s + sumsq(L)
    """
    statements = symopt.parse(text).stages.task.program.statements
    return " ".join(str(s.expression) for s in statements if s.target.startswith("s"))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("strict lower", "sum(L[a, b] for a in d for b in range(a))"),
        ("lower", "sum(L[a, b] for a in d for b in range(a + 1))"),
        ("lower", "sum(L[b, a] for a in d for b in range(a, d))"),
        ("strict lower", "sum(L[a, b] for a in d for b in range(a - 1))"),
        ("lower", "sum(L[a, a] for a)"),
        ("strict lower", "sum(L[a, 0] for a in range(1, d))"),
        ("lower", "sum(L[a, :a] @ x[:a] for a)"),
        ("lower", "sum(L.T[a, b] for b in d for a in range(b))"),
        ("symmetric", "sum(L[a, b] for a, b)"),
        ("symmetric", "sum(L @ x)"),
    ],
)
def test_reads_inside_the_pattern_are_plain(kind, body):
    found = meaning(kind, body)
    assert "L.pos" in found and "select" not in found


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("lower", "sum(L[a, b] for a in d for b in range(a + 1, d))"),
        ("strict lower", "sum(L[a, b] for a in d for b in range(a, d))"),
        ("strict lower", "sum(L[a, a] for a)"),
    ],
)
def test_reads_outside_of_it_are_zero(kind, body):
    assert "L" not in meaning(kind, body)


@pytest.mark.parametrize(
    "body",
    [
        "sum(L[a, b] for a, b)",
        "sum(L[a, b] for a in d for b in range(a + 1))",
        "sum(L @ x)",
        "sum(L[:, 0])",
        "sum(L[a, b] if a > 0 else 0 for a, b)",
    ],
)
def test_other_reads_choose(body):
    assert "select" in meaning("strict lower", body)


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("L[d] as lower", "found 1 axis"),
        ("L[d, e] as symmetric", r"last two axes of shape \(d, e\) differ"),
        ("L[d, K, d] as strict lower", "not square"),
        ("L as lower", "found 0 axes"),
    ],
)
def test_matrices_have_to_be_square(declaration, message):
    with pytest.raises(SymoptError, match=message):
        symopt.parse(f"param {declaration} init 0\nminimize sum(L)")


def test_an_index_outside_the_full_array_is_refused():
    text = "param L[d, d] as lower init 0\nminimize sum(L[a + 1, b] for a, b in range(d))"
    with pytest.raises(SymoptError, match=r"`a \+ 1`|a \+ 1"):
        symopt.parse(text).bind(d=3)


@pytest.mark.parametrize("place", ["i, 0", "0, i", "i, i"])
def test_what_only_data_can_tell_is_checked_when_bound(place):
    text = f"""
        data x[n]
        param L[d, d] as symmetric init 0
        minimize sum(L[{place}] * x[i] for i in range(n)) + sum(L)
    """
    model = symopt.parse(text)
    assert model.bind(x=[1.0, 2.0], d=2).n == 3
    with pytest.raises(ShapeError, match="of `L` is 2 at i = 2, but the axis has size 2"):
        model.bind(x=[1.0, 2.0, 3.0], d=2)


def test_the_full_array_gives_ranges():
    text = "param L[K, d, d] as strict lower init 0\ny[k, a, b] = L[k, a, b] ^ 2\nminimize sum(y)"
    model = symopt.parse(text)
    assert model.bind(K=2, d=3).eval("y", [1, 2, 3, 4, 5, 6]).shape == (2, 3, 3)
    assert model.params["L"].packing == "strict lower"
    assert "param L: (K, d, d) as strict lower" in model.describe()
