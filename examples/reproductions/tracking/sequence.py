"""A hand that moves as we tell it: postures, and what a range sensor would measure of its skin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import symopt

HERE = Path(__file__).parent
Array = NDArray[np.float64]
DECIMETRES = 10.0  # of a metre: so that a shift by 1 and a turn by 1 move the hand about as far
NOISE = 0.01  # of each coordinate: 1 mm


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """The bones, and points of the skin as `pull` of tracker.sym has them."""

    bones: dict[str, Array]
    vertices: Array  # (544, bones, 4)
    corners: NDArray[np.intp]
    areas: Array  # of the triangles, as parts of the whole

    def drawn(self, count: int, chance: np.random.Generator) -> Array:
        """Points spread evenly over the skin at rest."""
        triangles = self.corners[chance.choice(len(self.areas), size=count, p=self.areas)]
        u = np.sort(chance.random((count, 2)), axis=1)
        parts = np.column_stack([u[:, 0], u[:, 1] - u[:, 0], 1 - u[:, 1]])
        return np.einsum("ic,icjk->ijk", parts, self.vertices[triangles])


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One moment: the true posture, all measured points, and the vertices without noise."""

    posture: Array
    data: dict[str, Array]
    truth: Array


def load_hand() -> Hand:
    """ADBench's hand, in decimetres."""
    stored = np.load(HERE / "hand.npz")
    matrices = {name: stored[name].copy() for name in ("relative", "inverse")}
    for matrix in matrices.values():
        matrix[:, :3, 3] *= DECIMETRES
    base = DECIMETRES * stored["base"]
    homogeneous = np.column_stack([base, np.ones(len(base))])
    corners = stored["corner"].astype(np.intp)
    a, b, c = (base[corners[:, k]] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return Hand(
        {"parent": stored["parent"].astype(np.intp), **matrices},
        stored["weight"][:, :, None] * homogeneous[:, None, :],
        corners,
        areas / areas.sum(),
    )


def posture(moment: float) -> Array:
    """Turn, shift and the angles of the fingers: waves with phases of their own, of 40 frames."""
    wave = np.sin(2 * np.pi * moment / 40 + np.arange(26) * 0.7)
    turn = 0.3 + 0.3 * wave[:3]
    shift = np.array([1.0, -0.5, 3.0]) + 0.5 * wave[3:6]
    finger = 0.5 + 0.45 * wave[6:].reshape(5, 4)
    finger[:, 1] = 0.12 * wave[6:].reshape(5, 4)[:, 1]
    return np.concatenate([turn, shift, finger.ravel()])


def bind(hand: Hand, data: dict[str, Array]) -> symopt.Problem:
    """The tracker on some measured points."""
    return symopt.load(HERE / "tracker.sym").bind({**hand.bones, **data})


def frames(hand: Hand, count: int, points: int, seed: int = 0) -> tuple[Frame, ...]:
    """The sequence, each frame with its own points of the skin."""
    chance = np.random.default_rng(seed)
    skin = bind(hand, {"pull": hand.vertices, "measured": np.zeros((len(hand.vertices), 3))})
    found: list[Frame] = []
    for number in range(count):
        p = posture(number)
        pull = hand.drawn(points, chance)
        seen = bind(hand, {"pull": pull, "measured": np.zeros((points, 3))})
        measured = seen.eval("hand", p) + NOISE * chance.normal(size=(points, 3))
        found.append(Frame(p, {"pull": pull, "measured": measured}, skin.eval("hand", p)))
    return tuple(found)
