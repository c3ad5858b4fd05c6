"""What values depend on, which reads are certain, and how much work expressions are."""

from __future__ import annotations

import pytest
import sympy

from symopt.primitives.operators import divide, integer_power, select
from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.hoist.program import Hoisting
from symopt.statements.hoist.reach import Reach, runs
from symopt.statements.hoist.support import Support, mentions, nest_of, regrouped, support_of
from symopt.statements.hoist.work import DIVISION, FUNCTION, work
from symopt.statements.program import Role, Tensor
from symopt.types import Clamp, Entry, Integer, Range, atom, constant, dim, index
from tests.support.hand_built import loop, read, tensor

S, J = index("s"), index("j")
GROUPS = frozenset({"cam", "pt"})
BELOW = {"cam": dim("c"), "pt": dim("m")}


def entry(name: str, *places: Integer) -> Entry:
    return Entry(name, places)


def support(*values: Integer, **ranges: Range) -> Support:
    return support_of({m for value in values for m in mentions(value, GROUPS)}, ranges, GROUPS)


CAM = entry("cam", S)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ((atom(CAM),), Support(frozenset(), (CAM,))),
        ((2 * atom(CAM) + J,), Support(frozenset({"j"}), (CAM,))),
        ((atom(CAM), S), Support(frozenset({"s"}))),
        ((atom(CAM), atom(entry("pt", S))), Support(frozenset({"s"}))),
        ((atom(CAM), atom(entry("cam", S + 1))), Support(frozenset({"s"}))),
        ((atom(entry("cam", S, J)),), Support(frozenset(), (entry("cam", S, J),))),
        ((atom(entry("cam", S, J)), J), Support(frozenset({"s", "j"}))),
        ((atom(entry("other", S)),), Support(frozenset({"s"}))),
        ((atom(entry("other", atom(CAM))),), Support(frozenset(), (CAM,))),
        ((constant(3), dim("n")), Support(frozenset())),
    ],
)
def test_support(values: tuple[Integer, ...], wanted: Support) -> None:
    assert support(*values) == wanted


def test_a_loop_needs_what_its_range_mentions() -> None:
    triangle = Range("b", constant(0), index("a"))
    assert support(index("b"), b=triangle) == Support(frozenset({"a", "b"}))
    by_camera = Range("j", constant(0), atom(entry("count", atom(CAM))))
    assert support(J, j=by_camera) == Support(frozenset({"j"}), (CAM,))


def test_the_loops_of_a_support() -> None:
    loops = (loop("s", "n"), Range("j", constant(0), atom(entry("count", atom(CAM)))))
    nest = nest_of(Support(frozenset({"j"}), (CAM,)), loops, BELOW)
    camera = index("cam.entry")
    assert nest.loops == (
        Range("cam.entry", constant(0), dim("c")),
        Range("j", constant(0), atom(entry("count", camera))),
    )
    assert nest.places == (atom(CAM), J)
    assert regrouped(9 * atom(CAM) + J, nest.names) == 9 * camera + J


@pytest.mark.parametrize(
    ("place", "certain"),
    [
        (index("c"), True),
        (index("c") + 1, False),
        (constant(0), False),  # c may be 0
        (atom(Clamp(index("c") - 1, dim("c"))), True),
        (atom(Clamp(index("c") - 1, dim("d"))), False),  # d may be 0
        (index("c") % constant(3), False),
        (index("c") // dim("d"), False),
    ],
)
def test_reach(place: Integer, certain: bool) -> None:
    size = dim("d") if "d" in place.dims else dim("c")
    tensors = {"w": Tensor("w", (size,), Role.PARAM)}
    reach = Reach((loop("c", "c"),), tensors, {})
    assert reach.certain([read("w", place)]) == certain


def test_entries_read_inside_their_array() -> None:
    tensors = {"cam": tensor("cam", "n", role=Role.INDICES), "w": tensor("w", "c")}
    found = [read("w", atom(entry("cam", S)))]
    assert Reach((loop("s", "n"),), tensors, BELOW).certain(found)
    assert not Reach((loop("s", "m"),), tensors, BELOW).certain(found)


def test_loops_that_run() -> None:
    known = Hoisting(filled=frozenset({"n"}))
    assert runs(loop("s", "n"), known)
    assert runs(loop("a", 3), known)
    assert not runs(loop("s", "m"), known)
    assert not runs(loop("s", dim("n") - 1), known)
    assert not runs(loop("a", 3, 3), known)


def test_work() -> None:
    x, y, two = sympy.Symbol("x", real=True), sympy.Symbol("y", real=True), Constant(2.0)
    exp = PRIMITIVES["exp"]
    assert work(x) == work(-x) == 0
    assert work(two * x) == work(x + y) == work(x - y) == work(divide(x, two)) == 1
    assert work(two * Constant(3.0) * x) == 1  # numbers are one together
    assert work(integer_power(x, sympy.Integer(2))) == work(x * x) == 1
    assert work(integer_power(x, sympy.Integer(3))) == 2
    assert work(divide(x, y)) == DIVISION
    assert work(exp(x) * exp(x) + exp(x)) == FUNCTION + 2  # a shared part counts once
    assert work(select(x, y, two)) == 1
