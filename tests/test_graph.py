"""The dataflow graph: one node per name, an edge for each read, the cut and what is not needed."""

import re

import symopt

TEXT = """
data X[n, d], y[n], group[n] in k
param w[d] init 0, b[k] init 0
z[i] = sum(X[i, j] * w[j] for j) + b[group[i]]
model f = sigmoid(z)
spare = 2 * f
report half[i] = f[i] / 2
minimize sum((f - y)^2)
"""


def edges(graph: str) -> set[tuple[str, str]]:
    """Pairs of names, read off the lines of DOT."""
    found: set[tuple[str, str]] = set()
    for sources, target in re.findall(r'^  \{ (.*) \} -> "(.*?)"$', graph, re.MULTILINE):
        found.update((source, target) for source in re.findall(r'"(.*?)"', sources))
    return found


def test_edges_are_reads() -> None:
    graph = symopt.parse(TEXT).show("graph")
    assert edges(graph) == {
        *(("X", "z"), ("w", "z"), ("b", "z"), ("group", "z"), ("z", "f"), ("f", "spare")),
        *(("f", "half"), ("f", "minimize"), ("y", "minimize")),
    }


def test_nodes_tell_shapes_marks_and_the_cut() -> None:
    lines = symopt.parse(TEXT).show("graph").splitlines()
    assert lines[0] == "digraph {" and lines[-1] == "}"
    assert '  "group" [shape=box, label="data group[n] in k"]' in lines
    assert '  "w" [shape=box, label="param w[d]", style="bold"]' in lines
    assert '  "f" [shape=ellipse, label="model f[n] (cut)", peripheries=2]' in lines
    assert '  "half" [shape=ellipse, label="report half[n]", style="dashed"]' in lines
    assert '  "spare" [shape=ellipse, label="spare[n]", style="dashed"]' in lines
    assert '  "z" [shape=ellipse, label="z[n]"]' in lines


def test_what_is_looked_through_is_not_needed() -> None:
    graph = symopt.parse("param z init 1\ne = exp(z)\nminimize log(1 + e)\n").show("graph")
    assert edges(graph) == {("z", "e"), ("z", "minimize")}
    assert '"e" [shape=ellipse, label="e", style="dashed"]' in graph


def test_a_recurrence_reads_itself() -> None:
    text = (
        "data y[n]\nparam a init 1\nh[0] = 0\n"
        "h[t] = a * h[t - 1] + y[t] for t in range(1, n)\nminimize h[n - 1]^2\n"
    )
    graph = symopt.parse(text).show("graph")
    assert '  "h" -> "h" [label="earlier"]' in graph.splitlines()
    assert edges(graph) == {("a", "h"), ("y", "h"), ("h", "minimize")}
