"""Dead statements go; everything the outputs need stays."""

from __future__ import annotations

from dataclasses import replace

from symopt.derive.simplify import drop_dead
from symopt.statements.program import Role, Winner
from symopt.statements.verify import verify
from symopt.types import Entry, atom, index
from tests.support.hand_built import assign, loop, program, read, same, tensor

I = loop("i", "n")  # noqa: E741 (as in the mathematics)
X = tensor("x", "n", role=Role.DATA)


def test_only_what_leads_to_an_output_is_kept() -> None:
    a = assign(read("a", "i"), (I,), "=", lambda x: x * x, read("x", "i"))
    dead = assign(read("b", "i"), (I,), "=", same, read("a", "i"))
    total = assign(read("s"), (I,), "sum", same, read("a", "i"))
    more = assign(read("s"), (I,), "sum", same, read("x", "i"))
    whole = program(
        X, tensor("a", "n"), tensor("b", "n"), tensor("s"), a, dead, total, more, outputs=("s",)
    )
    small = verify(drop_dead(whole))
    assert small.statements == (a, total, more)
    assert set(small.tensors) == {"x", "a", "s"}
    assert drop_dead(small) == small
    assert drop_dead(replace(whole, outputs=("b",))).statements == (a, dead)


def test_outputs_that_nothing_writes_stay_tensors() -> None:
    whole = program(X, tensor("zero", "n"), outputs=("zero",))
    assert drop_dead(whole).tensors == {"zero": tensor("zero", "n")}


def test_an_extremum_is_kept_for_its_winner_alone() -> None:
    winner = Winner("m.winner", index("i"))
    best = assign(read("m"), (I,), "max", same, read("x", "i"), winner=winner)
    use = assign(read("s"), (), "=", same, read("m.winner"))
    whole = program(X, tensor("m"), tensor("m.winner"), tensor("s"), best, use, outputs=("s",))
    assert verify(drop_dead(whole)) == whole


def test_integer_data_of_maps_and_bounds_is_kept() -> None:
    cam, off = (tensor(name, "n", role=Role.INDICES) for name in ("cam", "off"))
    entry = atom(Entry("cam", (index("i"),)))
    ragged = loop("i", atom(Entry("off", (index("g"),))))
    total = assign(read("s"), (loop("g", 2), ragged), "sum", same, read("x", entry))
    whole = program(X, cam, off, tensor("s"), total, outputs=("s",))
    assert set(drop_dead(whole).tensors) == {"x", "cam", "off", "s"}
