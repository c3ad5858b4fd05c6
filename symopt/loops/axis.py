"""The sample axis: which loop of each statement it is, and which tensors stay on one sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from symopt.statements.program import Program, Read, Role, Statement, Tensor
from symopt.types import Dim, Integer, Range

Key = tuple[Integer, Integer]  # a range; passes over equal ranges can be one


@dataclass(frozen=True, slots=True)
class Lead:
    """The loop of a statement that runs over samples."""

    index: str
    key: Key


def sample_dims(program: Program, declared: str | None) -> tuple[str, ...]:
    """Dims in the order in which they are preferred as sample dim.

    First the declared one, then those that lead data and are nowhere a feature, then other dims
    that lead data, then those that lead anything else given; among equals, those of most loops.
    What recurrences step through comes last of these, and what comes right after it may lead.
    """
    loops = Counter(
        name for s in program.statements for loop in s.loops for name in loop.upper.dims
    )
    certain, steps = _of_samples(program), _step_dims(program)
    ranks: dict[str, tuple[int, int, str]] = {}
    for tensor in program.tensors.values():
        if tensor.role is Role.COMPUTED:
            continue
        for name in _leading(tensor, steps):
            given = 2 if tensor.role in (Role.DATA, Role.INDICES) else 3
            kind = 0 if name == declared else 1 if name in certain else given
            kind += 4 if kind and name in steps else 0
            ranks[name] = min(ranks.get(name, (9, 0, name)), (kind, -loops[name], name))
    return tuple(sorted(ranks, key=lambda name: ranks[name]))


def open_dims(program: Program, declared: str | None) -> frozenset[str]:
    """The dims of samples, of which a program may have several: their sizes are never compiled in.

    Without any that is certain, the best candidate counts.
    """
    found = _of_samples(program) or frozenset(sample_dims(program, declared)[:1])
    return found if declared is None else found | {declared}


def _of_samples(program: Program) -> frozenset[str]:
    """Dims that lead data and are nowhere a feature."""
    steps = _step_dims(program)
    leading: set[str] = set()
    trailing: set[str] = set()
    for tensor in program.tensors.values():
        if tensor.role is not Role.COMPUTED:
            first = _leading(tensor, steps)
            trailing.update(*(_plain_dim(size) - first for size in tensor.shape[1:]))
            if tensor.role is Role.DATA:
                leading |= first
    return frozenset(leading - trailing)


def _leading(tensor: Tensor, steps: frozenset[str]) -> frozenset[str]:
    """The dim of the first axis, and that of the next if recurrences step through the first."""
    found: frozenset[str] = frozenset()
    for size in tensor.shape[:2]:
        found |= _plain_dim(size)
        if not _plain_dim(size) & steps:
            break
    return found


def _step_dims(program: Program) -> frozenset[str]:
    """The dims that recurrences step through."""
    loops = (loop for s in program.statements for loop in s.loops[: len(s.steps)])
    return frozenset(name for loop in loops for name in loop.upper.dims)


def _plain_dim(size: Integer) -> frozenset[str]:
    only = size.terms[0][0] if len(size.terms) == 1 else ()
    return size.dims if len(only) == 1 and isinstance(only[0], Dim) else frozenset()


def lead_of(statement: Statement, ranked: tuple[str, ...]) -> Lead | None:
    """The loop over the most preferred sample dim, if the statement has one it may put first."""
    best: tuple[int, Range] | None = None
    first_reduced = next(iter(statement.reduced), None)
    for loop in statement.around[len(statement.steps) :]:
        if loop.lower.indices | loop.upper.indices or loop.lower.tensors | loop.upper.tensors:
            continue
        if (
            statement.reduction in ("max", "min")
            and loop in statement.reduced
            and loop is not first_reduced
        ):
            continue  # moving it outwards would change which winner comes first
        ranks = [ranked.index(name) for name in loop.upper.dims if name in ranked]
        if ranks and (best is None or min(ranks) < best[0]):
            best = min(ranks), loop
    if best is None:
        return None
    loop = best[1]
    return Lead(loop.index, (loop.lower, loop.upper))


@dataclass(frozen=True, slots=True)
class Alignment:
    """Tensors written at a sample by its own iteration: the range, and which axis it is."""

    tensors: Mapping[str, tuple[Key, int]]

    def looks_at_own_sample(self, read: Read, lead: Lead | None) -> bool:
        """Whether a read of a computed tensor is of the sample at hand."""
        found = self.tensors.get(read.tensor or "")
        if lead is None or found is None:
            return False
        key, axis = found
        return key == lead.key and read.map[axis].index == lead.index


def align(statements: tuple[Statement, ...], leads: Mapping[int, Lead | None]) -> Alignment:
    """Find the tensors all of whose writers put the sample index, plain, on one axis."""
    found: dict[str, tuple[Key, int] | None] = {}
    for number, statement in enumerate(statements):
        lead = leads[number]
        here: tuple[Key, int] | None = None
        if lead is not None:
            axes = [a for a, place in enumerate(statement.map) if place.index == lead.index]
            here = (lead.key, axes[0]) if axes else None
        for name in statement.written:
            found[name] = here if name not in found or found[name] == here else None
    return Alignment({name: where for name, where in found.items() if where is not None})
