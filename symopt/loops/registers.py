"""What a phase keeps in registers."""

from __future__ import annotations

from symopt.loops.program import (
    SAMPLE,
    Buffer,
    Fill,
    Kernel,
    Phase,
    Rows,
    Steps,
    Storage,
    Update,
    touched,
)
from symopt.loops.work import elements, points, written_out
from symopt.types import Integer

_MOST_PICKED = 16  # elements among which an index chooses by comparing it with each
_MOST_KEPT = 1024  # elements; a buffer is filled, and handed on, by as many instructions


def in_registers(phase: Phase, kernel: Kernel, limit: int) -> frozenset[str]:
    """The buffers of samples' values that the body of a phase can keep in registers.

    Those that it sets before anything else, and whose elements are named by number wherever it
    touches them; a few may also be picked by an index that differs from sample to sample.
    """
    buffers, known = kernel.buffers, frozenset(kernel.entries)
    places: dict[str, list[bool]] = {}
    begun: dict[str, bool] = {}
    for part in phase.body:
        match part:
            case Fill(name):
                begun.setdefault(name, True)
            case Rows():
                begun.setdefault(part.columns, not part.write)
                width = elements(buffers[part.columns].shape) or 0
                places.setdefault(part.columns, []).append(part.written_out(width))
            case Update():
                _note(part, kernel, limit, known, begun, places)
            case Steps():
                for name in touched(part):
                    begun.setdefault(name, False)
                    # What a step writes is handed to the next in memory.
                    places.setdefault(name, []).append(name not in part.written)
                for update in part.updates:
                    _note(update, kernel, limit, known, begun, places)
    return frozenset(
        name
        for name, set_first in begun.items()
        if set_first
        and buffers[name].of_samples
        and _is_small(buffers[name])
        and all(places.get(name, ()))
    )


def _note(
    update: Update,
    kernel: Kernel,
    limit: int,
    known: frozenset[str],
    begun: dict[str, bool],
    places: dict[str, list[bool]],
) -> None:
    """Note which buffers an update sets before anything else does, and how it names elements."""
    numbers = frozenset(loop.index for loop in update.loops)
    fixed = numbers if written_out(update, limit) else None
    written = {update.target} | ({update.winner.tensor} if update.winner else set())
    for name in touched(update):
        sets = update.first and name in written
        begun.setdefault(name, sets and _sets_all(update, kernel.buffers[name]))
    accesses = [(name, update.place) for name in written]
    accesses += [(read.tensor, read.map) for read in update.reads if read.tensor]
    for name, place in accesses:
        few = _few(kernel.buffers[name])
        # A function of a matrix finds all of it in memory.
        numbered = not update.of_matrix and _numbered(place, fixed, known, few)
        places.setdefault(name, []).append(numbered)
    if fixed is None and update.reduction in ("max", "min"):
        for name in written:  # the best so far goes from step to step in memory
            places[name].append(False)


def _is_small(buffer: Buffer) -> bool:
    count = elements(buffer.shape)
    return count is not None and count <= _MOST_KEPT


def _sets_all(update: Update, buffer: Buffer) -> bool:
    """Whether no element is left to other phases: steps that are written out may be parted."""
    loops = [loop for loop in update.loops if loop.index in update.seen]
    return buffer.storage is not Storage.TILE or points(loops) == elements(buffer.shape)


def _few(buffer: Buffer) -> bool:
    count = elements(buffer.shape)
    return count is not None and count <= _MOST_PICKED


def _numbered(
    place: tuple[Integer, ...], fixed: frozenset[str] | None, known: frozenset[str], few: bool
) -> bool:
    """Whether a place is a number once the indices of the loops written out are."""
    if fixed is None:
        return not place
    free = any(part.indices - fixed or part.tensors - known for part in place)
    return not free or (few and any(SAMPLE in part.indices for part in place))
