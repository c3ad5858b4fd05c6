"""Every invariant of statement programs, violated once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sympy

from symopt.primitives.registry import PRIMITIVES
from symopt.statements.program import Program, Role, Statement, Winner
from symopt.statements.verify import verify
from symopt.types import Entry, atom, dim, index
from tests.support.hand_built import assign, loop, program, read, same, tensor

I = loop("i", "n")  # noqa: E741 (as in the mathematics)
X = tensor("x", "n", role=Role.DATA)
S, Y, T = tensor("s"), tensor("y", "n"), tensor("t", "n")
CAM = tensor("cam", "n", role=Role.INDICES)


def doubled(target: str = "y") -> Statement:
    return assign(read(target, "i"), (I,), "=", lambda x: x + x, read("x", "i"))


def total(of: str) -> Statement:
    return assign(read("s"), (I,), "sum", same, read(of, "i"))


def good() -> Program:
    return program(X, Y, S, doubled(), total("y"), total("x"), outputs=("s",))


def refused(broken: Program, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        verify(broken)


def test_a_good_program_is_itself() -> None:
    found = good()
    assert verify(found) is found


def test_reads_of_tensors_that_nothing_writes() -> None:
    refused(program(X, Y, S, total("y")), "y is read and never written")


def test_reads_before_the_writing() -> None:
    refused(program(X, Y, S, total("y"), doubled()), "y is read by statement 0 before")


def test_reads_between_two_statements_of_a_sum() -> None:
    use = assign(read("y", "i"), (I,), "=", same, read("s"))
    refused(program(X, Y, S, total("x"), use, total("x")), "s is read by statement 1 before")


def test_a_statement_does_not_read_its_own_target() -> None:
    refused(program(X, Y, assign(read("y", "i"), (I,), "sum", same, read("y", "i"))), "before")


def test_two_statements_of_a_target_that_is_no_sum() -> None:
    refused(program(X, Y, doubled(), doubled()), "y is written twice")
    more = assign(read("y", "i"), (I,), "sum", same, read("x", "i"))
    refused(program(X, Y, doubled(), more), "y is written twice")
    refused(program(X, Y, more, doubled()), "y is written twice")


def test_outputs_are_tensors() -> None:
    refused(replace(good(), outputs=("nothing",)), "output nothing")


def test_tensors_have_their_own_name_and_sizes_without_indices() -> None:
    refused(Program((), {"y": X}), "filed under another name")
    refused(program(tensor("y", index("i"))), "index i is not running")


def test_given_tensors_are_not_written() -> None:
    refused(program(X, assign(read("x", "i"), (I,), "=", lambda: sympy.S.One)), "x is given")


def test_unknown_tensors() -> None:
    refused(program(X, doubled()), "y is not a tensor")
    refused(program(Y, doubled()), "x is not a tensor")


def test_ranks() -> None:
    refused(program(X, Y, assign(read("y"), (I,), "sum", same, read("x", "i"))), "differ in rank")
    refused(program(X, S, assign(read("s"), (I,), "sum", same, read("x"))), "wrong rank")


def test_indices_run() -> None:
    refused(program(X, Y, assign(read("y", "j"), (I,), "=", same, read("x", "i"))), "index j")
    refused(program(X, S, assign(read("s"), (I,), "sum", same, read("x", "j"))), "index j")
    refused(
        program(X, S, assign(read("s"), (I, I), "sum", same, read("x", "i"))), "index i runs twice"
    )


def test_bounds_mention_earlier_indices_only() -> None:
    inner = loop("j", index("i"))
    assert verify(program(X, S, assign(read("s"), (I, inner), "sum", same, read("x", "j"))))
    refused(
        program(X, S, assign(read("s"), (inner, I), "sum", same, read("x", "j"))), "index i is not"
    )


def test_only_integer_data_is_an_index() -> None:
    entry = atom(Entry("cam", (index("i"),)))
    assert verify(program(X, CAM, S, assign(read("s"), (I,), "sum", same, read("x", entry))))
    wrong = atom(Entry("x", (index("i"),)))
    refused(program(X, S, assign(read("s"), (I,), "sum", same, read("x", wrong))), "not integer")
    refused(
        program(CAM, S, assign(read("s"), (I,), "sum", same, read("cam", "i"))), "holds indices"
    )


def test_symbols_stand_for_exactly_one_thing() -> None:
    free = assign(
        read("s"), (I,), "sum", lambda x: x + sympy.Symbol("z", real=True), read("x", "i")
    )
    refused(program(X, S, free), "z.* stand for nothing")
    x = read("x", "i")
    twice = assign(read("s"), (I,), "sum", lambda a, b: a, x, replace(x, map=(dim("n") - 1,)))
    refused(program(X, S, twice), "stands for two things")


@pytest.mark.parametrize(
    "build",
    [lambda x: sympy.sin(x), lambda x: x / 2, lambda x: 1 / x, lambda x: x ** sympy.Rational(1, 2)],
    ids=["sin", "half", "reciprocal", "root"],
)
def test_expressions_are_made_of_our_nodes(build) -> None:
    refused(program(X, S, assign(read("s"), (I,), "sum", build, read("x", "i"))), "is not ours")


def test_our_nodes_are_accepted() -> None:
    def build(x: sympy.Expr) -> sympy.Expr:
        return PRIMITIVES["exp"](x) * x**2 - x

    assert verify(program(X, S, assign(read("s"), (I,), "sum", build, read("x", "i"))))


def test_winners_go_with_max_and_min() -> None:
    winner, w = Winner("s.winner", index("i")), tensor("s.winner")
    x = read("x", "i")
    assert verify(program(X, S, w, assign(read("s"), (I,), "max", same, x, winner=winner)))
    refused(program(X, S, assign(read("s"), (I,), "max", same, x)), "have a winner")
    refused(
        program(X, S, w, assign(read("s"), (I,), "sum", same, x, winner=winner)), "have a winner"
    )
    wide = tensor("s.winner", "n")
    refused(
        program(X, S, wide, assign(read("s"), (I,), "max", same, x, winner=winner)), "another shape"
    )
    use = assign(read("t", "i"), (I,), "=", same, read("s.winner"))
    best = assign(read("s"), (I,), "max", same, x, winner=winner)
    assert verify(program(X, S, w, T, best, use))
    refused(program(X, S, w, T, use, best), "before it is complete")


def test_reductions_are_known() -> None:
    odd = replace(total("x"), reduction="mean")  # type: ignore[arg-type]
    refused(program(X, S, odd), "no reduction mean")
