"""Names and the flat vector."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.layout import Layout

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
