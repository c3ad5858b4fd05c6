"""What is wrong with sizes and indices that the library refuses: at which point of which loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from symopt.artifacts.python.runtime.binding import Array, Bound
from symopt.artifacts.python.runtime.errors import DataError, Mistake, ShapeError, stop_if_any
from symopt.artifacts.python.runtime.specification import Lookup, Specification


def refuse_lookups(loss: Specification, bound: Bound) -> None:
    """Raise an error with every place that leaves its axis; or every step that comes too late."""
    steps = [one for one in loss.lookups if one.relation in ("before", "after")]
    places = [one for one in loss.lookups if one.relation not in ("before", "after")]
    stop_if_any(_mistakes(places, bound), ShapeError)
    stop_if_any(_mistakes(steps, bound), DataError)


def _mistakes(lookups: Iterable[Lookup], bound: Bound) -> Iterator[Mistake]:
    """What is wrong at first points where anything is; of a statement that divides by 0, that."""
    indices = {name: array for name, array in bound.arrays.items() if array.dtype.kind == "i"}
    divided: set[int] = set()
    for lookup in lookups:
        if lookup.statement in divided:
            continue
        try:
            found = _mistake(lookup, bound.dims, indices)
        except ZeroDivisionError as error:
            divided.add(lookup.statement)
            help = "integer `//` and `%` need a divisor other than 0 at every point"
            found = Mistake(str(error), lookup.place, "in this definition", help=help)
        if found is not None:
            yield found


def _mistake(
    lookup: Lookup, dims: Mapping[str, int], arrays: Mapping[str, Array]
) -> Mistake | None:
    """What is wrong at the first point where anything is."""
    points, total = _points(lookup, dims, arrays)
    value, limit = (
        np.broadcast_to(computed(dims, points, arrays), total)
        for computed in (lookup.value, lookup.limit)
    )
    match lookup.relation:
        case "defined":
            return None
        case "inside":
            limit = np.maximum(limit, 0)
            wrong = np.flatnonzero((value < 0) | (value >= limit))
        case "before":
            wrong = np.flatnonzero(value >= limit)
        case "after":
            wrong = np.flatnonzero(value <= limit)
    if not len(wrong):
        return None
    first = int(wrong[0])
    if lookup.relation != "inside":
        return _not_there_yet(lookup, int(value[first]), int(limit[first]))
    at = [f"{shown} = {points[name][first]}" for name, shown in lookup.shown]
    return _outside(lookup, int(value[first]), int(limit[first]), at)


def _points(
    lookup: Lookup, dims: Mapping[str, int], arrays: Mapping[str, Array]
) -> tuple[dict[str, Array], int]:
    """Every point of the loops in order: per index its values, and how many points there are."""
    indices: dict[str, Array] = {}
    total = 1
    for name, *edges in lookup.loops:
        lower, upper = (np.broadcast_to(edge(dims, indices, arrays), total) for edge in edges)
        counts = np.maximum(upper - lower, 0)
        starts = np.cumsum(counts) - counts
        indices = {name: np.repeat(array, counts) for name, array in indices.items()}
        total = int(counts.sum())
        indices[name] = np.arange(total) + np.repeat(lower - starts, counts)
    return indices, total


def _outside(lookup: Lookup, value: int, extent: int, at: list[Any]) -> Mistake:
    index = f"index {lookup.text} of `{lookup.tensor}`"
    where = f" at {', '.join(at)}" if at else ""
    message = f"{index} is {value}{where}, but the axis has size {extent}"
    if lookup.text == str(value):
        message = f"{index} leaves the axis, which has size {extent}"
    help = "shorten the range, or guard the read: `... if ... else 0`"
    return Mistake(message, lookup.place, "in this definition", help=help)


def _not_there_yet(lookup: Lookup, place: int, step: int) -> Mistake:
    order = lookup.relation
    return Mistake(
        f"step {step} reads what is computed at step {place}, which is not {order} it",
        lookup.place,
        "read here",
        help=f"entries of an index array that a recurrence reads itself at come {order} the step: "
        "sort them, and give the others a start case",
    )
