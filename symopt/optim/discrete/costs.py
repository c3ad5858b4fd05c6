"""Costs of discrete states that know what a move changes, without computing the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from symopt.optim.discrete.neighbourhoods import DiscreteState, Flip, Reversal, Swap
from symopt.optim.problem import Matrix, Vector


class Cost(Protocol):
    """The cost of a state."""

    def __call__(self, state: DiscreteState, /) -> float: ...


@runtime_checkable
class IncrementalCost(Protocol):
    """A cost that can also tell by how much a move changes it."""

    def __call__(self, state: DiscreteState, /) -> float: ...
    def change(self, state: DiscreteState, move: Any, /) -> float: ...


@dataclass(frozen=True, slots=True, eq=False)
class Tour:
    """The length of the closed tour through the places in the order of a permutation.

    The distances are symmetric, (n, n). A reversal changes two edges, a swap up to four.
    """

    distances: Matrix

    def __call__(self, state: DiscreteState) -> float:
        return float(self.distances[state, np.roll(state, -1)].sum())

    def change(self, state: DiscreteState, move: Swap | Reversal) -> float:
        match move:
            case Reversal(first, last):
                return self._reversed(state, first, last)
            case Swap(first, second):
                return self._swapped(state, first, second)

    def _reversed(self, state: DiscreteState, first: int, last: int) -> float:
        n, d = len(state), self.distances
        if last - first >= n - 2:  # the same circle the other way round
            return 0.0
        before, begin = state[first - 1], state[first]
        end, after = state[last], state[(last + 1) % n]
        return float(d[before, end] + d[begin, after] - d[before, begin] - d[end, after])

    def _swapped(self, state: DiscreteState, first: int, second: int) -> float:
        n, d = len(state), self.distances
        edges = {(place - offset) % n for place in (first, second) for offset in (0, 1)}
        new = {first: state[second], second: state[first]}
        change = 0.0
        for edge in edges:
            ahead = (edge + 1) % n
            change -= d[state[edge], state[ahead]]
            change += d[new.get(edge, state[edge]), new.get(ahead, state[ahead])]
        return float(change)


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticAssignment:
    """Σ_ij flows[i, j] distances[p_i, p_j]: facility i stands at place p_i.

    A swap changes two rows and two columns: O(n) instead of O(n²). Both may be unsymmetric.
    """

    flows: Matrix
    distances: Matrix

    def __call__(self, state: DiscreteState) -> float:
        return float(np.sum(self.flows * self.distances[np.ix_(state, state)]))

    def change(self, state: DiscreteState, move: Swap) -> float:
        f, d, r, s = self.flows, self.distances, move.first, move.second
        p, q = state[r], state[s]
        others = np.ones(len(state), bool)
        others[[r, s]] = False
        o = state[others]
        rows = (f[r, others] - f[s, others]) @ (d[q, o] - d[p, o])
        columns = (f[others, r] - f[others, s]) @ (d[o, q] - d[o, p])
        corners = (f[r, r] - f[s, s]) * (d[q, q] - d[p, p])
        corners += (f[r, s] - f[s, r]) * (d[q, p] - d[p, q])
        return float(rows + columns + corners)


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticBits:
    """bᵀ Q b + linear·b of a string of bits b: max-cut, partitions, knapsacks with a penalty.

    A flip costs O(n) instead of O(n²).
    """

    quadratic: Matrix
    linear: Vector

    def __call__(self, state: DiscreteState) -> float:
        return float(state @ self.quadratic @ state + self.linear @ state)

    def change(self, state: DiscreteState, move: Flip) -> float:
        i, q = move.place, self.quadratic
        own = q[i, i] * (1 - 2 * state[i])  # bᵢ² is bᵢ, without the cross terms of i with itself
        cross = q[i] @ state + q[:, i] @ state - 2 * q[i, i] * state[i]
        sign = -1.0 if state[i] else 1.0
        return float(own + sign * (cross + self.linear[i]))
