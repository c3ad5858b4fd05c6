"""Patterns of packed parameters, against their definitions entry by entry."""

import numpy as np
import pytest

from symopt.typed.packing import Pattern, stored_shape
from symopt.types import dim, evaluate

BELOW = {"lower": lambda a, b: b <= a, "strict lower": lambda a, b: b < a}
KINDS = ("lower", "strict lower", "symmetric")
kinds = pytest.mark.parametrize("kind", KINDS)
sides = pytest.mark.parametrize("side", [0, 1, 2, 3, 6])


def unknowns(kind, side):
    inside = BELOW.get(kind, BELOW["lower"])
    return [(a, b) for a in range(side) for b in range(side) if inside(a, b)]


@kinds
@sides
def test_unknowns_stand_row_by_row(kind, side):
    pattern = Pattern(kind, side)
    places = list(zip(pattern.rows.tolist(), pattern.columns.tolist(), strict=True))
    assert places == unknowns(kind, side)
    shape = stored_shape(kind, (dim("K"), dim("d"), dim("d")))
    sizes = {"K": 4, "d": side}
    assert [evaluate(size, sizes, {}, {}) for size in shape] == [4, len(places)]


@kinds
@sides
def test_positions_are_those_of_the_unknowns(kind, side):
    pattern = Pattern(kind, side)
    positions = pattern.positions
    for number, (a, b) in enumerate(unknowns(kind, side)):
        assert positions[a, b] == number
        if kind == "symmetric":
            assert positions[b, a] == number
    assert positions.shape == (side, side)
    count = len(unknowns(kind, side))
    assert ((positions >= 0) & (positions < max(count, 1))).all()


def test_zeros_add_no_columns_to_their_row():
    for kind in BELOW:
        positions = Pattern(kind, 5).positions
        for a in range(1, 5):
            own = {int(positions[a, b]) for b in range(5) if BELOW[kind](a, b)}
            assert set(positions[a].tolist()) == own


@kinds
@sides
def test_full_and_stored_arrays(kind, side, rng):
    pattern = Pattern(kind, side)
    stored = rng.normal(size=(2, len(unknowns(kind, side))))
    full = pattern.unpacked(stored)
    np.testing.assert_array_equal(pattern.packed(full), stored)
    assert pattern.stray(full) is None
    for k, a, b in np.ndindex(full.shape):
        if (a, b) not in unknowns(kind, side):
            assert full[k, a, b] == (full[k, b, a] if kind == "symmetric" else 0)


@pytest.mark.parametrize(
    ("kind", "place"), [("lower", (0, 1)), ("strict lower", (1, 1)), ("symmetric", (1, 2))]
)
def test_what_strays_is_found(kind, place):
    full = np.zeros((2, 3, 3))
    full[1][place] = 2.0
    stray = Pattern(kind, 3).stray(full)
    assert stray is not None and stray[0] == 1 and set(stray[1:]) == set(place)


def test_rounding_is_no_asymmetry_and_nan_is_nan(rng):
    square = rng.normal(size=(6, 6))
    product = square @ np.diag(rng.normal(size=6)) @ square.T
    assert Pattern("symmetric", 6).stray(product) is None
    assert Pattern("symmetric", 6).stray(product * (1 + 1e-9 * np.triu(np.ones((6, 6)), 1)))
    assert Pattern("symmetric", 2).stray(np.full((2, 2), np.nan)) is None
    assert Pattern("lower", 2).stray(np.array([[1, np.nan], [0, 1]])) == (0, 1)
    assert Pattern("symmetric", 2).stray(np.full((2, 2), np.inf)) is None
