"""Every stationary point of a logistic unit on one point more than it has weights, by NumPy alone.

With nets z = A w, the gradient is zero where Aᵀ r = 0, r_i = c_i q(z_i) and
q(z) = 2 (target - σ(z)) σ'(z). Aᵀ has a null space of one dimension, spanned by ν: so
c_i q(z_i) = κ ν_i for some number κ, and z is the nets of some weights just where ν · z = 0. q is
monotone between its extrema, and so z follows from κ on each of finitely many branches: what
remains is to find the zeros of functions of one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_FAR = 60.0  # nets beyond this are saturated to the last bit


@dataclass(frozen=True, slots=True, eq=False)
class Stationary:
    """A stationary point: weights with the bias last."""

    weights: Array
    loss: float
    gradient: float  # its largest entry
    curvatures: Array  # eigenvalues of the Hessian, ascending
    separates: bool

    @property
    def kind(self) -> str:
        return "minimum" if self.curvatures[0] > 0 else "saddle"


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A training set: points, labels 0 or 1, how often each is there, and eps of the targets."""

    places: Array
    labels: NDArray[np.intp]
    copies: Array
    eps: float = 0.1

    @property
    def rows(self) -> Array:
        """The points with a 1 for the bias."""
        return np.column_stack([self.places, np.ones(len(self.places))])

    @property
    def targets(self) -> Array:
        return np.where(self.labels == 1, 1 - self.eps, self.eps)

    def separated(self, weights: Array) -> bool:
        return bool(((self.rows @ weights > 0) == (self.labels == 1)).all())


def stationary_points(points: Points) -> tuple[Stationary, ...]:
    """All of them, up to saturation, best first."""
    null = np.linalg.svd(points.rows.T)[2][-1]
    found: list[Stationary] = []
    for sign in (-1.0, 1.0):
        wanted = sign * null / points.copies  # q_i is this times |κ|
        sides = [_branches(target, q > 0) for target, q in zip(points.targets, wanted, strict=True)]
        for choice in product((0, 1), repeat=len(wanted)):
            ends = [side[k] for side, k in zip(sides, choice, strict=True)]
            found += _along(points, null, wanted, ends)
    return tuple(sorted(found, key=lambda at: at.loss))


def loss(points: Points, weights: Array) -> Array:
    """The loss at weights (..., d + 1)."""
    errors = points.targets - _sigmoid(weights @ points.rows.T)
    return (points.copies * errors**2).sum(-1)


def _along(
    points: Points, null: Array, wanted: Array, ends: list[tuple[float, float]]
) -> list[Stationary]:
    """The zeros of ν · z(κ) along one choice of branches."""
    targets = points.targets
    heights = [abs(_q(end[1], t) / q) for end, t, q in zip(ends, targets, wanted, strict=True)]
    # Dense at both ends: q decays there exponentially, here like a square.
    near = np.logspace(-10, -0.3, 200)[::-1]
    scale = min(heights) * np.concatenate([np.logspace(-14, -0.3, 300), 1 - near])

    def nets(scale: Array) -> Array:
        solved = [_inverse(q * scale, t, e) for q, t, e in zip(wanted, targets, ends, strict=True)]
        return np.array(solved)

    balance = null @ nets(scale)
    low, high = scale[:-1], scale[1:]
    change = balance[:-1] * balance[1:] < 0
    low, high, rising = low[change], high[change], balance[1:][change] > 0
    for _ in range(80 if change.any() else 0):
        middle = np.sqrt(low * high)
        above = (null @ nets(middle) > 0) == rising
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return [_stationary(points, z) for z in nets(low).T]


def _stationary(points: Points, nets: Array) -> Stationary:
    rows, copies, targets = points.rows, points.copies, points.targets
    weights = np.linalg.lstsq(rows, nets, rcond=None)[0]
    s = _sigmoid(rows @ weights)
    slope = s * (1 - s)
    bend = slope * (1 - 2 * s)
    hessian = rows.T @ ((2 * copies * (slope**2 - (targets - s) * bend))[:, None] * rows)
    return Stationary(
        weights,
        float(loss(points, weights)),
        float(np.max(np.abs(rows.T @ (copies * _q(rows @ weights, targets))))),
        np.linalg.eigvalsh(hessian),
        points.separated(weights),
    )


def _branches(target: float, positive: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where q has that sign: from where it is zero to its extremum, on either side of that."""
    zero = float(np.log(target / (1 - target)))
    # q' = 0 where s(1-s) = (target - s)(1 - 2s): 3s² - 2(1 + target) s + target = 0.
    root = np.sqrt((1 + target) ** 2 - 3 * target)
    s = ((1 + target) - root if positive else (1 + target) + root) / 3
    peak = float(np.log(s / (1 - s)))
    return (zero, peak), (-_FAR if positive else _FAR, peak)


def _inverse(q: Array, target: float, ends: tuple[float, float]) -> Array:
    """The net between the ends at which q(net) = q; |q| grows from the first end to the second."""
    small, large = np.full(q.shape, ends[0]), np.full(q.shape, ends[1])
    for _ in range(60):
        middle = (small + large) / 2
        below = np.abs(_q(middle, target)) < np.abs(q)
        small, large = np.where(below, middle, small), np.where(below, large, middle)
    return (small + large) / 2


def _q(net: Array | float, target: Array | float) -> Array:
    s = _sigmoid(np.asarray(net))
    return 2 * (target - s) * s * _sigmoid(-np.asarray(net))


def _sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0, -z))
