"""Auxiliary definitions: stored once per index they depend on, however they are reached."""

import symopt
from symopt.typed.program import Definition

HEAD = """dim k = 3
data X[n, d], V[m, d], off[n+1] in m+1
param W[k, d] init 0
def entropy(z) = -sum(softmax(z) * log_softmax(z))
"""


def auxiliary(body: str) -> list[Definition]:
    program = symopt.parse(HEAD + body + "\n").stages.program
    return [d for d in program.definitions if d.name.startswith("~")]


def shapes(body: str) -> set[str]:
    return {", ".join(map(str, definition.shape)) for definition in auxiliary(body)}


def test_a_value_used_once_has_no_name() -> None:
    assert auxiliary("minimize sum(W @ X[0])") == []


def test_arguments_used_twice_depend_on_the_indices_outside() -> None:
    assert shapes("minimize sum(entropy(W @ X[i]) for i)") == {"n, k", "n"}


def test_values_on_ragged_ranges_are_stored_per_entry() -> None:
    body = "minimize sum(sum(entropy(W @ V[q]) for q in range(off[i], off[i+1])) for i)"
    assert shapes(body) == {"m, k", "m"}


def test_values_on_dependent_ranges_that_need_both_indices() -> None:
    body = "minimize sum(sum(entropy(W @ V[q] * i) for q in range(i)) for i in range(m))"
    assert shapes(body) == {"m, m - 1, k", "m, m - 1"}
