"""Data and points for a generated test: recipes as text, tried until all is finite and smooth.

Kinds of data are tried as `certify/draws.py` does, but on the very functions that go into the test:
what a test will do is done here once, by the oracle alone, so nothing native is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symopt.artifacts.generated.recipes import SAMPLES, draw_text, sizes_at
from symopt.artifacts.oracle.comparing import allowed
from symopt.diagnostics import DataError, SymoptError
from symopt.types import interval

if TYPE_CHECKING:
    from symopt.model import Model

Array = NDArray[Any]
Namespace = dict[str, Any]

ODD_SIZES = (0, 1, 7, 8, 9)
_ATTEMPTS = 36
_SPREADS = (0.3, 0.05)
_WIDTHS = (1e-3, 1e-4, 1e-2, 3e-5)
# How far differences of two widths may be apart: at first, and where nothing better was found.
_SMOOTH, _ROUGH, _PATIENCE = 2e-9, 1e-7, 8
_HOPELESS = 1e-2
_LONG = 300  # microseconds of an evaluation, from which on less is looked at


@dataclass(frozen=True, slots=True)
class Place:
    """A case of the test: its name, samples, seed, and why it is skipped.

    Its point is near the start, or else `anywhere`, where functions are seen over more of their
    range than many starts show.
    """

    name: str
    samples: int
    seed: int
    skip: str = ""
    anywhere: bool = False
    width: float | None = None  # of differences, where it is another than that of most cases


@dataclass(frozen=True, slots=True)
class Plan:
    """How many points, samples and directions; parameters up to `every` are looked at singly."""

    points: int
    samples: int
    every: int
    directions: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a test file needs to know about data and points.

    `draw` is the text of its function; tolerances are relative to the greatest entries.
    """

    draw: str
    places: tuple[Place, ...]
    plan: Plan
    spread: float = 0.3
    width: float = 1e-3
    first: float = 1e-10
    second: float = 1e-9
    reason: str = ""  # why there is nothing to test with


def find_data(
    model: Model, sizes: Mapping[str, int], sample: str | None, space: Namespace
) -> Found:
    """Data, points and tolerances that suit the functions in `space`, which gains `draw`."""
    refusal = "no random data was found with which the objective is finite and smooth"
    last = ""
    plan = _plan(model, sizes, sample)
    space |= {"EVERY": plan.every, "DIRECTIONS": plan.directions}
    for attempt in range(_ATTEMPTS):
        text = draw_text(model, sizes, sample, attempt)
        most = _ROUGH if attempt >= _PATIENCE or text == last else _SMOOTH
        last = text
        exec(last, space)
        for spread in _SPREADS:
            space["SPREAD"] = spread
            try:
                places = _points(space, plan, most)
            except SymoptError as error:
                refusal = f"no random data fits: {error.diagnostics[0].message}"
                break
            except (ZeroDivisionError, np.linalg.LinAlgError):
                break
            if places:
                return _measured(Found(last, places, plan, spread), space, sample)
    return Found(last, (), plan, reason=refusal)


def _plan(model: Model, sizes: Mapping[str, int], sample: str | None) -> Plan:
    """How much to look at: less, where an evaluation takes long."""
    dims = sizes_at(model, sizes, sample, 0)
    samples = 0 if sample is None else SAMPLES
    if _effort(model, dims) < _LONG:
        return Plan(2, samples, every=10, directions=3)
    return Plan(1, min(samples, ODD_SIZES[-1]), every=4, directions=1)


def _points(space: Namespace, plan: Plan, most: float) -> tuple[Place, ...]:
    """Points where all is finite and smooth, as many as planned, or none."""
    found: list[Place] = []
    for seed in range(1, 2 * plan.points + 2):
        case = space["Case"](plan.samples, seed)
        smooth = _finite(space, case) and min(_doubts(space, case)) <= most
        if smooth:
            found.append(Place(f"point {len(found) + 1}", plan.samples, seed))
        if len(found) == plan.points:
            return tuple(found)
        if not found and seed == 2:
            break  # there may well be better data
    return ()


