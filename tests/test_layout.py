"""Names and the flat vector."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.layout import Layout
from symopt.typed.packing import Pattern

PACKED = Layout(
    {"s": (), "L": (2, 3), "A": (3,), "none": (2, 0)},
    {
        "L": Pattern("strict lower", 3),
        "A": Pattern("symmetric", 2),
        "none": Pattern("strict lower", 1),
    },
)
LAYOUT = Layout({"W": (2, 3), "b": (), "empty": (0,), "c": (2,)})


def test_packing_and_unpacking_are_inverse(rng):
    values = {"W": rng.normal(size=(2, 3)), "b": 0.5, "empty": [], "c": [1, 2]}
    flat = LAYOUT.pack(values)
    assert flat.shape == (9,)
    again = LAYOUT.unpack(flat)
    assert again["b"] == 0.5
    np.testing.assert_array_equal(again["W"], values["W"])
    np.testing.assert_array_equal(LAYOUT.pack(again), flat)


def test_every_entry_has_a_name():
    assert LAYOUT.names[:4] == ("W[0, 0]", "W[0, 1]", "W[0, 2]", "W[1, 0]")
    assert LAYOUT.names[6:] == ("b", "c[0]", "c[1]")


def test_views_share_memory():
    flat = np.zeros(LAYOUT.size)
    LAYOUT.arrays(flat)["c"][1] = 7
    assert flat[-1] == 7


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"W": 0, "b": 0, "empty": [], "c": [1, 2, 3]},
            r"`c` must have shape \(2,\), found \(3,\)",
        ),
        ({"W": 0, "b": [1.0], "empty": [], "c": 0}, r"`b` must have shape \(\), found \(1,\)"),
        ({"W": 0, "b": "x", "empty": [], "c": 0}, "`b` must have shape"),
        ({"W": 0, "empty": [], "c": 0}, "no value given for parameter `b`"),
        ({"V": 0, "W": 0, "b": 0, "empty": [], "c": 0}, "did you mean `W`"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    if "V" in values:
        message = "there is no parameter `V`"
    with pytest.raises(DataError, match=message):
        LAYOUT.pack(values)


def test_packed_arrays_are_full_for_people():
    flat = np.arange(10.0)
    found = PACKED.unpack(flat)
    np.testing.assert_array_equal(
        found["L"], [[[0, 0, 0], [1, 0, 0], [2, 3, 0]], [[0, 0, 0], [4, 0, 0], [5, 6, 0]]]
    )
    np.testing.assert_array_equal(found["A"], [[7, 8], [8, 9]])
    np.testing.assert_array_equal(found["none"], np.zeros((2, 1, 1)))
    np.testing.assert_array_equal(PACKED.pack(found), flat)
    stored = {"s": 0, "L": [[1, 2, 3], [4, 5, 6]], "A": [7, 8, 9], "none": 5.0}
    np.testing.assert_array_equal(PACKED.pack(stored), flat)
    filled = PACKED.pack({"s": 1, "L": 2, "A": 3, "none": 0})
    np.testing.assert_array_equal(filled, [1, *[2] * 6, *[3] * 3])


def test_packed_entries_are_named_by_their_full_index():
    assert PACKED.names == (
        *("s", "L[0, 1, 0]", "L[0, 2, 0]", "L[0, 2, 1]"),
        *("L[1, 1, 0]", "L[1, 2, 0]", "L[1, 2, 1]"),
        *("A[0, 0]", "A[1, 0]", "A[1, 1]"),
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("L", np.ones((2, 3, 3)), r"strict lower, but L\[0, 0, 0\] = 1.0 is outside"),
        ("A", [[1, 2], [3, 4]], r"A\[0, 1\] = 2.0 and A\[1, 0\] = 3.0"),
        ("L", np.ones((2, 4)), r"shape \(2, 3, 3\), or \(2, 3\) for its unknowns alone, found"),
        ("L", np.zeros((3, 3)), "for its unknowns alone"),
        ("A", "x", "`A` must have shape"),
    ],
)
def test_packed_arrays_have_to_fit(name, value, message):
    with pytest.raises(DataError, match=message):
        PACKED.pack({"s": 0, "L": 0, "A": 0, "none": 0, name: value})
