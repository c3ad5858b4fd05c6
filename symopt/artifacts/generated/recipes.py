"""Recipes for random data of a model, as text for a generated test: one for every attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from symopt.artifacts.oracle.source import quoted
from symopt.artifacts.oracle.text import Names, integer_text, tuple_text
from symopt.certify.draws import offsets
from symopt.typed import program as typed
from symopt.types import dim, interval

if TYPE_CHECKING:
    from symopt.model import Model

SAMPLES = 21  # two blocks of eight, and some
_SMALL = 6  # a size by default up to this is taken at once, a larger one by turns
_REALS = (
    "rng.normal(size={0})",
    "rng.uniform(0.2, 2.0, {0})",
    "1.0 * rng.integers(0, 2, {0})",
    "np.sort(rng.uniform(0.2, 2.0, {0}))",
    "rng.uniform(0.2, 0.8, {0})",
    "rng.uniform(2.0, 9.0, {0})",
)
_MATRIX = "rng.uniform(0.2, 1.0, {0}) + 3 * np.eye({1})"  # of the last two axes


def draw_text(model: Model, sizes: Mapping[str, int], sample: str | None, attempt: int) -> str:
    """The function that draws data, of kinds that belong to an attempt."""
    rng, names = np.random.default_rng(attempt), Names()
    values = sizes_at(model, sizes, sample, attempt)
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
    risen = offsets(model)
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
    sides = data.shape[-2:]
    if len(sides) == 2 and sides[0] == sides[1] and (attempt % 2 == 1 or attempt >= len(_REALS)):
        return _MATRIX.format(shape, integer_text(sides[0], names))
    recipe = _REALS[kind % len(_REALS)]
    if not data.shape and "sort" in recipe:
        recipe = _REALS[1]
    return recipe.format(plain)


def sizes_at(
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
