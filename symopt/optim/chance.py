"""Randomness for pure steps: draws that follow from a seed and a count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Chance:
    """The place in a sequence of independent generators.

    A step draws from `generator()`, and its new state has `following`: the same state always
    draws the same numbers.
    """

    seed: int
    count: int = 0

    def generator(self) -> np.random.Generator:
        """The generator of this place, at its beginning each time."""
        return np.random.Generator(np.random.Philox(key=self.seed, counter=[0, self.count, 0, 0]))

    @property
    def following(self) -> Chance:
        return Chance(self.seed, self.count + 1)
