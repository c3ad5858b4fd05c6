"""Where the samples of each step come from: all of them, batches, or a stream of data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from symopt.optim import errors
from symopt.optim.problem import Problem
from symopt.optim.single import in_double
from symopt.optim.working import ProblemRaised, WorkingProblem

_NO_MORE = object()
_STREAM_EPOCH = 100  # batches of a stream between two measures of the loss


@dataclass(frozen=True, slots=True, eq=False)
class Serving:
    """What one step sees, and whether the loss is to be measured after it."""

    problem: WorkingProblem
    ends_epoch: bool = True
    last: bool = False  # whether there will be no other


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """The whole objective in each step."""

    working: WorkingProblem

    comparable: ClassVar[bool] = True  # whether the values of different steps compare

    def servings(self) -> Iterator[Serving]:
        serving = Serving(self.working)
        while True:
            yield serving


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Batches of all samples in random order, and again in another order."""

    working: WorkingProblem
    size: int
    seed: int

    comparable: ClassVar[bool] = False

    def servings(self) -> Iterator[Serving]:
        generator = np.random.default_rng(self.seed)
        count = self.working.samples
        while True:
            order = generator.permutation(count)
            for first in range(0, count, self.size):
                batch = self.working.batch(order[first : first + self.size])
                yield Serving(batch, first + self.size >= count)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Batches that the caller's iterable gives, of any length; none but the last is kept.

    That one is served again in the end, to evaluate what was learnt from it: there are as many
    steps as batches.
    """

    working: WorkingProblem
    items: Iterable[Any]

    comparable: ClassVar[bool] = False

    def servings(self) -> Iterator[Serving]:
        items, problem = iter(self.items), None
        for number in count():
            try:
                data = next(items, _NO_MORE)
                if data is _NO_MORE:
                    break
                problem = on_batch(self.working, data)
            except Exception as error:
                raise ProblemRaised(f"batch {number} of the stream", error) from error
            yield Serving(problem, (number + 1) % _STREAM_EPOCH == 0)
        if problem is not None:
            yield Serving(problem, last=True)


Feed = Whole | Batches | Stream


@runtime_checkable
class Rebindable(Protocol):
    """A problem that can be had on other data."""

    def rebind(self, data: Any, /) -> Problem: ...
    def batch_of(self, data: Any, /) -> Problem:
        """On a batch of other samples, as fast as can be."""
        ...


def rebound(working: WorkingProblem, data: Any) -> WorkingProblem:
    """The same view of the problem on other data."""
    return working.on(in_double(_rebindable(working, data).rebind(data)))


def on_batch(working: WorkingProblem, data: Any) -> WorkingProblem:
    """The same view of the problem on a batch of other samples."""
    return working.on(in_double(_rebindable(working, data).batch_of(data)))


def _rebindable(working: WorkingProblem, data: Any) -> Rebindable:
    original = working.undoubled
    if not isinstance(original, Rebindable):
        raise errors.no_other_data()
    if not isinstance(data, Mapping) and not hasattr(data, "columns"):
        raise errors.not_a_mapping(data)
    return original
