"""Which tensors a derivative goes through, and which can be non-finite."""

from __future__ import annotations

from symopt.derive.activity import depending_on, finiteness_of, leading_to, wild_tensors
from symopt.primitives import operators
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.program import Role, Winner, count_of
from symopt.types import dim, index
from tests.support.hand_built import assign, loop, program, read, same, tensor

I = loop("i", "n")  # noqa: E741 (as in the mathematics)
X, P = tensor("x", "n", role=Role.DATA), tensor("p", role=Role.PARAM)
A = assign(read("a", "i"), (I,), "=", lambda x, p: x * p, read("x", "i"), read("p"))
B = assign(read("b", "i"), (I,), "=", PRIMITIVES["log"], read("a", "i"))
C = assign(read("c"), (I,), "sum", same, read("x", "i"))
S = assign(read("s"), (I,), "sum", lambda b, c: b + c, read("b", "i"), read("c"))
WHOLE = program(X, P, *(tensor(n, "n") for n in "ab"), tensor("c"), tensor("s"), A, B, C, S)


def test_depending_on() -> None:
    assert depending_on(WHOLE, ["p"]) == {"p", "a", "b", "s"}
    assert depending_on(WHOLE, ["c"]) == {"c", "s"}


def test_leading_to() -> None:
    assert leading_to(WHOLE, ["s"]) == {"s", "b", "c", "a", "x", "p"}
    assert leading_to(WHOLE, ["s"], stop=["b"]) == {"s", "b", "c", "x"}
    assert leading_to(WHOLE, ["c"]) == {"c", "x"}


def test_winners_lead_to_what_they_were_chosen_from() -> None:
    winner = Winner("m.winner", index("i"))
    best = assign(read("m"), (I,), "max", same, read("x", "i"), winner=winner)
    use = assign(read("s"), (), "=", same, read("m.winner"))
    whole = program(X, tensor("m"), tensor("m.winner"), tensor("s"), best, use)
    assert leading_to(whole, ["s"]) == {"s", "m.winner", "x"}


def test_wildness_spreads() -> None:
    assert wild_tensors(WHOLE) == {"b", "s"}
    assert not finiteness_of(S, {"b"}).finite(S.expression)
    assert finiteness_of(S, set()).finite(S.expression)


def test_sizes_are_safe_to_divide_by_and_indices_are_not() -> None:
    for count, safe in ((count_of(dim("n")), True), (count_of(index("i")), False)):
        mean = assign(read("s"), (I,), "sum", operators.divide, read("x", "i"), count)
        assert finiteness_of(mean, set()).finite(mean.expression) is safe


def test_changes_of_wild_symbols_are_wild() -> None:
    dots = {read("b", "i").symbol: read("b.dot", "i"), read("c").symbol: read("c.dot")}
    known = finiteness_of(S, {"b"}, dots)
    assert known.forward
    assert not known.finite(read("b.dot", "i").symbol)
    assert known.finite(read("c.dot").symbol)
