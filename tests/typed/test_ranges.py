"""Symbolic bounds of indices, checked against all values they take."""

from itertools import product

import numpy as np
import pytest

from symopt.typed.ranges import greatest, inside, least, never_negative
from symopt.types import Clamp, Integer, Range, atom, constant, dim, evaluate, index

N, M = dim("n"), dim("m")
ROW, J = index("i"), index("j")
RANGES = {"i": Range("i", constant(1), N), "j": Range("j", constant(0), ROW)}
SIZES = {"n": 5, "m": 3}
VALUES = [
    ROW,
    J,
    ROW + 1,
    N - 1 - ROW,
    2 * ROW - J,
    ROW - J,
    ROW // constant(2),
    ROW % M,
    (ROW + J) % constant(4),
    atom(Clamp(ROW - 3, M)),
    ROW * M + J,
]


def values(value: Integer) -> list[int]:
    points = (
        {"i": i, "j": j} for i, j in product(range(1, SIZES["n"]), range(SIZES["n"])) if j < i
    )
    return [int(evaluate(value, SIZES, point, {})) for point in points]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_bounds_hold(value: Integer) -> None:
    low = int(evaluate(least(value, RANGES, {}), SIZES, {}, {}))
    high = int(evaluate(greatest(value, RANGES, {}), SIZES, {}, {}))
    assert low <= min(values(value))
    assert max(values(value)) <= high


@pytest.mark.parametrize("value", [ROW, J, ROW + 1, N - 1 - ROW], ids=str)
def test_bounds_of_affine_places_are_exact(value: Integer) -> None:
    assert least(value, RANGES, {}).dims <= {"n"}
    assert int(evaluate(greatest(value, RANGES, {}), SIZES, {}, {})) == max(values(value))
    assert int(evaluate(least(value, RANGES, {}), SIZES, {}, {})) == min(values(value))


def test_inside_is_proven_for_every_size() -> None:
    zero = constant(0)
    assert inside(ROW, zero, N, RANGES, {})
    assert inside(ROW - 1, zero, N, RANGES, {})
    assert inside(N - 1 - ROW, zero, N, RANGES, {})
    assert inside(ROW % M, zero, M, RANGES, {})
    assert not inside(ROW + 1, zero, N, RANGES, {})
    assert not inside(ROW - 2, zero, N, RANGES, {})
    assert not inside(ROW, zero, M, RANGES, {})


def test_differences_of_dependent_indices() -> None:
    certain = [ROW - J - 1, J, N - J - 2, 2 * ROW - 2 * J - 2, N - 1 - ROW, ROW - 1]
    for value in certain:
        assert min(values(value)) >= 0
        assert never_negative(value, RANGES), value
    for value in [J - 1, ROW - J - 2, J - ROW, ROW * J, N - ROW - 2, M, ROW // constant(2)]:
        assert never_negative(value, RANGES) <= (min(values(value)) >= 0)
    assert not never_negative(ROW - J - 2, RANGES)
    assert not never_negative(M - 1, RANGES)


def test_inside_is_true_for_every_point() -> None:
    """What is proven holds, by looking at all points: also of products and of indices below 0."""
    rng = np.random.default_rng(0)
    proven = 0
    for _ in range(3000):
        n = dim("n")
        ends = [constant(int(rng.integers(-3, 3))) for _ in range(2)]
        ranges = {
            name: Range(name, low, n + int(rng.integers(-1, 3)))
            for name, low in zip("ij", ends, strict=True)
        }
        i, j = index("i"), index("j")
        parts = [i, j, i * j, i * i, n * i, n, constant(1)]
        place = constant(0)
        for part in rng.choice(len(parts), 3):
            place = place + parts[part] * int(rng.integers(-2, 3))
        upper = [n * n + 3, n + 2, 3 * n * n + 9][rng.integers(3)]
        if not inside(place, constant(0), upper, ranges, {}):
            continue
        proven += 1
        for size in range(5):
            points = [
                range(*(evaluate(e, {"n": size}, {}, {}) for e in (loop.lower, loop.upper)))
                for loop in ranges.values()
            ]
            for a, b in product(*points):
                value = evaluate(place, {"n": size}, {"i": a, "j": b}, {})
                assert 0 <= value < evaluate(upper, {"n": size}, {}, {}), (place, ranges)
    assert proven > 50
