"""Data and points for a generated test: recipes as text, tried until all is finite and smooth.

Kinds of data are tried as `certify/draws.py` does, but on the very functions that go into the test:
what a test will do is done here once, by the oracle alone, so nothing native is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symopt.artifacts.oracle import quoted
from symopt.artifacts.oracle_checks import allowed
from symopt.artifacts.oracle_text import Names, integer_text, tuple_text
from symopt.diagnostics import DataError, SymoptError
from symopt.typed import program as typed
from symopt.types import Entry, dim, interval

if TYPE_CHECKING:
    from symopt.model import Model

Array = NDArray[Any]
Namespace = dict[str, Any]

SAMPLES = 21  # two blocks of eight, and some
ODD_SIZES = (0, 1, 7, 8, 9)
_ATTEMPTS = 36
_SPREADS = (0.3, 0.05)
_WIDTHS = (1e-3, 1e-4, 1e-2, 3e-5)
# How far differences of two widths may be apart: at first, and where nothing better was found.
_SMOOTH, _ROUGH, _PATIENCE = 2e-9, 1e-7, 8
_SMALL = 6  # a size by default up to this is taken at once, a larger one by turns
_HOPELESS = 1e-2
_LONG = 300  # microseconds of an evaluation, from which on less is looked at
_REALS = (
    "rng.normal(size={0})",
    "rng.uniform(0.2, 2.0, {0})",
    "1.0 * rng.integers(0, 2, {0})",
    "np.sort(rng.uniform(0.2, 2.0, {0}))",
    "rng.uniform(0.2, 0.8, {0})",
    "rng.uniform(2.0, 9.0, {0})",
)
_MATRIX = "rng.uniform(0.2, 1.0, {0}) + 3 * np.eye({1})"  # of the last two axes


@dataclass(frozen=True, slots=True)
class Place:
    """A case of the test: its name, how many samples, the seed of its point, why it is skipped."""

    name: str
    samples: int
    seed: int
    skip: str = ""


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
    dims = _dims(model, sizes, sample, 0)
    samples = 0 if sample is None else SAMPLES
    if _effort(model, dims) < _LONG:
        return Plan(3, samples, every=10, directions=3)
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
    with np.errstate(all="ignore"):
        return all(np.isfinite(part).all() for part, _ in space["first"](case))


def _doubt(space: Namespace, case: Any, width: float) -> float:
    """How far differences of a width are from those of half of it, relative to what is allowed."""
    known = case.__dict__.setdefault("doubts", {})
    if width not in known:
        with np.errstate(all="ignore"):
            pairs = zip(space["second"](case, width), space["second"](case, width / 2), strict=True)
            known[width] = max((_ratio(narrow, wide, s) for (wide, _), (narrow, s) in pairs))
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
    if sample is not None:
        for samples in (size for size in ODD_SIZES if size != found.plan.samples):
            place, doubt = _odd(space, samples, width)
            places.append(place)
            doubts[width] = max(doubts[width], doubt)
    single = space["SINGLE"]
    unit = 2.0**-24 if single else 2.0**-53
    first = max(1e-4 if single else 1e-10, 30 * rounding * unit)
    return replace(
        found,
        places=tuple(places),
        width=width,
        first=_round_up(first),
        second=_round_up(max(10 * first, 30 * doubts[width])),
    )


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
    with np.errstate(all="ignore"):
        return max(_ratio(part, after, scale) for (part, scale), (after, _) in pairs) / change


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


# ── recipes ──────────────────────────────────────────────────────────────────────────────────────


def draw_text(model: Model, sizes: Mapping[str, int], sample: str | None, attempt: int) -> str:
    """The function that draws data, of kinds that belong to an attempt."""
    rng, names = np.random.default_rng(attempt), Names()
    values = _dims(model, sizes, sample, attempt)
    if sample is not None:
        del values[sample]
    lines = ["def draw(samples, seed):", '    """Sizes and data, for this many samples."""']
    lines.append("    rng = np.random.default_rng(seed)")
    if sample is not None:
        lines.append(f"    {names.tensor(sample)} = samples")
    if values:
        left = ", ".join(map(names.tensor, values))
        lines.append(f"    {left} = {', '.join(map(str, values.values()))}")
    listed = ", ".join(f"{quoted(name)}: {names.tensor(name)}" for name in model.dims)
    lines.append(f"    return {{{listed}}}, {{")
    risen = _offsets(model)
    for number, data in enumerate(d for d in model.data.values() if d.default is None):
        kind = attempt if attempt < len(_REALS) else int(rng.integers(len(_REALS))) + number
        recipe = _recipe(data, names, kind, attempt, data.name in risen)
        lines.append(f"        {quoted(data.name)}: {recipe},")
    return "\n".join([*lines, "    }"])


def _recipe(data: typed.Data, names: Names, kind: int, attempt: int, rising: bool) -> str:
    """An expression that draws an array."""
    shape = tuple_text(integer_text(size, names) for size in data.shape)
    plain = shape[1:-2] if len(data.shape) == 1 else shape
    if data.index_of is not None:
        below = integer_text(data.index_of, names)
        if rising and data.shape:
            return f"offsets(rng, {shape}, {below})"
        match attempt % 3 if data.shape else 0:
            case 1:
                return f"np.sort(rng.integers(0, {below}, {plain}))"
            case 2:
                return f"earlier(rng, {shape}, {below})"
            case _:
                return f"rng.integers(0, {below}, {plain})"
    square = len(data.shape) > 1 and data.shape[-1] == data.shape[-2]
    if square and (attempt % 2 == 1 or attempt >= len(_REALS)):
        return _MATRIX.format(shape, integer_text(data.shape[-1], names))
    recipe = _REALS[kind % len(_REALS)]
    if not data.shape and "sort" in recipe:
        recipe = _REALS[1]
    return recipe.format(plain)


def _dims(
    model: Model, sizes: Mapping[str, int], sample: str | None, attempt: int
) -> dict[str, int]:
    """The size of every dim: compiled in, by default, or small, but as large as reads need."""
    rng = np.random.default_rng(attempt)
    found: dict[str, int] = {}
    for number, (name, declared) in enumerate(model.dims.items()):
        size = 3 + number % 3 if attempt < 3 else int(rng.integers(2, 7))
        if declared.default is not None and (attempt % 2 == 1 or declared.default <= _SMALL):
            size = declared.default
        found[name] = sizes.get(name, size)
    if sample is not None:
        found[sample] = SAMPLES
    return found | _grown(model, found, sizes)


def _grown(model: Model, values: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes of axes that are read further than values reach, at places that they leave open."""
    found: dict[str, int] = {}
    shapes = {data.name: data.shape for data in model.data.values()}
    for statement in model.stages.task.program.statements:
        ends: dict[str, tuple[int, int]] = {}
        for loop in statement.loops:
            high = interval(loop.upper, values, ends, lambda _: (0, 0))[1]
            ends[loop.index] = (0, max(high - 1, 0))
        for read in statement.reads:
            for place, extent in zip(read.map, shapes.get(read.tensor or "", ()), strict=False):
                for name in extent.dims - sizes.keys():
                    needed = interval(place, values, ends, lambda _: (0, 0))[1] + 1
                    if extent == dim(name) and needed > max(values[name], found.get(name, 0)):
                        found[name] = needed
    return found


def _offsets(model: Model) -> set[str]:
    """The integer data that bounds of ranges are read from."""
    return {
        item.tensor
        for statement in model.stages.task.program.statements
        for loop in statement.loops
        for edge in (loop.lower, loop.upper)
        for item in edge.atoms()
        if isinstance(item, Entry)
    }


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

    with np.errstate(all="ignore"):
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
