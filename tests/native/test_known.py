"""Elements at hand: which stay so when others change."""

from __future__ import annotations

from symopt.native.known import Known
from symopt.native.text import Value
from symopt.types import constant, dim, index

A, B, C = (Value(f"%{name}", "double") for name in "abc")
J, K = index("j"), index("k")


def test_what_was_put_is_at_hand() -> None:
    known = Known()
    known.put("x", J * 3 + 1, A)
    assert known.get("x", J * 3 + 1) is A
    assert known.get("x", J * 3) is None
    assert known.get("x", J * 2 + 1) is None
    assert known.get("y", J * 3 + 1) is None


def test_a_write_leaves_elements_a_number_away() -> None:
    known = Known()
    known.put("x", J, A)
    known.put("x", J + 1, B)
    known.put("y", J, C)
    known.forget("x", J)
    assert known.get("x", J) is None
    assert known.get("x", J + 1) is B
    assert known.get("y", J) is C


def test_a_write_may_be_to_any_element_at_another_base() -> None:
    """x[k] and x[j] are the same element wherever j = k."""
    known = Known()
    known.put("x", J, A)
    known.put("x", constant(4), B)
    known.put("x", K + 2, C)
    known.forget("x", K)
    assert known.get("x", J) is None
    assert known.get("x", constant(4)) is None
    assert known.get("x", K + 2) is C


def test_a_dim_is_a_base_too() -> None:
    known = Known()
    known.put("x", dim("n") - 1, A)
    known.forget("x", constant(0))
    assert known.get("x", dim("n") - 1) is None


def test_all_of_a_buffer_is_forgotten() -> None:
    known = Known()
    known.put("x", J, A)
    known.forget("x")
    known.forget("never seen")
    known.forget("never seen", J)
    assert known.get("x", J) is None


def test_elements_by_number() -> None:
    known = Known()
    known.put("x", constant(2), B)
    known.put("x", constant(0), A)
    known.put("x", J, C)
    assert sorted(known.numbered("x"), key=lambda pair: pair[0]) == [(0, A), (2, B)]
    assert known.numbered("y") == []


def test_a_part_is_a_copy() -> None:
    """What happens inside a loop is not known after it."""
    known = Known()
    known.put("x", J, A)
    known.put("y", J, B)
    part = known.of(lambda name: name == "x")
    assert part.get("x", J) is A
    assert part.get("y", J) is None
    part.put("x", J, C)
    part.forget("x", K)
    assert known.get("x", J) is A
