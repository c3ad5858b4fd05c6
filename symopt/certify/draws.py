"""Random data and points to check a program at, where nobody gives any.

Sizes are small. Integer data is drawn within its range; what ragged ranges take their bounds from
rises from 0 to its greatest entry. Whether data has to be positive, or sorted, or point to earlier
entries, only the program knows: kinds of data are tried until everything is finite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symopt.diagnostics import DataError
from symopt.precision import Precision
from symopt.types import Entry, Integer, evaluate

if TYPE_CHECKING:
    from symopt.model import Model
    from symopt.problem import Problem

Array = NDArray[Any]
Generator = np.random.Generator

_ATTEMPTS = 60
_SMALL = (3, 6)  # sizes drawn, both ends included
_KINDS = 6  # of real data


def random_problem(
    model: Model,
    given: Mapping[str, Any],
    sizes: Mapping[str, int],
    rng: Generator,
    precision: Precision = "float64",
) -> Problem:
    """The model bound to what is given, and to random data for the rest.

    Data and start where value and gradient are finite are looked for; if there are none, the last
    that can be bound at all. Raises DataError where nothing that was tried can be bound.
    """
    problem: Problem | None = None
    refusal: DataError | None = None
    options = {} if precision == "float64" else {"dtype": precision}
    rest = [d for d in model.data.values() if d.name not in given and d.default is None]
    for attempt in range(_ATTEMPTS):
        try:
            dims = _sizes(model, given, sizes, rng)
            drawn = _draw(model, given, dims, rng, attempt)
            problem = model.bind({**drawn, **given, **dims}, **options)
        except DataError as error:
            refusal = error
            continue
        if next(random_points(problem, rng, 1), None) is not None or not rest:
            return problem
    if problem is None:
        assert refusal is not None
        raise refusal
    return problem


def random_points(
    problem: Problem, rng: Generator, count: int, start: Array | None = None
) -> Iterator[Array]:
    """The start and random points around it, inside the bounds, where everything is finite."""
    start = problem.x0 if start is None else start
    unknown = np.isnan(start)
    found = 0
    for attempt in range(_ATTEMPTS * count):
        p = np.where(unknown, rng.normal(size=len(start)), start)
        if attempt:
            p = p + rng.normal(size=len(p)) * 0.3 * np.where(p == 0, 1.0, np.abs(p))
        p = _inside(problem, p, rng)
        if problem.explain_nonfinite(p) is None:
            found += 1
            yield p
        if found == count:
            return


def _inside(problem: Problem, p: Array, rng: Generator) -> Array:
    """The point, with entries outside their bounds, or on open ones, drawn again inside."""
    lower, upper = problem.bounds
    open_lower, open_upper = problem.open_bounds
    below = (p < lower) | (open_lower & (p <= lower))
    above = (p > upper) | (open_upper & (p >= upper))
    share = rng.uniform(0.2, 0.8, len(p))
    with np.errstate(invalid="ignore"):
        between = lower + share * (upper - lower)
    low, high = np.where(np.isfinite(lower), lower, 0), np.where(np.isfinite(upper), upper, 0)
    one_sided = np.where(np.isfinite(lower), low + share, high - share)
    drawn = np.where(np.isfinite(lower) & np.isfinite(upper), between, one_sided)
    return np.where(below | above, drawn, p)


# ── data ─────────────────────────────────────────────────────────────────────────────────────


def _draw(
    model: Model, given: Mapping[str, Any], dims: Mapping[str, int], rng: Generator, attempt: int
) -> dict[str, Array]:
    """An array for all data that needs one and is not given."""
    rising = offsets(model)
    found: dict[str, Array] = {}
    for number, data in enumerate(model.data.values()):
        if data.name in given or data.default is not None:
            continue
        shape = tuple(max(int(evaluate(size, dims, {}, {})), 0) for size in data.shape)
        if data.index_of is not None:
            below = max(int(evaluate(data.index_of, dims, {}, {})), 1)
            found[data.name] = _indices(rng, shape, below, data.name in rising, attempt)
        else:
            kind = attempt if attempt < _KINDS else int(rng.integers(_KINDS)) + number
            found[data.name] = _reals(rng, shape, kind % _KINDS)
    return found


def _reals(rng: Generator, shape: tuple[int, ...], kind: int) -> Array:
    match kind:
        case 0:
            drawn = rng.normal(size=shape)
        case 1:
            drawn = rng.uniform(0.2, 2.0, shape)
        case 2:
            drawn = rng.integers(0, 2, shape)
        case 3:
            drawn = np.sort(rng.uniform(0.2, 2.0, shape), axis=-1) if shape else rng.uniform(0.2, 2)
        case 4:
            drawn = rng.uniform(0.2, 0.8, shape)
        case _:
            drawn = rng.uniform(2.0, 9.0, shape)
    return np.asarray(drawn, dtype=float)


def _indices(
    rng: Generator, shape: tuple[int, ...], below: int, offsets: bool, attempt: int
) -> Array:
    """Entries below a size: any, in order, or each before its own position."""
    drawn = rng.integers(0, below, shape)
    if offsets and drawn.ndim and drawn.size:
        drawn = np.sort(drawn, axis=-1)
        drawn[..., 0], drawn[..., -1] = 0, below - 1
        return drawn
    match attempt % 3 if drawn.ndim else 0:
        case 1:
            return np.sort(drawn, axis=-1)
        case 2:
            earlier = np.maximum(np.arange(shape[-1]) - 1, 0)
            return np.minimum(drawn, earlier)
        case _:
            return drawn


def offsets(model: Model) -> set[str]:
    """The integer data that bounds of ranges are read from."""
    return {
        item.tensor
        for statement in model.stages.task.program.statements
        for loop in statement.loops
        for edge in (loop.lower, loop.upper)
        for item in edge.atoms()
        if isinstance(item, Entry)
    }


def _sizes(
    model: Model, given: Mapping[str, Any], sizes: Mapping[str, int], rng: Generator
) -> dict[str, int]:
    """A value for every dim: given, read off what is given, by default, or small."""
    dims = dict(sizes)
    pending = [
        (size, extent)
        for name, array in given.items()
        if name in model.data and np.ndim(array) == len(model.data[name].shape)
        for size, extent in zip(model.data[name].shape, np.shape(array), strict=True)
    ]
    for size, extent in sorted(pending, key=lambda item: len(item[0].dims)):
        unknown = [name for name in size.dims if name not in dims]
        if len(unknown) == 1:
            solved = _solved(size, unknown[0], extent, dims)
            dims |= {unknown[0]: solved} if solved is not None else {}
    for name, info in model.dims.items():
        if name not in dims:
            low, high = _SMALL
            dims[name] = info.default or int(rng.integers(low, high + 1))
    return dims


def _solved(size: Integer, name: str, extent: int, dims: Mapping[str, int]) -> int | None:
    """The dim for which a size has this extent."""
    matches = (k for k in range(extent + 2) if evaluate(size, {**dims, name: k}, {}, {}) == extent)
    return next(matches, None)
