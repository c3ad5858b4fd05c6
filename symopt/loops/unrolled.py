"""Short steps as the updates of every point, one after another: their values stay in registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy

from symopt.loops.program import Fill, Steps, Update
from symopt.loops.work import operations, points
from symopt.primitives.record import Constant
from symopt.statements.expression import replaced
from symopt.statements.program import Read
from symopt.types import Clamp, Integer, Range, constant


def unrolled(part: Fill | Update | Steps, limit: int) -> tuple[Fill | Update | Steps, ...]:
    """A part of a pass; steps of up to `limit` operations written out."""
    if not isinstance(part, Steps) or _work(part, {}) > limit:
        return (part,)
    return tuple(_updates(part, {}))


def _numbers(steps: Steps, known: Mapping[str, Integer]) -> range | None:
    """The points of steps in order, if they are numbers."""
    lower, upper = (e.substitute(known).value for e in (steps.loop.lower, steps.loop.upper))
    if lower is None or upper is None:
        return None
    return range(upper - 1, lower - 1, -1) if steps.backward else range(lower, upper)


def _work(steps: Steps, known: Mapping[str, Integer]) -> float:
    """The operations of all points of steps."""
    numbers = _numbers(steps, known)
    if numbers is None:
        return float("inf")
    total = 0.0
    for number in numbers:
        here = {**known, steps.loop.index: constant(number)}
        for part in steps.body:
            if isinstance(part, Steps):
                total += _work(part, here)
            else:
                count = points([_moved_loop(loop, here) for loop in part.loops])
                total += float("inf") if count is None else count * operations(part)
        if total > _MOST:
            return float("inf")
    return total


_MOST = 1e6  # beyond any limit: there is no need to go on


def _updates(steps: Steps, known: Mapping[str, Integer]) -> list[Update]:
    found: list[Update] = []
    for number in _numbers(steps, known) or ():
        here = {**known, steps.loop.index: constant(number)}
        for part in steps.body:
            if isinstance(part, Steps):
                found.extend(_updates(part, here))
            elif not _adds_nothing(part, here):
                found.append(_at(part, here))
    return found


def _adds_nothing(update: Update, known: Mapping[str, Integer]) -> bool:
    """Whether a sum's place is out of range, so that what it adds is selected away."""
    return update.reduction == "sum" and any(_is_outside(part, known) for part in update.place)


def _at(update: Update, known: Mapping[str, Integer]) -> Update:
    """An update at one point of the steps around it."""
    reads: list[Read] = []
    numbers: dict[sympy.Basic, sympy.Expr] = {}
    for read in update.reads:
        place = tuple(part.substitute(known) for part in read.map)
        if any(_is_outside(part, known) for part in read.map):
            numbers[read.symbol] = Constant(0.0)  # never looked at
        elif read.tensor is None and place[0].value is not None:
            numbers[read.symbol] = Constant(float(place[0].value))
        else:
            reads.append(replace(read, map=place))
    winner = update.winner
    if winner is not None:
        winner = replace(winner, position=winner.position.substitute(known))
    return replace(
        update,
        place=tuple(part.substitute(known) for part in update.place),
        loops=tuple(_moved_loop(loop, known) for loop in update.loops),
        expression=replaced(update.expression, numbers),
        reads=tuple(reads),
        winner=winner,
    )


def _moved_loop(loop: Range, known: Mapping[str, Integer]) -> Range:
    return Range(loop.index, loop.lower.substitute(known), loop.upper.substitute(known))


def _is_outside(place: Integer, known: Mapping[str, Integer]) -> bool:
    """Whether a clamp moves a place, which was then out of range, for certain."""
    for item in place.atoms():
        if isinstance(item, Clamp):
            number, extent = (p.substitute(known).value for p in (item.value, item.extent))
            if number is not None and extent is not None and not 0 <= number < extent:
                return True
    return False
