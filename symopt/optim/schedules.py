"""How a rate goes on from its first value: the schedules of every method that has one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np

from symopt.optim import errors
from symopt.optim.options import check_positive


@dataclass(frozen=True, slots=True)
class Progress:
    """What schedules go by: steps so far, and the losses that the run was told of."""

    count: int = 0
    best: float = float("inf")  # the lowest loss so far
    waited: int = 0  # losses since then, or since the last drop
    drops: int = 0


class Schedule(Protocol):
    """A rate as a fraction of the first one; frozen."""

    def factor(self, progress: Progress) -> float: ...
    def told(self, progress: Progress, loss: float) -> Progress:
        """The progress after a loss: of the validation data, or else of training."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """η = η₀."""

    def factor(self, progress: Progress) -> float:
        return 1.0

    def told(self, progress: Progress, loss: float) -> Progress:
        return progress


@dataclass(frozen=True, slots=True)
class Inverse:
    """η = η₀/(1 + k/steps)^power: with power 1 it obeys the Robbins-Monro conditions."""

    steps: float = 1.0
    power: float = 1.0

    def __post_init__(self) -> None:
        check_positive("Inverse", steps=self.steps, power=self.power)

    def factor(self, progress: Progress) -> float:
        return float((1 + progress.count / self.steps) ** -self.power)

    def told(self, progress: Progress, loss: float) -> Progress:
        return progress


@dataclass(frozen=True, slots=True)
class Exponential:
    """η = η₀ exp(−βk)."""

    decay: float = 1e-3  # β

    def __post_init__(self) -> None:
        check_positive("Exponential", decay=self.decay)

    def factor(self, progress: Progress) -> float:
        return float(np.exp(-self.decay * progress.count))

    def told(self, progress: Progress, loss: float) -> Progress:
        return progress


@dataclass(frozen=True, slots=True)
class Plateau:
    """η falls to `drop` times itself when no loss was lower than the lowest for `patience` checks.

    Lower is lower by more than the fraction `threshold` of the lowest one.
    """

    drop: float = 0.1
    patience: int = 10
    threshold: float = 1e-4

    def __post_init__(self) -> None:
        check_positive("Plateau", drop=self.drop, patience=self.patience)

    def factor(self, progress: Progress) -> float:
        return float(self.drop**progress.drops)

    def told(self, progress: Progress, loss: float) -> Progress:
        margin = self.threshold * abs(progress.best) if np.isfinite(progress.best) else 0.0
        if loss < progress.best - margin:
            return replace(progress, best=loss, waited=0)
        if progress.waited + 1 < self.patience:
            return replace(progress, waited=progress.waited + 1)
        return replace(progress, waited=0, drops=progress.drops + 1)


@dataclass(frozen=True, slots=True)
class Cosine:
    """η falls from η₀ to `last`·η₀ in so many steps, along half a cosine.

    Loshchilov and Hutter, SGDR, ICLR 2017, eq. 5, without restarts.
    """

    steps: int = 1000
    last: float = 0.0

    def __post_init__(self) -> None:
        check_positive("Cosine", steps=self.steps)

    def factor(self, progress: Progress) -> float:
        part = min(progress.count / self.steps, 1.0)
        return float(self.last + (1 - self.last) * (1 + np.cos(np.pi * part)) / 2)

    def told(self, progress: Progress, loss: float) -> Progress:
        return progress


@dataclass(frozen=True, slots=True)
class WarmUp:
    """η rises to η₀ in equal steps; then another schedule begins."""

    steps: int = 100
    then: Schedule = Constant()

    def __post_init__(self) -> None:
        check_positive("WarmUp", steps=self.steps)

    def factor(self, progress: Progress) -> float:
        if progress.count < self.steps:
            return (progress.count + 1) / self.steps
        return self.then.factor(replace(progress, count=progress.count - self.steps))

    def told(self, progress: Progress, loss: float) -> Progress:
        return self.then.told(progress, loss)


ScheduleLike: TypeAlias = str | Schedule
NAMES: dict[str, Schedule] = {
    "constant": Constant(),
    "1/(k+1)": Inverse(),
    "1/(k+1)^2": Inverse(power=2.0),
    "exponential": Exponential(),
    "plateau": Plateau(),
    "cosine": Cosine(),
    "warm-up": WarmUp(),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate on its way along a schedule; methods use `rate` and go on with `following`."""

    first: float
    schedule: Schedule
    progress: Progress = Progress()

    @property
    def rate(self) -> float:
        return self.first * self.schedule.factor(self.progress)

    @property
    def following(self) -> Pace:
        # In full, for `replace` takes as long as a small gradient.
        past = self.progress
        progress = Progress(past.count + 1, past.best, past.waited, past.drops)
        return Pace(self.first, self.schedule, progress)

    def told(self, loss: float) -> Pace:
        """The pace after the run has measured a loss."""
        progress = self.schedule.told(self.progress, loss)
        return self if progress is self.progress else replace(self, progress=progress)


def schedule_of(method: str, given: ScheduleLike) -> Schedule:
    """A schedule by its name, or itself."""
    if not isinstance(given, str):
        return given
    if given not in NAMES:
        raise errors.bad_option(method, "schedule", given, f"a schedule, or one of {list(NAMES)}")
    return NAMES[given]


def pace_of(rate: float, schedule: ScheduleLike) -> Pace:
    """The pace of a first rate along a schedule that is known (see `check_rate`)."""
    return Pace(rate, schedule_of("", schedule))


def check_rate(method: str, rate: float | None, schedule: ScheduleLike) -> None:
    """A rate is positive, or None for one that is chosen; a schedule is known."""
    check_positive(method, rate=rate)
    schedule_of(method, schedule)
