"""Places in a text."""

from __future__ import annotations

from symopt.source import Source, Span


def test_lines_and_columns_count_from_one():
    source = Source("a.sym", "one\ntwo λ\n\nend")
    assert source.line_column(0) == (1, 1)
    assert source.line_column(4) == (2, 1)
    assert source.line_column(8) == (2, 5)
    assert source.line_column(len(source.text)) == (4, 4)
    assert [source.line(k) for k in (1, 2, 3, 4)] == ["one", "two λ", "", "end"]


def test_spans_join_and_print():
    source = Source("a.sym", "alpha + beta")
    left, right = Span(source, 0, 5), Span(source, 8, 12)
    assert left.to(right).text == right.to(left).text == "alpha + beta"
    assert str(right) == "a.sym:1:9"
