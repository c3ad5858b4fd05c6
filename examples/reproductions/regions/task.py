"""The four-regions task of Singhal and Wu (1988), and points to learn it from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def region(points: Array) -> NDArray[np.int64]:
    """The region, 0 to 3, of each row of (n, 2) in the square from -1 to 1."""
    x, y = points.T
    distance = np.hypot(x, y)
    outside = np.where(y > 0, 2, 3)
    outer_ring = np.where(x > 0, 0, 1)
    inner_ring = np.where(x > 0, 1, 0)
    return np.select(
        [distance > 5 / 6, distance > 1 / 2, distance > 1 / 6], [outside, outer_ring, inner_ring], 0
    )


def labelled(points: Array) -> dict[str, Array | NDArray[np.int64]]:
    """Points with their regions, as data of the network."""
    return {"x": points, "t": region(points)}


def grid(size: int = 40) -> Array:
    """The centres of size x size cells of the square."""
    centres = (np.arange(size) + 0.5) * 2 / size - 1
    return np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)


def drawn(count: int, batch: int, seed: int) -> Iterator[dict[str, Array | NDArray[np.int64]]]:
    """`count` batches of points drawn afresh, uniformly and independently."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield labelled(rng.uniform(-1, 1, (batch, 2)))


def wandering(
    count: int, batch: int, seed: int, stride: float = 0.1
) -> Iterator[dict[str, Array | NDArray[np.int64]]]:
    """`count` batches of points one after another on a random walk, reflected at the edges.

    They are as uniform in the long run, but each is near to the one before.
    """
    rng = np.random.default_rng(seed)
    place = rng.uniform(-1, 1, 2)
    for _ in range(count):
        walk = place + np.cumsum(rng.normal(0, stride, (batch, 2)), axis=0)
        place = walk[-1]
        yield labelled(np.abs((walk - 1) % 4 - 2) - 1)  # a triangle wave: folds into the square
