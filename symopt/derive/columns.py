"""Which columns a tensor has: those of the whole flat vector, or those that it can reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from symopt.derive.activity import depending_on
from symopt.derive.blocks import Block, Columns, Gathering, own
from symopt.derive.landing import Landing, landing, solved_loops
from symopt.statements.program import Program, Statement
from symopt.types import Integer, flat_place

Gathered = tuple[Columns, Mapping[Block, int]]  # and in which block each one given is


@dataclass(frozen=True, slots=True)
class Dense:
    """All entries of the flat vector, as one block, for every tensor."""

    program: Program
    offsets: Mapping[str, Integer]  # where each parameter starts
    size: Integer

    @property
    def whole(self) -> Block:
        return Block("", (own(0),), (self.size,))

    def landings(self, statement: Statement) -> Callable[[Block], Landing]:
        """Where a block in the statement's terms lands among the target's columns."""
        return self._landing

    def _landing(self, reached: Block) -> Landing:
        if not reached.param:
            return Landing(reached, (own(0),))
        shape = self.program.tensors[reached.param].shape
        entry = self.offsets[reached.param] + flat_place(reached.place, shape)
        return Landing(self.whole, (entry,))

    def gather(self, target: str, blocks: Iterable[Block]) -> Gathered:
        """The columns of a target that has some blocks."""
        return self.all_of(target), {self.whole: 0}

    def all_of(self, target: str) -> Columns:
        """The columns of a target that may depend on everything."""
        return Columns((self.whole,))

    def landing_in_all(self, reached: Block) -> Landing:
        """Where a block lands among those columns."""
        return self._landing(reached)


@dataclass(frozen=True, slots=True)
class Compact:
    """For every tensor the blocks that its elements can depend on."""

    program: Program
    params: tuple[str, ...]

    def landings(self, statement: Statement) -> Callable[[Block], Landing]:
        """Where a block in the statement's terms lands among the target's columns."""
        solved, tensors = solved_loops(statement), self.program.tensors
        return lambda reached: landing(statement, solved, reached, tensors[reached.param].shape)

    def gather(self, target: str, blocks: Iterable[Block]) -> Gathered:
        """The columns of a target that has some blocks."""
        shape = self.program.tensors[target].shape
        return Gathering(self.program, self.params, shape).columns(blocks)

    def all_of(self, target: str) -> Columns:
        """The columns of a target that may depend on everything that comes before it."""
        blocks = (
            self._whole(name)
            for name in self.params
            if target in depending_on(self.program, {name})
        )
        return Columns(tuple(blocks))

    def landing_in_all(self, reached: Block) -> Landing:
        """Where a block lands among those columns."""
        return Landing(self._whole(reached.param), reached.place)

    def _whole(self, param: str) -> Block:
        shape = self.program.tensors[param].shape
        return Block(param, tuple(own(number) for number in range(len(shape))), shape)