def _effort(model: Model, dims: Mapping[str, int]) -> float:
    """About how many microseconds one evaluation takes: updates of arrays, and their elements."""
    total = 0.0
    for statement in model.stages.task.program.statements:
        counts = [
            max(interval(loop.upper, dims, {}, lambda _: (0, 4))[1], 1)
            for loop in statement.loops
            if not loop.upper.indices
        ]
        total += 0.1 * math.prod(counts) + 30 * math.prod(counts[: len(statement.steps)])
    return total


def _doubts(space: Namespace, case: Any) -> Iterator[float]:
    """The doubts of widths of differences, as many as are needed to find one that will do."""
    for width in _WIDTHS:
        doubt = _doubt(space, case, width)
        yield doubt
        if doubt <= _SMOOTH or doubt > _HOPELESS:
            return


def _finite(space: Namespace, case: Any) -> bool:
    return all(np.isfinite(part).all() for part, _ in space["first"](case))


def _doubt(space: Namespace, case: Any, width: float) -> float:
    """How far differences of a width are from those of half of it, relative to what is allowed."""
    known = case.__dict__.setdefault("doubts", {})
    if width not in known:
        pairs = zip(space["second"](case, width), space["second"](case, width / 2), strict=True)
        known[width] = max((_ratio(narrow, wide, scale) for (wide, _), (narrow, scale) in pairs))
    return known[width]


def _ratio(wanted: Array, found: Array, scale: float) -> float:
    """How far numbers are off in units of what is allowed at tolerance 1."""
    room = np.maximum(allowed(wanted, 1.0, scale), 1e-300)
    worst = float(np.max(np.abs(found - wanted) / room, initial=0.0))
    return worst if np.isfinite(worst) else np.inf


def _measured(found: Found, space: Namespace, sample: str | None) -> Found:
    """With the best width, the tolerances that this leaves, and the odd sizes."""
    cases = [space["Case"](place.samples, place.seed) for place in found.places]
    doubts = {_WIDTHS[0]: max(_doubt(space, case, _WIDTHS[0]) for case in cases)}
    if doubts[_WIDTHS[0]] > 1e-10:
        doubts |= {
            width: max(_doubt(space, case, width) for case in cases) for width in _WIDTHS[1:]
        }
    width = min(doubts, key=lambda one: doubts[one])
    rounding = max(_rounding(space, case) for case in cases)
    places = list(found.places)
    for place, doubt in _anywhere(space, found.plan):
        places.append(place)
        doubts[width] = max(doubts[width], doubt)
    if sample is not None:
        for samples in (size for size in ODD_SIZES if size != found.plan.samples):
            place, doubt = _odd(space, samples, width)
            places.append(place)
            doubts[width] = max(doubts[width], doubt)
    first = max(1e-10, 30 * rounding * 2.0**-53)
    if space["SINGLE"]:
        looked_at = [space["Case"](p.samples, p.seed, p.anywhere) for p in places if not p.skip]
        first = max(1e-4, *(8 * _rounding_in_single(space, case) for case in looked_at))
    return replace(
        found,
        places=tuple(places),
        width=width,
        first=_round_up(first),
        second=_round_up(max((30 if space["SINGLE"] else 10) * first, 30 * doubts[width])),
    )


def _anywhere(space: Namespace, plan: Plan) -> Iterator[tuple[Place, float]]:
    """As many points far from the start, if there are smooth ones, and the doubt there."""
    number = 0
    for seed in range(1, 4 * plan.points + 1):
        case = space["Case"](plan.samples, seed, anywhere=True)
        doubts = list(_doubts(space, case)) if _finite(space, case) else [np.inf]
        doubt, width = min(zip(doubts, _WIDTHS, strict=False))
        if doubt <= _SMOOTH:
            number += 1
            name = f"point {number} anywhere"
            yield Place(name, plan.samples, seed, anywhere=True, width=width), doubt
        if number == plan.points:
            return


