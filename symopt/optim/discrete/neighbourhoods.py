"""Moves between discrete states: swaps and reversals in permutations, flips of bits."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symopt.optim import errors

DiscreteState: TypeAlias = NDArray[Any]  # integers of a permutation, or booleans
Move: TypeAlias = Hashable  # moves are compared: a tabu list holds the last ones


class Neighbourhood(Protocol):
    """Which states are near a state, and how two make a third.

    States are only read; those handed out are new.
    """

    def checked(self, start: Any, /) -> DiscreteState:
        """The start as a state, or an error that says what it should be."""
        ...

    def propose(self, state: DiscreteState, generator: np.random.Generator, /) -> Move:
        """A move from the state, at random."""
        ...

    def moves(self, state: DiscreteState, /) -> Iterator[Move]:
        """All moves from the state."""
        ...

    def apply(self, state: DiscreteState, move: Any, /) -> DiscreteState:
        """The state after the move. The same move undoes it."""
        ...

    def shuffled(self, state: DiscreteState, generator: np.random.Generator, /) -> DiscreteState:
        """Any state of the kind, at random."""
        ...

    def crossed(
        self, first: DiscreteState, second: DiscreteState, generator: np.random.Generator, /
    ) -> DiscreteState:
        """A child of two states."""
        ...


@dataclass(frozen=True, slots=True)
class Swap:
    """The entries at two places change places."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Reversal:
    """The entries from one place to another, both included, in reverse order (a 2-opt move)."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Flip:
    """A bit becomes the other."""

    place: int


@dataclass(frozen=True, slots=True)
class Swaps:
    """Permutations that differ by a swap. Children by order crossover."""

    def checked(self, start: Any) -> DiscreteState:
        return _permutation(start)

    def propose(self, state: DiscreteState, generator: np.random.Generator) -> Swap:
        return Swap(*_pair(len(state), generator))

    def moves(self, state: DiscreteState) -> Iterator[Swap]:
        return (Swap(i, j) for i in range(len(state)) for j in range(i + 1, len(state)))

    def apply(self, state: DiscreteState, move: Swap) -> DiscreteState:
        moved = state.copy()
        moved[move.first], moved[move.second] = state[move.second], state[move.first]
        return moved

    def shuffled(self, state: DiscreteState, generator: np.random.Generator) -> DiscreteState:
        return generator.permutation(state)

    def crossed(
        self, first: DiscreteState, second: DiscreteState, generator: np.random.Generator
    ) -> DiscreteState:
        return order_crossover(first, second, *_pair(len(first), generator))


@dataclass(frozen=True, slots=True)
class Reversals:
    """Permutations that differ by a reversal: tours with two edges exchanged."""

    def checked(self, start: Any) -> DiscreteState:
        return _permutation(start)

    def propose(self, state: DiscreteState, generator: np.random.Generator) -> Reversal:
        return Reversal(*_pair(len(state), generator))

    def moves(self, state: DiscreteState) -> Iterator[Reversal]:
        return (Reversal(i, j) for i in range(len(state)) for j in range(i + 1, len(state)))

    def apply(self, state: DiscreteState, move: Reversal) -> DiscreteState:
        moved = state.copy()
        moved[move.first : move.last + 1] = state[move.first : move.last + 1][::-1]
        return moved

    def shuffled(self, state: DiscreteState, generator: np.random.Generator) -> DiscreteState:
        return generator.permutation(state)

    def crossed(
        self, first: DiscreteState, second: DiscreteState, generator: np.random.Generator
    ) -> DiscreteState:
        return order_crossover(first, second, *_pair(len(first), generator))


@dataclass(frozen=True, slots=True)
class Flips:
    """Strings of bits that differ in one. Children by uniform crossover."""

    def checked(self, start: Any) -> DiscreteState:
        state = np.array(start)
        if state.ndim != 1 or not len(state) or not np.isin(state, (0, 1)).all():
            raise errors.bad_setting("start", start, "a row of zeros and ones")
        return state.astype(np.bool_)

    def propose(self, state: DiscreteState, generator: np.random.Generator) -> Flip:
        return Flip(int(len(state) * generator.random()))

    def moves(self, state: DiscreteState) -> Iterator[Flip]:
        return (Flip(i) for i in range(len(state)))

    def apply(self, state: DiscreteState, move: Flip) -> DiscreteState:
        moved = state.copy()
        moved[move.place] = ~state[move.place]
        return moved

    def shuffled(self, state: DiscreteState, generator: np.random.Generator) -> DiscreteState:
        return generator.integers(2, size=len(state)).astype(np.bool_)

    def crossed(
        self, first: DiscreteState, second: DiscreteState, generator: np.random.Generator
    ) -> DiscreteState:
        return np.where(generator.integers(2, size=len(first)) == 1, first, second)


def order_crossover(
    first: DiscreteState, second: DiscreteState, begin: int, end: int
) -> DiscreteState:
    """OX: the entries begin..end of the first, the others in their order in the second.

    They are taken, and put, from behind `end` on, around the end of the permutation.
    """
    n = len(first)
    child = first.copy()
    around = (np.arange(n) + end + 1) % n
    order = second[around]
    rest = order[~np.isin(order, first[begin : end + 1])]
    child[around[: len(rest)]] = rest
    return child


def _permutation(start: Any) -> DiscreteState:
    state = np.array(start)
    whole = state.ndim == 1 and len(state) > 1
    if not whole or not np.array_equal(np.sort(state), np.arange(len(state))):
        raise errors.bad_setting("start", start, "a permutation of 0, 1, ..., n - 1, n at least 2")
    return state.astype(np.intp)


def _pair(n: int, generator: np.random.Generator) -> tuple[int, int]:
    """Two different places in ascending order, each pair as likely."""
    # A fraction of n is many times faster to draw than a bounded integer, and as good.
    first, second = int(n * generator.random()), int((n - 1) * generator.random())
    second += second >= first
    return min(first, second), max(first, second)
