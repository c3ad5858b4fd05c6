"""Which sizes are compiled in: those of components and features, never the number of samples.

With a size known, short loops are written out and small arrays live in registers. What is left
open serves any data: code is made again only where one of the other sizes changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.loops.axis import open_dims
from symopt.statements.hoist import Hoisting
from symopt.statements.program import Program, Read, Role, Statement
from symopt.types import Integer, Range, constant, evaluate

_LARGEST, _MOST_ENTRIES = 1024, 256


@dataclass(frozen=True, slots=True)
class Fixed:
    """Sizes and small integer arrays that are compiled in, by name, and what pays for the rest."""

    sizes: tuple[tuple[str, int], ...] = ()
    entries: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()  # name, shape, values
    hoisting: Hoisting = Hoisting()

    @property
    def known(self) -> dict[str, Integer]:
        """The sizes as integers."""
        return {name: constant(size) for name, size in self.sizes}

    @property
    def arrays(self) -> dict[str, NDArray[np.int64]]:
        return {
            name: np.array(values, dtype=np.int64).reshape(shape)
            for name, shape, values in self.entries
        }


NOTHING_FIXED = Fixed()


def fixed_by(
    program: Program,
    sample: str | None,
    dims: Mapping[str, int],
    arrays: Mapping[str, NDArray[Any]],
) -> Fixed:
    """What to compile in of the data bound: all sizes but large ones and those of samples.

    Integer arrays are compiled in if they are small and their own sizes are.
    """
    samples = open_dims(program, sample)
    sizes = tuple(
        (name, size)
        for name, size in sorted(dims.items())
        if name not in samples and size <= _LARGEST
    )
    fixed = {name for name, _ in sizes}
    entries = tuple(
        (tensor.name, found.shape, tuple(found.ravel().tolist()))
        for tensor in program.tensors.values()
        if tensor.role is Role.INDICES
        and (found := arrays.get(tensor.name)) is not None
        and found.size <= _MOST_ENTRIES
        and all(size.dims <= fixed for size in tensor.shape)
    )
    groups = (
        tensor.name
        for tensor in program.tensors.values()
        if tensor.below is not None
        and (found := arrays.get(tensor.name)) is not None
        and evaluate(tensor.below, dims, {}, {}) <= found.size
    )
    filled = (name for name, size in dims.items() if size)
    hoisting = Hoisting(samples, frozenset(groups), frozenset(filled))
    return Fixed(sizes, entries, hoisting)


def sized_range(loop: Range, fixed: Fixed) -> Range:
    """The loop with these dims replaced by their sizes."""
    known = fixed.known
    return Range(loop.index, loop.lower.with_sizes(known), loop.upper.with_sizes(known))


def with_sizes(program: Program, fixed: Fixed) -> Program:
    """The program with these dims replaced by their sizes."""
    known = fixed.known

    def moved(values: tuple[Integer, ...]) -> tuple[Integer, ...]:
        return tuple(value.with_sizes(known) for value in values)

    def read(one: Read) -> Read:
        return replace(one, map=moved(one.map))

    def statement(one: Statement) -> Statement:
        winner = one.winner
        return replace(
            one,
            map=moved(one.map),
            loops=tuple(Range(loop.index, *moved((loop.lower, loop.upper))) for loop in one.loops),
            reads=tuple(map(read, one.reads)),
            winner=replace(winner, position=moved((winner.position,))[0]) if winner else None,
        )

    if not known:
        return program
    tensors = {
        name: replace(tensor, shape=moved(tensor.shape)) for name, tensor in program.tensors.items()
    }
    return replace(program, statements=tuple(map(statement, program.statements)), tensors=tensors)
