"""Integer polynomials: canonical form, arithmetic against Python's, bounds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from symopt.types import (
    Clamp,
    Entry,
    Integer,
    Range,
    atom,
    constant,
    depends_on,
    dim,
    evaluate,
    index,
    interval,
)

N, I, J = dim("n"), index("i"), index("j")  # noqa: E741 (as in the mathematics)


def test_equal_sizes_are_equal_values():
    assert N - 1 + 1 == N
    assert (I + 2) * (I - 2) == I * I - 4
    assert N * I == I * N
    assert constant(0) == N - N
    assert (N + 1).value is None
    assert constant(7).value == 7
    assert (I * 1).index == "i"
    assert (I + 1).index is None


def test_text_reads_like_the_program():
    assert str(N - 1) == "n - 1"
    assert str(-I + 2 * N) in ("-i + 2*n", "2*n - i")
    assert str(atom(Entry("cam", (I,))) + 1) == "cam[i] + 1"
    assert str(constant(0)) == "0"


def test_substitution_reaches_inside_entries_and_clamps():
    place = atom(Clamp(atom(Entry("pt", (I,))) + I, N))
    moved = place.substitute({"i": J + 1})
    assert moved == atom(Clamp(atom(Entry("pt", (J + 1,))) + J + 1, N))
    assert moved.indices == {"j"}
    assert moved.tensors == {"pt"}


expressions = st.recursive(
    st.sampled_from([N, I, J]) | st.integers(-4, 4).map(constant),
    lambda inner: st.tuples(st.sampled_from("+-*/%"), inner, inner),
    max_leaves=8,
)


def build(node) -> tuple[Integer, object]:
    """A polynomial and the Python function it stands for."""
    if isinstance(node, Integer):
        return node, lambda env: int(evaluate(node, {"n": env["n"]}, env, {}))
    operator, left, right = node
    (a, f), (b, g) = build(left), build(right)
    match operator:
        case "+":
            return a + b, lambda env: f(env) + g(env)
        case "-":
            return a - b, lambda env: f(env) - g(env)
        case "*":
            return a * b, lambda env: f(env) * g(env)
        case "/":
            return a // (b * b + 1), lambda env: f(env) // (g(env) ** 2 + 1)
        case _:
            return a % (b * b + 1), lambda env: f(env) % (g(env) ** 2 + 1)


@given(expressions, st.integers(0, 6), st.integers(0, 5), st.integers(0, 5))
def test_arithmetic_is_pythons_and_stays_inside_its_bounds(node, n, i, j):
    polynomial, function = build(node)
    env = {"n": n, "i": i, "j": j}
    value = int(evaluate(polynomial, {"n": n}, env, {}))
    assert value == function(env)
    low, high = interval(polynomial, {"n": n}, {"i": (0, 5), "j": (0, 5)}, lambda _: (0, 0))
    assert low <= value <= high


def test_evaluates_whole_arrays():
    pt = np.array([3, 1, 2])
    place = atom(Entry("pt", (I,))) * N + I
    found = evaluate(place, {"n": 10}, {"i": np.array([0, 1, 2])}, {"pt": pt})
    assert found.tolist() == [30, 11, 22]
    clamp = atom(Clamp(I + 1, N))
    assert evaluate(clamp, {"n": 3}, {"i": np.arange(4)}, {}).tolist() == [1, 2, 2, 2]
    assert evaluate(atom(Clamp(I, N)), {"n": 0}, {"i": 5}, {}) == 0


def test_a_clamp_of_numbers_is_a_number():
    clamp = atom(Clamp(I + 1, N))
    sizes = clamp.with_sizes({"n": constant(3)})
    assert [sizes.substitute({"i": constant(i)}).value for i in (-5, 0, 1, 7)] == [0, 1, 2, 2]
    assert clamp.with_sizes({"n": constant(0)}).substitute({"i": constant(5)}).value == 0
    assert clamp.substitute({"i": constant(5)}).value is None


def test_an_index_depends_on_the_ranges_it_runs_in():
    ranges = {
        "i": Range("i", constant(0), N),
        "j": Range("j", constant(0), I),
        "k": Range("k", J, N),
    }
    assert depends_on(frozenset({"k"}), ranges) == {"i", "j", "k"}
    assert depends_on(frozenset({"i"}), ranges) == {"i"}
