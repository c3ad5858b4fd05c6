"""Sparse least-squares systems with a block structure that is known by construction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from symopt.optim.linear.scaled import ScaledMatrix


@dataclass(frozen=True)
class Coupled:
    """A system J'J, names of its unknowns, and which of them are in blocks of their own."""

    matrix: scipy.sparse.csr_array
    names: tuple[str, ...]

    def system(self, damping=0.1):
        scale = 1 / np.sqrt(self.matrix.diagonal())
        return ScaledMatrix(self.matrix, scale, np.full(len(scale), damping))


def dense(system):
    """The matrix of a system by plain algebra."""
    whole = np.diag(system.scale) @ system.matrix.toarray() @ np.diag(system.scale)
    return whole + np.diag(system.shift)


def pictures(rng, cameras=5, points=40, seen=3, own=True):
    """Two residuals for each sight of a point by a camera, as in a bundle adjustment.

    With `own`, each point has a brightness too, which a third residual compares with the gain of
    the camera; it belongs into the point's block. All share a drift.
    """
    sizes = {"camera": (cameras, 4), "gain": (cameras,), "drift": (), "point": (points, 3)}
    if own:
        sizes["brightness"] = (points,)
    places, start = {}, 0
    for name, shape in sizes.items():
        count = int(np.prod(shape))
        places[name] = np.arange(start, start + count).reshape(shape)
        start += count
    rows, columns = [], []

    def residual(*unknowns):
        rows.append(np.full(sum(np.size(u) for u in unknowns), len(rows)))
        columns.append(np.concatenate([np.ravel(u) for u in unknowns]))

    for point in range(points):
        for camera in rng.permutation(cameras)[:seen]:
            for _ in range(2):
                residual(places["camera"][camera], places["point"][point], places["drift"])
            if own:
                residual(places["gain"][camera], places["brightness"][point],
                         places["point"][point, 0])  # fmt: skip
    for gain in places["gain"]:
        residual(gain)
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    jacobian = scipy.sparse.csr_array((rng.normal(size=len(rows)), (rows, columns)))
    names = tuple(
        f"{name}[{', '.join(map(str, place))}]" if shape else name
        for name, shape in sizes.items()
        for place in np.ndindex(shape)
    )
    matrix = scipy.sparse.csr_array(jacobian.T @ jacobian)
    matrix.sort_indices()
    return Coupled(matrix, names)