def _odd(space: Namespace, samples: int, width: float) -> tuple[Place, float]:
    """The case of a number of samples, and the doubt of differences there."""
    number = "1 sample" if samples == 1 else f"{samples} samples"
    reason = ""
    for seed in range(1, 7):
        try:
            case = space["Case"](samples, seed)
            if not _finite(space, case):
                reason = "the objective or a derivative is not finite"
                continue
            doubt = _doubt(space, case, width)
        except SymoptError as error:
            reason = error.diagnostics[0].message
            continue
        except (ZeroDivisionError, IndexError, ValueError, np.linalg.LinAlgError):
            reason = "the program does not allow this size"
            continue
        if doubt <= _ROUGH:
            return Place(number, samples, seed), doubt
        reason = "no smooth point was found"
    return Place(number, samples, 0, reason), 0.0


def _rounding(space: Namespace, case: Any) -> float:
    """How far results move, relative to what is allowed, per relative change of what goes in."""
    change = 1e-9
    pairs = zip(space["first"](case), space["first"](_disturbed(case, change)), strict=True)
    return max(_ratio(part, after, scale) for (part, scale), (after, _) in pairs) / change


def _rounding_in_single(space: Namespace, case: Any) -> float:
    """How far off results are, relative to what is allowed, where the oracle computes in single."""
    twin = _disturbed(case, 0.0)
    kinds = {"f": np.float32, "c": np.complex64}
    twin.data = {
        name: np.float32(array) if np.asarray(array).dtype.kind == "f" else array
        for name, array in case.data.items()
    }
    for name in ("value", "cut"):
        function = space.get(name)
        if function is not None:
            setattr(twin, name, partial(_called_in_single, function, twin.data, kinds))
    exact = space["first"](case)
    step, space["STEP"] = space["STEP"], 2.0**-80  # its square is 0 in single precision
    single = space["first"](twin)
    space["STEP"] = step
    pairs = zip(exact, single, strict=True)
    found = max(_ratio(part, other, scale) for (part, scale), (other, _) in pairs)
    return found if np.isfinite(found) else 0.0


def _called_in_single(
    function: Any, data: Mapping[str, Any], kinds: Mapping[str, Any], p: Array
) -> Array:
    return function(p.astype(kinds[p.dtype.kind]), data)


def _disturbed(case: Any, change: float) -> Any:
    """The case with all numbers that go in changed a little."""
    rng = np.random.default_rng(0)

    def moved(array: Any) -> Any:
        kind = np.asarray(array).dtype.kind
        return array * (1 + change * rng.choice((-1, 1), np.shape(array))) if kind == "f" else array

    twin = object.__new__(type(case))
    twin.p, twin.v, twin.directions = moved(case.p), case.v, case.directions
    twin.data = {name: moved(array) for name, array in case.data.items()}
    return twin


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    step = next(s for s in (1, 2, 5, 10) if value <= s * power * (1 + 1e-12))
    return float(f"{step * power:.0e}")


# ── samples ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Batches:
    """What samples alone say of all: the axes of data that are theirs, and sum or mean."""

    axes: Mapping[str, tuple[int, ...]]
    mean: bool


def find_batches(
    model: Model, sample: str | None, found: Found, space: Namespace
) -> Batches | None:
    """How the objective is made of its samples, if it is."""
    from symopt.samples import samples_of

    try:
        samples = samples_of(model.stages.program, model.stages.task.program)
    except DataError:
        return None
    given = {data.name for data in model.data.values() if data.default is None}
    axes = {name: places for name, places in samples.axes.items() if name in given}
    if samples.dim != sample or not axes or not found.places or "value" not in space:
        return None
    count = ODD_SIZES[-1]
    dims, arrays = space["draw"](count, found.places[0].seed)
    p = space["Case"](found.places[0].samples, found.places[0].seed).p

    def of(*rows: int) -> float:
        taken = dict(arrays)
        for name, places in axes.items():
            for axis in places:
                taken[name] = np.take(taken[name], rows, axis)
        return float(space["value"](p, space["all_data"]({**dims, sample: len(rows)}, taken)))

    try:
        whole, alone = of(*range(count)), [of(k) for k in range(count)]
        rest = alone[0] + alone[1] - of(0, 1)
    except (ZeroDivisionError, IndexError, ValueError):
        return None
    room = 1e-9 * max(map(abs, [whole, *alone]))
    if abs(whole - sum(alone) / count) <= room:
        return Batches(axes, mean=True)
    if abs(whole - sum(alone) + (count - 1) * rest) <= room:
        return Batches(axes, mean=False)
    return None
