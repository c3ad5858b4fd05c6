"""Whether a schedule suits stochastic approximation: the conditions of Robbins and Monro."""

from __future__ import annotations

from dataclasses import dataclass

from symopt.optim.schedules import (
    Constant,
    Cosine,
    Exponential,
    Inverse,
    Plateau,
    ScheduleLike,
    WarmUp,
    schedule_of,
)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Which of both conditions a schedule meets, by its sums over all steps; None if unknown."""

    reaches: bool | None  # whether Σ η = ∞: no place is too far away
    settles: bool | None  # whether Σ η² < ∞: the noise of all steps is bounded
    reason: str

    @property
    def holds(self) -> bool:
        """Whether both conditions are known to hold."""
        return self.reaches is True and self.settles is True


def robbins_monro(given: ScheduleLike) -> Conditions:
    """Whether Σ η = ∞ and Σ η² < ∞ (Robbins and Monro, Ann. Math. Stat. 22 (1951) 400).

    Together with noise of bounded variance they make descent on samples converge.
    """
    match schedule_of("robbins_monro", given):
        case Constant():
            return _CONSTANT
        case Inverse(_, power):
            return _power(power)
        case Exponential():
            return Conditions(False, True, "Σ exp(−βk) is a geometric series")
        case Plateau(drop):
            return _plateau(drop)
        case Cosine(_, last):
            if last == 0:
                return Conditions(False, True, "after the last step of the cosine the rate is 0")
            return Conditions(True, False, "after the cosine the rate is constant")
        case WarmUp(_, then):
            found = robbins_monro(then)
            return Conditions(
                found.reaches,
                found.settles,
                f"{found.reason}, and the finitely many steps of the warm-up change no limit",
            )
        case other:
            return Conditions(
                None, None, f"{type(other).__name__} is not one of the schedules here"
            )


_CONSTANT = Conditions(True, False, "the terms of both sums are constant")


def _power(power: float) -> Conditions:
    """Of terms that fall like k^-power: a sum is finite just for powers above 1."""
    reaches, settles = power <= 1, 2 * power > 1
    first = f"{power:g} ≤ 1" if reaches else f"{power:g} > 1"
    second = f"{2 * power:g} > 1" if settles else f"{2 * power:g} ≤ 1"
    return Conditions(reaches, settles, f"η falls like k^−{power:g} and {first}; η² has {second}")


def _plateau(drop: float) -> Conditions:
    if drop >= 1:
        return Conditions(True, False, "the rate never falls")
    return Conditions(
        None,
        None,
        "how long each rate is kept depends on the losses; once they no longer fall, "
        "the rates are a geometric series, whose sums are finite",
    )
