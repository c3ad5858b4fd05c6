"""A small problem of a program: derivatives are the same rules for few samples as for many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from symopt.certify.draws import Generator, random_problem
from symopt.diagnostics import DataError, SymoptError

if TYPE_CHECKING:
    from symopt.model import Model
    from symopt.problem import Problem

_SAMPLES = 8
_UNITS = 4


def small_problem(model: Model, given: Mapping[str, Any], rng: Generator) -> tuple[Problem, str]:
    """The model with little data, and in words, what data that is.

    That is a few of the samples given; or random data of small sizes, where something is not given
    or no sample stands for itself. Sizes that the program sets and data does not have, such as of
    hidden layers, are made small as well. What cannot be bound so is bound as it is.
    """
    sizes = _fewer_units(model)
    if sizes:
        try:
            return _of_sizes(model, given, sizes, rng)
        except SymoptError:
            pass
    return _of_sizes(model, given, {}, rng)


def _of_sizes(
    model: Model, given: Mapping[str, Any], sizes: Mapping[str, int], rng: Generator
) -> tuple[Problem, str]:
    needed = {name for name, data in model.data.items() if data.default is None}
    if not needed.issubset(given) or model.open_dims:
        return random_problem(model, given, sizes, rng), "random data"
    whole = model.bind({**given, **sizes})
    read_off = [name for name, dim in model.dims.items() if dim.default is None]
    longest = max((whole.dims[name] for name in read_off), default=0)
    if longest <= _SAMPLES:
        return whole, "the data of the file" if needed else "no data"
    try:
        return whole.batch(slice(0, _SAMPLES)), f"{_SAMPLES} samples of the data of the file"
    except DataError:
        pass
    try:
        return random_problem(model, {}, sizes, rng), "random data of small sizes"
    except SymoptError:
        return whole, "the data of the file"


def _of_data(model: Model) -> set[str]:
    """The dims that data has, or points into."""
    sizes = [size for data in model.data.values() for size in data.shape]
    sizes += [data.index_of for data in model.data.values() if data.index_of is not None]
    return {name for size in sizes for name in size.dims}


def _fewer_units(model: Model) -> dict[str, int]:
    """Less for the sizes that the program sets and that data has no part in."""
    data = _of_data(model)
    return {
        name: _UNITS
        for name, dim in model.dims.items()
        if name not in data and dim.default is not None and dim.default > _UNITS
    }
