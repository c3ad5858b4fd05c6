"""How annealing cools: by a constant factor, from a temperature that suits the objective."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from symopt.optim.problem import Vector


@dataclass(frozen=True, slots=True)
class Cooling:
    """A temperature that stays for `sweeps` sweeps and then falls to `factor` times itself."""

    first: float
    factor: float
    sweeps: int
    sweep: int = 0  # the number of the current one

    @property
    def temperature(self) -> float:
        return self.first * self.factor**self.level

    @property
    def level(self) -> int:
        """How often it has cooled."""
        return self.sweep // self.sweeps

    @property
    def part(self) -> float:
        """The temperature as a part of the first."""
        return self.factor**self.level

    @property
    def following(self) -> Cooling:
        return replace(self, sweep=self.sweep + 1)


def first_temperature(changes: Vector, acceptance: float) -> float:
    """The temperature at which a typical rise is accepted with that probability.

    The typical one is the median, which a few huge values do not spoil. 1 where nothing changes.
    """
    sizes = np.abs(changes[np.isfinite(changes) & (changes != 0)])
    return float(np.median(sizes)) / -float(np.log(acceptance)) if len(sizes) else 1.0
