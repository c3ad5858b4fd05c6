"""Which definitions are taken up together, and strongly connected components."""

import itertools
import random

import pytest

from symopt.source import Source
from symopt.syntax.parser import parse_what_can_be
from symopt.typed.components import strong_components, turns


def together(text: str) -> list[tuple[str, ...]]:
    file, mistakes = parse_what_can_be(Source("<test>", text))
    assert not mistakes
    found = turns(file.statements)
    parts = (part for s in file.statements for part in found.get(id(s), ()) if part.together)
    return [tuple(definition.name for definition in part.definitions) for part in parts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a[i] = x[i]\nb[i] = a[i]\n", []),
        ("h[0] = 1\nh[t] = h[t-1] for t in range(1, n)\n", [("h", "h")]),
        ("p[t] = q[t-1]\nr = p\nq[t] = p[t]\ns = q + r\n", [("p", "q")]),
        ("d[0] = 1\nd[i] = x[i] for i in range(1, n)\n", [("d", "d")]),
        ("g[i] += x[i]\ng[i] += y[i]\n", []),  # adding up twice is no case
        ("z[i] = x[i]\nz[i] = y[i]\n", []),  # a mistake, told as such
        ("z = z + 1\n", []),
        ("i[i] = x[i]\n", []),  # an index of the same name
        ("s = sum(s for s in 3)\n", []),  # bound inside
        ("def f(v) = v * h[0]\nh[t] = f(x[t])\n", [("h",)]),
        ("def f(v) = g(v)\ndef g(v) = h[0]\nh[t] = f(x[t])\n", [("h",)]),
        ("def f(h) = h\nh[t] = f(x[t])\n", []),
    ],
)
def test_what_belongs_together(text: str, expected: list[tuple[str, ...]]) -> None:
    assert together(text) == expected


def test_components_are_those_of_mutual_reachability() -> None:
    random.seed(3)
    for _ in range(50):
        nodes = range(8)
        needs = {n: {m for m in nodes if random.random() < 0.15} for n in nodes}
        reach = {n: {n} for n in nodes}
        for middle, n, m in itertools.product(nodes, nodes, nodes):
            if middle in reach[n] and m in needs[middle]:
                reach[n].add(m)
        for _ in nodes:
            for n in nodes:
                reach[n] |= {k for m in reach[n] for k in reach[m]}
        found = list(strong_components(tuple(nodes), needs))
        classes = {frozenset(m for m in reach[n] if n in reach[m]) for n in nodes}
        assert {frozenset(part) for part in found} == classes
        order = {n: k for k, part in enumerate(found) for n in part}
        assert all(order[m] <= order[n] for n in nodes for m in needs[n])


def test_a_long_chain_needs_no_recursion() -> None:
    needs = {n: {n - 1} if n else set[int]() for n in range(20_000)}
    assert [part[0] for part in strong_components((19_999,), needs)] == list(range(20_000))


def turns_of(text: str) -> list[str]:
    """The names that are taken up, in order."""
    file, mistakes = parse_what_can_be(Source("<test>", text))
    assert not mistakes
    found = turns(file.statements)
    parts = (part for s in file.statements for part in found.get(id(s), ()))
    return ["".join(definition.name for definition in part.definitions) for part in parts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h[0] = 1\nh[t] = h[t-1]\nz = 1\n", ["hh", "z"]),
        # `z` uses what is complete only with the last of `p` and `q`; so does what uses `z`.
        ("p[t] = q[t-1]\nz[t] = p[t]\nq[t] = p[t]\n", ["pq", "z"]),
        ("p[t] = q[t-1]\nz[t] = p[t]\ny = z\nw = 1\nq[t] = p[t]\n", ["w", "pq", "z", "y"]),
        # Two recurrences one of which needs the other, as mean and covariance of a Kalman filter.
        ("x[t] = k[t]*x[t-1]\np[t] = k[t-1]\nk[t] = p[t]\n", ["x", "pk"]),
        ("p[t] = k[t-1]\nx[t] = p[t]*x[t-1]\nk[t] = p[t]\n", ["pk", "x"]),
        ("z = p\np[t] = q[t-1]\nq[t] = p[t]\n", ["z", "pq"]),  # used before: a mistake
    ],
)
def test_what_uses_unfinished_definitions_waits(text: str, expected: list[str]) -> None:
    assert turns_of(text) == expected
